package resources

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/filter"
)

const (
	dependencyPath  = "metadata.annotations[knative.dev/dependency]"
	injectionPath   = "metadata.annotations[eventing.knative.dev/injection]"
	attributeRule   = "\nAttribute name must start with a letter and can only contain lowercase alphanumeric"
	orderAnnotation = "kafka.eventing.knative.dev/delivery.order"
)

func TestTriggerValidation(t *testing.T) {
	const dependency, injection = "knative.dev/dependency", "eventing.knative.dev/injection"
	const missingSubscriber = "expected at least one, got none: spec.subscriber.ref, spec.subscriber.uri"
	const noBroker = `{subscriber: {uri: "http://s.example.com"}`
	crossOn := configMapText("config-features", "cross-namespace-event-links", "enabled")
	const elsewhere = noBroker + ", brokerRef: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b, namespace: other}}"
	checkRows(t, []row{
		{id: "VA-11/empty_spec", text: triggerText("t", "{}"), want: []string{"missing field(s): spec.broker", missingSubscriber}},
		{id: "VA-11/no_spec", text: triggerText("t", ""), want: []string{"missing field(s): spec.broker", missingSubscriber}},
		{id: "VA-11/no_broker", text: triggerText("t", noBroker+"}"), want: []string{"missing field(s): spec.broker"}},
		{id: "VA-11/both", text: triggerText("t", goodTrigger+", brokerRef: {name: b}}"),
			want: []string{"expected exactly one, got both: spec.broker, spec.brokerRef"}},
		{id: "VA-11/brokerRef", text: triggerText("t", noBroker+", brokerRef: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}")},
		{id: "VA-11/brokerRef_without_name", text: triggerText("t", noBroker+", brokerRef: {kind: Broker}}"), want: []string{"missing field(s): spec.brokerRef.name"}},
		{id: "VA-11/no_filter", text: triggerText("t", goodTrigger+"}")},
		{id: "VA-11/empty_filter", text: triggerText("t", goodTrigger+", filter: {}}")},
		{id: "VA-11/filter", text: triggerText("t", goodTrigger+", filter: {attributes: {type: a, source: ''}}}")},
		{id: "VA-11/brokerRef_namespace_off", text: triggerText("t", elsewhere),
			want: []string{"must not set the field(s): spec.brokerRef.namespace\n" +
				"only name, apiVersion and kind are supported fields when feature.CrossNamespaceEventLinks is disabled"}},
		{id: "VA-11/brokerRef_namespace_on", text: triggerText("t", elsewhere), extra: crossOn},

		{id: "VA-16/not_json", text: triggerText("t", goodTrigger+"}", dependency, "invalid dependency annotation"),
			want: []string{`The provided annotation was not a corev1.ObjectReference: "invalid dependency annotation": ` + dependencyPath +
				"\ninvalid character 'i' looking for beginning of value"}},
		{id: "VA-16/other_namespace", text: triggerText("t", goodTrigger+"}", dependency, `{"apiVersion":"v1","kind":"Service","name":"s","namespace":"ns2"}`),
			want: []string{`Namespace must be empty or equal to the trigger namespace "test-ns": ` + dependencyPath + ".namespace"}},
		{id: "VA-16/no_kind", text: triggerText("t", goodTrigger+"}", dependency, `{"apiVersion":"v1","name":"s"}`),
			want: []string{"missing field(s): " + dependencyPath + ".kind"}},
		{id: "VA-16/no_name", text: triggerText("t", goodTrigger+"}", dependency, `{"apiVersion":"v1","kind":"Service"}`),
			want: []string{"missing field(s): " + dependencyPath + ".name"}},
		{id: "VA-16/no_apiVersion", text: triggerText("t", goodTrigger+"}", dependency, `{"kind":"Service","name":"s"}`),
			want: []string{"missing field(s): " + dependencyPath + ".apiVersion"}},
		{id: "VA-16/empty", text: triggerText("t", goodTrigger+"}", dependency, `{}`),
			want: []string{fmt.Sprintf("missing field(s): %[1]s.apiVersion, %[1]s.kind, %[1]s.name", dependencyPath)}},
		{id: "VA-16/merged", text: triggerText("t", noBroker+"}", dependency, `{}`),
			want: []string{fmt.Sprintf("missing field(s): %[1]s.apiVersion, %[1]s.kind, %[1]s.name, spec.broker", dependencyPath)}},
		{id: "VA-16/good", text: triggerText("t", goodTrigger+"}", dependency, `{"apiVersion":"v1","kind":"Service","name":"s","namespace":"test-ns"}`)},

		{id: "VA-17/bad", text: triggerText("t", goodTrigger+"}", injection, "wut"),
			want: []string{`The provided injection annotation value can only be "enabled" or "disabled", not "wut": ` + injectionPath}},
		{id: "VA-17/other_broker", text: triggerText("t", strings.Replace(goodTrigger, "broker: b", "broker: test-broker", 1)+"}", injection, "enabled"),
			want: []string{`The provided injection annotation is only used for default broker, but non-default broker specified here: "test-broker": ` + injectionPath}},
		{id: "VA-17/default", text: triggerText("t", strings.Replace(goodTrigger, "broker: b", "broker: default", 1)+"}", injection, "enabled")},
		{id: "VA-17/disabled", text: triggerText("t", goodTrigger+"}", injection, "disabled")},

		{id: "VA-19", text: triggerText("t", goodTrigger+"}", orderAnnotation, "invalid"),
			want: []string{`invalid annotation kafka.eventing.knative.dev/delivery.order value: invalid. Allowed values [ "ordered" | "unordered" | "ordered-by-key" ]`}},
	})
}

