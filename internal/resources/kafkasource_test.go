package resources

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func kafkaSourceText(name, spec string, annotations ...string) string {
	return manifestText("sources.knative.dev/v1", "KafkaSource", name, spec, annotations...)
}

const sourceBase = `topics: [orders], bootstrapServers: ["kafka:9092"], sink: {uri: "http://s.example.com"}`

func TestKafkaSourceValidation(t *testing.T) {
	source := func(more string) string { return kafkaSourceText("k", "{"+sourceBase+more+"}") }
	secret := "secretKeyRef: {name: s, key: k}"
	checkRows(t, []row{
		{id: "KS/good", text: source("")},
		{id: "KS/v1beta1", text: strings.Replace(source(""), "dev/v1", "dev/v1beta1", 1)},
		{id: "KS/everything", text: source(`, consumerGroup: g, initialOffset: earliest, ordering: unordered, consumers: 1, delivery: {retry: 1},
  net: {sasl: {enable: false, user: {}}, tls: {}}, ceOverrides: {extensions: {region: eu}}`)},
		{id: "KS/empty", text: kafkaSourceText("k", "{}"), want: []string{
			"expected at least one, got none: spec.sink.ref, spec.sink.uri", "missing field(s): spec.bootstrapServers, spec.topics"}},
		{id: "KS/topics", text: kafkaSourceText("k", `{topics: [a, "b c", a], bootstrapServers: ["kafka:9092"], sink: {uri: "http://s.example.com"}}`), want: []string{
			"invalid value: b c: spec.topics[1]\n" + topicRule, "invalid value: a: spec.topics[2]\nthe topic is named twice"}},
		{id: "KS/servers", text: kafkaSourceText("k", `{topics: [a], bootstrapServers: [kafka], sink: {uri: "http://s.example.com"}}`),
			want: []string{"invalid value: kafka: spec.bootstrapServers[0]\nexpected host:port"}},
		{id: "KS/initialOffset", text: source(", initialOffset: first"), want: []string{"invalid value: first: spec.initialOffset"}},
		{id: "KS/ordering", text: source(", ordering: ordered-by-key"), want: []string{"invalid value: ordered-by-key: spec.ordering"}},
		{id: "KS/consumers", text: source(", consumers: -1"), want: []string{"invalid value: -1: spec.consumers"}},
		{id: "KS/delivery", text: source(", delivery: {backoffDelay: 3s}"),
			want: []string{"invalid value: 3s: spec.delivery.backoffDelay\nuse ISO 8601, for example PT3S"}},
		{id: "KS/extension", text: source(", ceOverrides: {extensions: {Invalid_type: x}}"),
			want: []string{"invalid key name \"Invalid_type\": spec.ceOverrides.extensions\nkeys are expected to be alphanumeric"}},
		{id: "KS/attribute", text: source(", ceOverrides: {extensions: {id: x}}"),
			want: []string{"invalid key name \"id\": spec.ceOverrides.extensions\nit is an attribute of the event, not an extension"}},
		{id: "KS/tls", text: source(", net: {tls: {enable: true}}"), want: []string{"must not set the field(s): spec.net.tls.enable\n" + notYet}},
		{id: "KS/sasl", text: source(", net: {sasl: {enable: true, user: {" + secret + "}, password: {" + secret + "}}}"),
			want: []string{"must not set the field(s): spec.net.sasl.enable, spec.net.sasl.password, spec.net.sasl.user\n" + notYet}},
		{id: "VA-26/source", text: source(", consumergroup: g"), want: []string{"unknown field: spec.consumergroup\ndid you mean spec.consumerGroup?"}},
	})
}

