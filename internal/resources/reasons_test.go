package resources

import (
	"strings"
	"testing"
)

// TestReasons is 6.10: what the manifests alone decide, each with its reason.
func TestReasons(t *testing.T) {
	trigger := func(subscriber string) string { return triggerText("t", "{broker: b, subscriber: "+subscriber+"}") }
	deadLetter := func(sink string) string {
		return triggerText("t", goodTrigger+", delivery: {deadLetterSink: "+sink+"}}")
	}
	const nowhere = "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: no}}"
	subscription := func(more string) string { return subscriptionText("s", goodSubscription+more+"}") }
	broker, channel := brokerText("b", "{}"), channelText(kindKafkaChannel, "c", "{}")
	configured := brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: cm}}")
	for _, row := range []struct {
		id, text, object, condition, want string
		noIngress                         bool
	}{
		{id: "subscriber", text: join3([]string{broker, trigger(nowhere)}), object: "trigger/test-ns/t", condition: "SubscriberResolved",
			want: `False Unable to get the Subscriber's URI: Broker "no" in namespace "test-ns" does not exist`},
		{id: "subscriber_kind", text: join3([]string{broker, trigger("{ref: {apiVersion: apps/v1, kind: Deployment, name: d}}")}), object: "trigger/test-ns/t", condition: "SubscriberResolved",
			want: "False Unable to get the Subscriber's URI: Kurier knows no address of apps/v1 Deployment"},
		{id: "subscriber_no_ingress", text: join3([]string{broker, trigger("{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}")}), noIngress: true,
			object: "trigger/test-ns/t", condition: "SubscriberResolved", want: "False IngressURLNotSet: it is not known where the receiver is"},
		{id: "dead_letter_sink", text: join3([]string{broker, deadLetter(nowhere)}), object: "trigger/test-ns/t", condition: "DeadLetterSinkResolved",
			want: `False Unable to get the dead letter sink's URI: Broker "no"`},
		{id: "broker_dead_letter_sink", text: brokerText("b", "{delivery: {deadLetterSink: "+nowhere+"}}"), object: "broker/test-ns/b", condition: "DeadLetterSinkResolved",
			want: `False Unable to get the dead letter sink's URI: Broker "no"`},
		{id: "no_dead_letter_sink", text: broker, object: "broker/test-ns/b", condition: "DeadLetterSinkResolved",
			want: "True DeadLetterSinkNotConfigured: No dead letter sink is configured."},
		{id: "no_broker", text: trigger("{uri: 'http://s'}"), object: "trigger/test-ns/t", condition: "BrokerReady", want: `False BrokerDoesNotExist: Broker "b" does not exist`},
		{id: "broker_without_config", text: join3([]string{configured, trigger("{uri: 'http://s'}")}), object: "trigger/test-ns/t", condition: "BrokerReady",
			want: "False BrokerNotConfigured: Broker has not yet been reconciled."},
		{id: "no_config", text: configured, object: "broker/test-ns/b", condition: "ConfigParsed", want: `False ConfigMapNotFound: ConfigMap "cm" in namespace "test-ns" does not exist`},
		{id: "addressable", text: broker, noIngress: true, object: "broker/test-ns/b", condition: "Addressable", want: "False IngressURLNotSet"},
		{id: "dependency", text: join3([]string{broker, triggerText("t", goodTrigger+"}", annotationDependency, `{"apiVersion":"v1","kind":"Service","name":"no"}`)}),
			object: "trigger/test-ns/t", condition: "DependencyReady", want: "False DependencyDoesNotExist"},
		{id: "dependency_not_ready", text: join3([]string{broker, brokerText("w", "{config: {apiVersion: v1, kind: ConfigMap, name: cm}}"),
			triggerText("t", goodTrigger+"}", annotationDependency, `{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","name":"w"}`)}),
			object: "trigger/test-ns/t", condition: "DependencyReady", want: "False DependencyNotReady: broker/test-ns/w is not ready: ConfigMap"},
		{id: "no_channel", text: subscription(""), object: "subscription/test-ns/s", condition: "ReferencesResolved", want: `False ChannelReferenceFailed: KafkaChannel "c" does not exist`},
		{id: "subscription_subscriber", text: join3([]string{channel, strings.Replace(subscription(""), `{uri: "http://s.example.com"}`, nowhere, 1)}),
			object: "subscription/test-ns/s", condition: "ReferencesResolved", want: "False SubscriberResolveFailed"},
		{id: "subscription_reply", text: join3([]string{channel, subscription(", reply: " + nowhere)}), object: "subscription/test-ns/s", condition: "ReferencesResolved",
			want: "False ReplyResolveFailed"},
		{id: "subscription_dead_letter_sink", text: join3([]string{channel, subscription(", delivery: {deadLetterSink: " + nowhere + "}")}),
			object: "subscription/test-ns/s", condition: "ReferencesResolved", want: "False DeadLetterSinkResolveFailed"},
		{id: "ping_sink", text: pingText("p", "{sink: "+nowhere+"}"), object: "pingsource/test-ns/p", condition: "SinkProvided", want: "False NotFound"},
		{id: "source_sink", text: manifestText("sources.knative.dev/v1", kindKafkaSource, "k", "{topics: [t], bootstrapServers: ['k:1'], sink: "+nowhere+"}"),
			object: "kafkasource/test-ns/k", condition: "SinkProvided", want: "False NotFound"},
	} {
		t.Run(row.id, func(t *testing.T) {
			o := options()
			if row.noIngress {
				o.IngressURL = ""
			}
			plan := mustLoad(t, o, row.text)
			if got := condition(find(t, plan, row.object), row.condition); !strings.HasPrefix(got, row.want) {
				t.Errorf("%s is %s, want %s", row.condition, got, row.want)
			}
		})
	}
}

// TestBadConfigMap: a ConfigMap that was never good blocks the Brokers that name
// it; they do not say that it is missing.
func TestBadConfigMap(t *testing.T) {
	plan := loadText(t, options(), brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: cm}}"), configMapText("cm", "default.topic.partitions", "x"))
	want := `False ConfigMapInvalid: ConfigMap "cm" in namespace "test-ns" is in error`
	if got := condition(find(t, plan, "broker/test-ns/b"), "ConfigParsed"); len(plan.Errors) != 1 || got != want {
		t.Errorf("%s, errors: %v", got, plan.Errors)
	}
	if len(plan.Warnings) > 0 {
		t.Errorf("what is reported as an error is no reference to nowhere: %v", plan.Warnings)
	}
}