func TestTriggerImmutable(t *testing.T) {
	named := func(broker, more string) string {
		return triggerText("t", "{broker: "+broker+`, subscriber: {uri: "http://s.example.com"}`+more+"}")
	}
	const ref = `{brokerRef: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: %s}, subscriber: {uri: "http://s.example.com"}}`
	for _, row := range []struct{ id, old, new, want string }{
		{"VA-18/broker", named("test_broker", ""), named("anotherBroker", ""),
			"Immutable fields changed (-old +new): broker, spec\nspec.broker:\n\t-: \"test_broker\"\n\t+: \"anotherBroker\""},
		{"VA-18/brokerRef", triggerText("t", fmt.Sprintf(ref, "one")), triggerText("t", fmt.Sprintf(ref, "two")),
			"Immutable fields changed (-old +new): brokerRef, spec\nspec.brokerRef.name:\n\t-: \"one\"\n\t+: \"two\""},
		{"VA-18/filter", named("b", ""), named("b", ", filter: {attributes: {type: x}}"), ""},
		{"VA-18/unchanged", named("b", ""), named("b", ""), ""},
		{"VA-18/no_old_object", triggerText("other", goodTrigger+"}"), named("b", ""), ""},
	} {
		t.Run(row.id, func(t *testing.T) { checkChange(t, row.old, row.new, row.want) })
	}
}

