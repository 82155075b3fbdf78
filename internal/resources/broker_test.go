package resources

import (
	"reflect"
	"testing"

	"kurier.dev/kurier/test/altered"
)

const classAnnotation = "eventing.knative.dev/broker.class"

func TestBrokerValidation(t *testing.T) {
	disallow := func(where string) string {
		return configMapText("config-br-defaults", "default-br-config", where+"{disallowDifferentNamespaceConfig: true}")
	}
	otherNamespace := brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: c, namespace: ns2}}")
	mismatch := []string{"mismatched namespaces: spec.config.namespace\nparent namespace: \"test-ns\" does not match ref: \"ns2\""}
	checkRows(t, []row{
		{id: "VA-6/empty", text: brokerText("b", "{}", classAnnotation, ""), want: []string{"missing field(s): eventing.knative.dev/broker.class"}},
		{id: "VA-6/absent", text: brokerText("b", "{}")},
		{id: "VA-7/no_name", text: brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap}}"), want: []string{"missing field(s): spec.config.name"}},
		{id: "VA-7/no_apiVersion", text: brokerText("b", "{config: {kind: ConfigMap, name: c}}"), want: []string{"missing field(s): spec.config.apiVersion"}},
		{id: "VA-7/no_kind", text: brokerText("b", "{config: {apiVersion: v1, name: c}}"), want: []string{"missing field(s): spec.config.kind"}},
		{id: "VA-7/empty_config", text: brokerText("b", "{config: {}}"),
			want: []string{"missing field(s): spec.config.apiVersion, spec.config.kind, spec.config.name"}},
		{id: "VA-7/empty_spec", text: brokerText("b", "{}")},
		{id: "VA-7/no_spec", text: brokerText("b", "null")},
		{id: "VA-7/config", text: brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: c}}")},
		{id: "VA-7/config_with_namespace", text: brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: c, namespace: test-ns}}")},
		{id: "VA-7/delivery", text: brokerText("b", "{delivery: {backoffPolicy: linear}}")},
		{id: "VA-7/bad_delivery", text: brokerText("b", "{delivery: {backoffDelay: invalid time}}"),
			want: []string{"invalid value: invalid time: spec.delivery.backoffDelay"}},
		{id: "VA-8/allowed", text: otherNamespace},
		{id: "VA-8/cluster", text: otherNamespace, extra: disallow("clusterDefault: "), want: mismatch},
		{id: "VA-8/namespace", text: otherNamespace, extra: disallow("namespaceDefaults:\n  test-ns: "), want: mismatch},
		{id: "VA-8/another_namespace", text: otherNamespace, extra: disallow("namespaceDefaults:\n  ns3: ")},
		{id: "VA-10", text: brokerText("b", "{config: {apiVersion: v1, kind: Secret, name: c}}"),
			want: []string{"invalid value: Secret: spec.config.kind\nExpected ConfigMap"}},
		{id: "VA-10/external_topic", text: brokerText("b", "{}", "kafka.eventing.knative.dev/external.topic", "a/b"),
			want: []string{"invalid value: a/b: metadata.annotations[kafka.eventing.knative.dev/external.topic]\n" + topicRule}},
	})
}

func TestBrokerImmutable(t *testing.T) {
	config := func(name string) string { return "{config: {apiVersion: v1, kind: ConfigMap, name: " + name + "}}" }
	for _, row := range []struct{ id, old, new, want string }{
		{"VA-9/config", brokerText("b", config("old")), brokerText("b", config("new")),
			"Immutable fields changed (-old +new): spec\nspec.config.name:\n\t-: \"old\"\n\t+: \"new\""},
		{"VA-9/config_removed", brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: old}}"), brokerText("b", "{}"),
			"Immutable fields changed (-old +new): spec\nspec.config.apiVersion:\n\t-: \"v1\"\n\t+: (absent)\n" +
				"spec.config.kind:\n\t-: \"ConfigMap\"\n\t+: (absent)\nspec.config.name:\n\t-: \"old\"\n\t+: (absent)"},
		{"VA-9/class", brokerText("b", "{}"), brokerText("b", "{}", classAnnotation, "KafkaNamespaced"),
			"Immutable annotations changed (-old +new): annotations\nmetadata.annotations[eventing.knative.dev/broker.class]:\n\t-: \"Kafka\"\n\t+: \"KafkaNamespaced\""},
		{"VA-9/none", brokerText("b", config("old")), brokerText("b", config("old")), ""},
		{"VA-9/default_spelled_out", brokerText("b", config("old")), brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: old, namespace: test-ns}}", classAnnotation, "Kafka"), ""},
		{"VA-9/no_old_object", brokerText("other", "{}"), brokerText("b", config("old")), ""},
		{"VA-9/delivery", brokerText("b", "{}"), brokerText("b", "{delivery: {retry: 1}}"), ""},
	} {
		t.Run(row.id, func(t *testing.T) { checkChange(t, row.old, row.new, row.want) })
	}
}