func TestKafkaSourcePlan(t *testing.T) {
	plan := mustLoad(t, options(), kafkaSourceText("k", `{topics: [orders, bills], bootstrapServers: ["kafka:9092"],
  sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}, ceOverrides: {extensions: {region: eu}}}`, "kurier.dev/concurrency", "7"), brokerText("b", "{}"))
	if len(plan.Consumers) != 2 || len(plan.Topics) != 3 {
		t.Fatalf("%+v %+v", plan.Consumers, plan.Topics)
	}
	got := plan.Consumers[0]
	want := Consumer{
		Ref: Ref{"KafkaSource", "test-ns", "k"}, Cluster: "kafka:9092", Topic: "bills", Group: "knative-kafka-source-test-ns-k",
		Subscriber: Destination{URL: "http://ingress:8080/test-ns/b", Ref: Ref{"Broker", "test-ns", "b"}, OwnBroker: true},
		Delivery:   Delivery{Retry: 10, Timeout: 10 * time.Minute, Policy: "exponential", Delay: 300 * time.Millisecond, BackoffMax: 10 * time.Minute, Format: "binary"},
		DeadLetter: DeadLetterPolicy{Topic: "knative-kafka-source-test-ns-k.dead-letter"}, Order: ordered, Concurrency: 7,
		Records: &Records{Source: "/apis/v1/namespaces/test-ns/kafkasources/k#bills", Extensions: map[string]string{"region": "eu"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got:\n%+v\nwant:\n%+v", got, want)
	}
	for _, topic := range plan.Topics {
		if topic.Cluster != "" && (topic.Create || topic.Owner.Kind != "KafkaSource") {
			t.Errorf("%+v", topic)
		}
	}
	plan = mustLoad(t, options(), kafkaSourceText("k", "{"+sourceBase+", initialOffset: earliest, ordering: unordered, consumerGroup: g, delivery: {retry: 2, deadLetterSink: {uri: 'http://d.example.com'}}}"))
	c := plan.Consumers[0]
	if c.Group != "g" || c.InitialOffset.Kind != Earliest || c.Order != unordered || c.Delivery.Retry != 2 || c.Delivery.Delay != 0 || c.Delivery.DeadLetterSink.URL != "http://d.example.com" {
		t.Errorf("%+v", c)
	}
	if o := find(t, plan, "kafkasource/test-ns/k"); o.Topic != "orders" || o.Group != "g" || o.StatusAnnotations["group.id"] != "g" || condition(o, "SinkProvided") != "True" {
		t.Errorf("%+v", o)
	}
	plan = mustLoad(t, options(), kafkaSourceText("k", "{"+strings.Replace(sourceBase, `{uri: "http://s.example.com"}`, "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: none}}", 1)+"}"))
	if len(plan.Consumers[0].Blocked) != 1 {
		t.Errorf("%+v", plan.Consumers[0])
	}
}

func TestKafkaSourceConflicts(t *testing.T) {
	source := func(name, more string) string { return kafkaSourceText(name, "{"+sourceBase+more+"}") }
	plan := loadText(t, options(), source("a", ", consumerGroup: g"), source("b", ", consumerGroup: g"))
	if got := texts(plan.Errors); len(got) != 1 || !strings.HasPrefix(got[0], "consumer group \"g\" is that of kafkasource/test-ns/a already: metadata.name") {
		t.Errorf("%q", got)
	}
	plan = loadText(t, options(), strings.Replace(source("a", ", consumerGroup: g"), "[orders]", "[g.dead-letter]", 1))
	if got := texts(plan.Errors); len(got) != 1 || !strings.HasPrefix(got[0], "the dead letter topic \"g.dead-letter\" is the topic that kafkasource/test-ns/a reads") {
		t.Errorf("%q", got)
	}
	old := mustLoad(t, options(), source("a", ", consumerGroup: g"))
	plan = reloadText(t, old, options(), source("a", ", consumerGroup: h"))
	want := "Immutable fields changed (-old +new): spec\nspec.consumerGroup:\n\t-: \"g\"\n\t+: \"h\""
	if got := texts(plan.Errors); !slices.Equal(got, []string{want}) || plan.Consumers[0].Group != "g" {
		t.Errorf("%q", got)
	}
	plan = reloadText(t, old, options(), strings.Replace(source("a", ", consumerGroup: g"), "[orders]", "[orders, bills]", 1))
	if len(plan.Errors) > 0 || len(plan.Consumers) != 2 {
		t.Errorf("%v %+v", plan.Errors, plan.Consumers)
	}
}