func TestFilterValidation(t *testing.T) {
	attributes := func(name string) string {
		return triggerText("t", fmt.Sprintf("%s, filter: {attributes: {%q: x}}}", goodTrigger, name))
	}
	filters := func(one string) string { return triggerText("t", goodTrigger+", filters: ["+one+"]}") }
	badKey := func(name, path string) []string {
		return []string{fmt.Sprintf("invalid key name %q: spec.%s[%s]%s", name, path, name, attributeRule)}
	}
	rows := []row{
		{id: "VA-12/0invalid", text: attributes("0invalid"), want: badKey("0invalid", "filter.attributes")},
		{id: "VA-12/invALID", text: attributes("invALID"), want: badKey("invALID", "filter.attributes")},
	}
	for _, name := range []string{"SOURCE", "Source", "souRce", "s pace s", "s_pace_s", "s-pace-s", "123", "😊", "!@#$%^&*()-_=_`~+\\", `{}[];':"<>,./?`} {
		rows = append(rows, row{id: "VA-12/rejected/" + name, text: attributes(name), want: badKey(name, "filter.attributes")})
	}
	for _, name := range []string{"source", "id", "specversion", "type", "subject", "time", "datacontenttype", "dataschema", "aaa", "c1d2e3", "abcdefghijklmnopqrst"} {
		rows = append(rows, row{id: "VA-12/accepted/" + name, text: attributes(name)})
	}
	for _, dialect := range []string{"exact", "prefix", "suffix"} {
		rows = append(rows,
			row{id: "VA-13/" + dialect + "/one", text: filters("{" + dialect + ": {type: a}}")},
			row{id: "VA-13/" + dialect + "/two", text: filters("{" + dialect + ": {type: a, source: b}}")},
			row{id: "VA-13/" + dialect + "/invALID", text: filters("{" + dialect + ": {invALID: a}}"), want: badKey("invALID", "filters[0]."+dialect)},
			row{id: "VA-27/" + dialect + "/empty_value", text: filters("{" + dialect + ": {type: ''}}"),
				want: []string{"invalid value: : spec.filters[0]." + dialect + "[type]"}},
			row{id: "VA-27/" + dialect + "/empty_name", text: filters("{" + dialect + ": {'': a}}"),
				want: []string{"invalid key name \"\": spec.filters[0]." + dialect + "[]" + attributeRule}},
			row{id: "VA-27/" + dialect + "/empty", text: filters("{" + dialect + ": {}}"), want: []string{"missing field(s): spec.filters[0]." + dialect}},
		)
	}
	deep := strings.Repeat("{not: ", 33) + "{exact: {type: a}}" + strings.Repeat("}", 33)
	fits := strings.Repeat("{not: ", 32) + "{exact: {type: a}}" + strings.Repeat("}", 32)
	rows = append(rows, []row{
		{id: "VA-13/0invalid", text: filters("{exact: {0invalid: a}}"), want: badKey("0invalid", "filters[0].exact")},
		{id: "VA-13/not", text: filters("{not: {prefix: {invALID: a}}}"), want: badKey("invALID", "filters[0].not.prefix")},
		{id: "VA-13/all", text: filters("{all: [{exact: {type: a}}, {exact: {type: a}}, {prefix: {invALID: a}}]}"), want: badKey("invALID", "filters[0].all[2].prefix")},
		{id: "VA-13/any", text: filters("{any: [{exact: {type: a}}, {exact: {type: a}}, {prefix: {invALID: a}}]}"), want: badKey("invALID", "filters[0].any[2].prefix")},
		{id: "VA-13/good_nested", text: filters("{not: {exact: {type: a}}}, {all: [{prefix: {type: a}}]}, {any: [{suffix: {type: a}}]}")},
		{id: "VA-13/null", text: filters("{all: null}")},
		{id: "VA-13/cesql", text: filters(`{cesql: "type = 'dev.knative' AND ttl < 3"}`)},
		{id: "VA-14", text: filters("{exact: {type: a}, suffix: {type: a}}"),
			want: []string{"multiple dialects found, filters can have only one dialect set: spec.filters[0]"}},
		{id: "FI-10/none", text: triggerText("t", goodTrigger+", filters: []}")},
		{id: "FI-14/top", text: filters("{}")},
		{id: "FI-14/inside", text: filters("{all: [{}]}"), want: []string{"expected exactly one, got neither: spec.filters[0].all[0]"}},
		{id: "VA-27/all", text: filters("{all: []}"), want: []string{"missing field(s): spec.filters[0].all"}},
		{id: "VA-27/any", text: filters("{any: []}"), want: []string{"missing field(s): spec.filters[0].any"}},
		{id: "VA-27/not", text: filters("{not: {}}"), want: []string{"expected exactly one, got neither: spec.filters[0].not"}},
		{id: "VA-27/cesql_empty", text: filters("{cesql: ''}"), want: []string{"invalid value: : spec.filters[0].cesql"}},
		{id: "VA-27/cesql_not_boolean", text: filters("{cesql: 1 + 2}"), want: []string{"invalid value: 1 + 2: spec.filters[0].cesql\nexpression is not boolean"}},
		{id: "VA-27/fits", text: filters(fits)},
		{id: "VA-27/deep", text: filters(deep), want: []string{"filters are nested deeper than 32: spec.filters[0]" + strings.Repeat(".not", 33)}},
		{id: "FI-17/unknown_dialect", text: filters("{exakt: {type: a}}"), want: []string{"unknown field: spec.filters[0].exakt\ndid you mean spec.filters[0].exact?"}},
	}...)
	checkRows(t, rows)
}