// checkChange reloads changed over old: want is the error's text, or empty. An
// object in error keeps its old version.
func checkChange(t *testing.T, old, changed, want string) {
	t.Helper()
	before := mustLoad(t, options(), old)
	after := reloadText(t, before, options(), changed)
	got, want := "", altered.Want(want)
	if len(after.Errors) > 0 {
		got = after.Errors[0].Text()
	}
	if got != want || len(after.Errors) > 1 {
		t.Fatalf("got:\n%s\nwant:\n%s", Problems(after.Errors), want)
	}
	kept := reflect.DeepEqual(before.Objects, after.Objects)
	if want != "" && !kept {
		t.Error("the old version was not kept")
	}
	if want == "" && kept && old != changed {
		t.Error("the new version was not taken")
	}
}

// TestBrokerConfig is 6.4: what a Broker's topic is made like.
func TestBrokerConfig(t *testing.T) {
	const withConfig = "{config: {apiVersion: v1, kind: ConfigMap, name: c}}"
	topic := func(o Options, documents ...string) Topic {
		t.Helper()
		plan := mustLoad(t, o, documents...)
		if len(plan.Topics) != 1 {
			t.Fatalf("topics: %+v", plan.Topics)
		}
		return plan.Topics[0]
	}
	owner := Ref{"Broker", "test-ns", "b"}
	const name = "knative-broker-test-ns-b"
	for _, row := range []struct {
		id        string
		documents []string
		want      Topic
	}{
		{"without", []string{brokerText("b", "{}")}, Topic{Name: name, Partitions: 10, Create: true, Owner: owner}},
		{"defaults", []string{brokerText("b", withConfig), configMapText("c")}, Topic{Name: name, Partitions: 10, Replication: 3, Create: true, Owner: owner}},
		{"all", []string{brokerText("b", withConfig), configMapText("c", "bootstrap.servers", "k2:9092, k1:9092,k2:9092", "default.topic.partitions", "5",
			"default.topic.replication.factor", "2", "default.topic.config.retention.ms", "1000")},
			Topic{Cluster: "k1:9092,k2:9092", Name: name, Partitions: 5, Replication: 2, Config: map[string]string{"retention.ms": "1000"}, Create: true, Owner: owner}},
		{"environments_cluster", []string{brokerText("b", withConfig), configMapText("c", "bootstrap.servers", "env2:1,env1:1")},
			Topic{Name: name, Partitions: 10, Replication: 3, Create: true, Owner: owner}},
		{"channel_template", []string{brokerText("b", withConfig, classAnnotation, "MTChannelBasedBroker"), configMapText("c", "channel-template-spec", "kind: InMemoryChannel")},
			Topic{Name: name, Partitions: 10, Create: true, Owner: owner}},
		{"external", []string{brokerText("b", withConfig, "kafka.eventing.knative.dev/external.topic", "mine"), configMapText("c", "bootstrap.servers", "k:1")},
			Topic{Cluster: "k:1", Name: "mine", Owner: owner}},
	} {
		t.Run(row.id, func(t *testing.T) {
			o := options()
			o.Bootstrap = "env1:1,env2:1"
			if got := topic(o, row.documents...); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestBrokerConfigErrors(t *testing.T) {
	b := brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: c}}")
	checkRows(t, []row{
		{id: "partitions", text: b, extra: configMapText("c", "default.topic.partitions", "0"),
			want: []string{"invalid value: 0: data[default.topic.partitions]\nexpected a whole number of at least 1"}},
		{id: "replication", text: b, extra: configMapText("c", "default.topic.replication.factor", "x"),
			want: []string{"invalid value: x: data[default.topic.replication.factor]\nexpected a whole number of at least 1"}},
		{id: "servers", text: b, extra: configMapText("c", "bootstrap.servers", "kafka"),
			want: []string{"invalid value: kafka: data[bootstrap.servers]\nexpected host:port, comma-separated"}},
		{id: "secret", text: b, extra: configMapText("c", "auth.secret.ref.name", "s"),
			want: []string{"must not set the field(s): data[auth.secret.ref.name]\n" + notYet}},
		{id: "nobody_reads_it", text: brokerText("b", "{}"), extra: configMapText("c", "default.topic.partitions", "0")},
		{id: "not_quoted", text: b, extra: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: test-ns}\ndata: {default.topic.partitions: 3}",
			want: []string{"invalid value: 3: data[default.topic.partitions]\nexpected a text, write it in quotes: \"3\""}},
	})
	plan := mustLoad(t, options(), b, configMapText("c", "default.topic.partition", "3"))
	if len(plan.Warnings) != 1 || plan.Warnings[0].Text() != "unknown key: data[default.topic.partition]\ndid you mean default.topic.partitions?" {
		t.Errorf("warnings: %v", plan.Warnings)
	}
}

// TestBrokerStatus is the Broker's line of 6.10, as far as Kafka is not needed.
func TestBrokerStatus(t *testing.T) {
	plan := mustLoad(t, options(), brokerText("b", "{}"),
		brokerText("poor", "{config: {apiVersion: v1, kind: ConfigMap, name: c}}"),
		brokerText("sick", "{delivery: {deadLetterSink: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: x}}}}"),
		brokerText("well", `{delivery: {deadLetterSink: {uri: "http://d.example.com"}}}`))
	b := find(t, plan, "broker/test-ns/b")
	if b.Address != "http://ingress:8080/test-ns/b" || b.StatusAnnotations["default.topic"] != "knative-broker-test-ns-b" || b.Topic != "knative-broker-test-ns-b" {
		t.Errorf("fields: %+v", b)
	}
	if b.Annotations[classAnnotation] != "Kafka" {
		t.Errorf("annotations: %v", b.Annotations)
	}
	for _, row := range []struct{ ref, condition, want string }{
		{"b", "Addressable", "True"},
		{"b", "ConfigParsed", "True"},
		{"b", "DeadLetterSinkResolved", "True DeadLetterSinkNotConfigured: No dead letter sink is configured."},
		{"b", "TopicReady", ""},
		{"b", "DataPlaneAvailable", ""},
		{"poor", "ConfigParsed", `False ConfigMapNotFound: ConfigMap "c" in namespace "test-ns" does not exist`},
		{"sick", "DeadLetterSinkResolved", `False Unable to get the dead letter sink's URI: Channel "x" in namespace "test-ns" does not exist`},
		{"well", "DeadLetterSinkResolved", "True"},
	} {
		if got := condition(find(t, plan, "broker/test-ns/"+row.ref), row.condition); got != row.want {
			t.Errorf("%s %s: got %q, want %q", row.ref, row.condition, got, row.want)
		}
	}
	if got := find(t, plan, "broker/test-ns/well").DeadLetterSinkURI; got != "http://d.example.com" {
		t.Errorf("deadLetterSinkUri: %q", got)
	}
	for _, target := range plan.Targets {
		if blocked := target.Name == "poor"; blocked != (len(target.Blocked) > 0) {
			t.Errorf("target %s: %v", target.Path, target.Blocked)
		}
	}
}

// TestBrokerClasses is 6.3: three classes are ours, others are left alone.
func TestBrokerClasses(t *testing.T) {
	for _, class := range []string{"Kafka", "KafkaNamespaced", "MTChannelBasedBroker"} {
		plan := mustLoad(t, options(), brokerText("b", "{}", classAnnotation, class))
		if len(plan.Targets) != 1 || !plan.Targets[0].Broker || plan.Targets[0].Path != "/test-ns/b" {
			t.Errorf("%s: %+v", class, plan.Targets)
		}
	}
	other := Options{DefaultBrokerClass: "RabbitMQBroker"}
	for _, plan := range []*Plan{
		mustLoad(t, options(), brokerText("b", "{}", classAnnotation, "RabbitMQBroker")), mustLoad(t, other, brokerText("b", "{}")),
	} {
		if len(plan.Objects) != 0 || len(plan.Warnings) != 1 || plan.Warnings[0].Message != "Broker ignored" {
			t.Errorf("objects: %v, warnings: %v", plan.Objects, plan.Warnings)
		}
	}
}

// TestBrokerDefaults: config-br-defaults fills what a Broker leaves out.
func TestBrokerDefaults(t *testing.T) {
	defaults := configMapText("config-br-defaults", "default-br-config",
		"clusterDefault:\n  brokerClass: Kafka\n  apiVersion: v1\n  kind: ConfigMap\n  name: c\n  namespace: test-ns\n  delivery: {retry: 7}\n")
	plan := mustLoad(t, options(), defaults, configMapText("c", "default.topic.partitions", "4"), brokerText("b", "{}"), triggerText("t", goodTrigger+"}"))
	if got := plan.Topics[0].Partitions; got != 4 {
		t.Errorf("partitions: %d", got)
	}
	if got := findConsumer(t, plan, "trigger/test-ns/t").Delivery.Retry; got != 7 {
		t.Errorf("retry: %d", got)
	}
}