// TestExpression is VA-15: the text behind "syntax error:" is the parser's.
func TestExpression(t *testing.T) {
	plan := loadText(t, options(), triggerText("t", goodTrigger+", filters: [{cesql: this is wrong}]}"))
	const want = "invalid value: this is wrong: spec.filters[0].cesql\nparse error: syntax error: "
	if len(plan.Errors) != 1 || !strings.HasPrefix(plan.Errors[0].Text(), want) {
		t.Errorf("got %v, want %q...", plan.Errors, want)
	}
}

func TestFilterPlan(t *testing.T) {
	plan := mustLoad(t, options(), brokerText("b", "{}"), triggerText("t", goodTrigger+`, filter: {attributes: {type: a, source: ''}},
  filters: [{exact: {type: a}}, {all: [{prefix: {source: b}}, {not: {suffix: {subject: c}}}]}, {any: [{cesql: "type = 'x'"}]}, {}]}`))
	c := findConsumer(t, plan, "trigger/test-ns/t")
	if want := map[string]string{"type": "a", "source": ""}; !reflect.DeepEqual(c.Attributes, want) {
		t.Errorf("attributes: %v", c.Attributes)
	}
	want := []filter.Spec{
		{Exact: map[string]string{"type": "a"}},
		{All: []filter.Spec{{Prefix: map[string]string{"source": "b"}}, {Not: &filter.Spec{Suffix: map[string]string{"subject": "c"}}}}},
		{Any: []filter.Spec{{CESQL: "type = 'x'"}}},
		{},
	}
	if !reflect.DeepEqual(c.Filters, want) {
		t.Errorf("filters: %+v", c.Filters)
	}
	if _, err := filter.Compile(c.Attributes, c.Filters); err != nil {
		t.Errorf("what is valid here does not compile: %v", err)
	}
}

// TestTriggerStatus is the Trigger's line of 6.10, as far as Kafka is not needed.
func TestTriggerStatus(t *testing.T) {
	dependsOn := func(object string) []string { return []string{"knative.dev/dependency", object} }
	plan := mustLoad(t, options(), brokerText("b", "{}"), brokerText("poor", "{config: {apiVersion: v1, kind: ConfigMap, name: none}}"),
		triggerText("good", goodTrigger+"}"),
		triggerText("early", strings.Replace(goodTrigger, "broker: b", "broker: x", 1)+"}"),
		triggerText("poor", strings.Replace(goodTrigger, "broker: b", "broker: poor", 1)+"}"),
		triggerText("sink", goodTrigger+", delivery: {deadLetterSink: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: x}}}}"),
		triggerText("waits", goodTrigger+"}", dependsOn(`{"apiVersion":"sources.knative.dev/v1","kind":"PingSource","name":"p"}`)...),
		triggerText("pings", goodTrigger+"}", dependsOn(`{"apiVersion":"sources.knative.dev/v1beta2","kind":"PingSource","name":"real"}`)...),
		triggerText("serves", goodTrigger+"}", dependsOn(`{"apiVersion":"v1","kind":"Service","name":"s"}`)...),
		triggerText("doomed", goodTrigger+"}", dependsOn(`{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","name":"poor"}`)...),
		pingText("real", `{sink: {uri: "http://s.example.com"}}`),
		manifestText("v1", "Service", "s", "{}"),
	)
	for _, row := range []struct{ name, condition, want string }{
		{"good", "BrokerReady", ""},
		{"good", "SubscriptionReady", ""},
		{"good", "SubscriberResolved", "True"},
		{"good", "DependencyReady", "True"},
		{"good", "DeadLetterSinkResolved", "True DeadLetterSinkNotConfigured: No dead letter sink is configured."},
		{"early", "BrokerReady", `False BrokerDoesNotExist: Broker "x" does not exist`},
		{"poor", "BrokerReady", "False BrokerNotConfigured: Broker has not yet been reconciled."},
		{"sink", "DeadLetterSinkResolved", `False Unable to get the dead letter sink's URI: Channel "x" in namespace "test-ns" does not exist`},
		{"waits", "DependencyReady", `False DependencyDoesNotExist: Dependency does not exist: PingSource "p"`},
		{"pings", "DependencyReady", ""},
		{"serves", "DependencyReady", "True"},
		{"doomed", "DependencyReady", `False DependencyNotReady: broker/test-ns/poor is not ready: ConfigMap "none" in namespace "test-ns" does not exist`},
	} {
		if got := condition(find(t, plan, "trigger/test-ns/"+row.name), row.condition); got != row.want {
			t.Errorf("%s %s: got %q, want %q", row.name, row.condition, got, row.want)
		}
	}
	for _, c := range plan.Consumers {
		started := c.Name == "good" || c.Name == "pings" || c.Name == "serves"
		if started != (len(c.Blocked) == 0) {
			t.Errorf("%s: blocked %v", c.Name, c.Blocked)
		}
	}
	good := findConsumer(t, plan, "trigger/test-ns/good")
	if good.Topic != "knative-broker-test-ns-b" || good.Group != "knative-trigger-test-ns-good" || good.Parent != (Ref{"Broker", "test-ns", "b"}) {
		t.Errorf("topic %q, group %q, parent %v", good.Topic, good.Group, good.Parent)
	}
	want := Reply{Kind: ReplyBroker, BrokerURL: "http://ingress:8080/test-ns/b", Destination: Destination{URL: "http://ingress:8080/test-ns/b",
		Ref: Ref{"Broker", "test-ns", "b"}, Topic: "knative-broker-test-ns-b", OwnBroker: true}}
	if good.Reply != want {
		t.Errorf("reply: %+v", good.Reply)
	}
	if got := find(t, plan, "trigger/test-ns/good").StatusAnnotations["group.id"]; got != "knative-trigger-test-ns-good" {
		t.Errorf("group.id: %q", got)
	}
	if c := findConsumer(t, plan, "trigger/test-ns/pings"); c.Dependency != (Ref{"PingSource", "test-ns", "real"}) {
		t.Errorf("dependency: %v", c.Dependency)
	}
	if len(plan.Warnings) != 4 { // x, none, the channel x, p
		t.Errorf("warnings: %v", Problems(plan.Warnings))
	}
}

// TestInjection: a Broker that no manifest makes (6.3).
func TestInjection(t *testing.T) {
	wanting := func(name string) string {
		return triggerText(name, strings.Replace(goodTrigger, "broker: b", "broker: default", 1)+"}", "eventing.knative.dev/injection", "enabled")
	}
	plan := mustLoad(t, options(), wanting("a"), wanting("z"))
	if b := find(t, plan, "broker/test-ns/default"); b.Topic != "knative-broker-test-ns-default" || b.Generation != 1 || len(plan.Targets) != 1 {
		t.Errorf("broker: %+v, targets: %v", b, plan.Targets)
	}
	if c := findConsumer(t, plan, "trigger/test-ns/z"); len(c.Blocked) != 0 || c.Delivery.Retry != 10 {
		t.Errorf("consumer: %+v", c)
	}
	own := mustLoad(t, options(), wanting("a"), brokerText("default", "{delivery: {retry: 1}}"))
	if c := findConsumer(t, own, "trigger/test-ns/a"); c.Delivery.Retry != 1 || len(own.Targets) != 1 {
		t.Errorf("consumer: %+v", c)
	}
	after := reloadText(t, plan, options(), strings.ReplaceAll(wanting("a"), "enabled", "disabled"))
	if len(after.Targets) != 0 || len(after.Errors) != 0 {
		t.Errorf("the Broker stays: %v, %v", after.Targets, after.Errors)
	}
}
