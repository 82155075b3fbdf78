package resources

import (
	"strings"
	"testing"
)

// TestNames is 6.3: topics and groups.
func TestNames(t *testing.T) {
	const templates = "config-kafka-features"
	withUID := strings.Replace(subscriptionText("s", goodSubscription+"}"), "  name: s\n", "  name: s\n  uid: 1b-2c\n", 1)
	for _, row := range []struct {
		id, config, broker, channel, trigger, subscription string
	}{
		{"defaults", "", "knative-broker-test-ns-b", "knative-messaging-kafka.test-ns.c", "knative-trigger-test-ns-t", "kafka.test-ns.c.1b-2c"},
		{"templates", configMapText(templates, "brokers-topic-template", "B.{{ .Namespace }}.{{ .Name }}", "channels-topic-template", "C.{{ .Name }}",
			"triggers-consumergroup-template", "G.{{ .Namespace }}-{{ .Name }}"), "B.test-ns.b", "C.c", "G.test-ns-t", "kafka.test-ns.c.1b-2c"},
		{"aliases", configMapText(templates, "brokers.topic.template", "B.{{ .Name }}", "channels.topic.template", "C.{{ .Name }}",
			"triggers.consumergroup.template", "G.{{ .Name }}"), "B.b", "C.c", "G.t", "kafka.test-ns.c.1b-2c"},
	} {
		t.Run(row.id, func(t *testing.T) {
			plan := mustLoad(t, options(), row.config, brokerText("b", "{}"), channelText("KafkaChannel", "c", "{}"), triggerText("t", goodTrigger+"}"), withUID)
			trigger, sub := findConsumer(t, plan, "trigger/test-ns/t"), findConsumer(t, plan, "subscription/test-ns/s")
			for _, pair := range [][2]string{{trigger.Topic, row.broker}, {sub.Topic, row.channel}, {trigger.Group, row.trigger}, {sub.Group, row.subscription},
				{trigger.DeadLetter.Topic, row.trigger + ".dead-letter"}, {sub.DeadLetter.Topic, row.subscription + ".dead-letter"}} {
				if pair[0] != pair[1] {
					t.Errorf("got %q, want %q", pair[0], pair[1])
				}
			}
		})
	}
	plan := mustLoad(t, options(), channelText("KafkaChannel", "c", "{}"), subscriptionText("s", goodSubscription+"}"))
	if got := findConsumer(t, plan, "subscription/test-ns/s").Group; got != "kafka.test-ns.c.s" {
		t.Errorf("without uid: %q", got)
	}
	o := options()
	o.DeadLetterTopicTemplate = "dead.{{.Namespace}}.{{.Kind}}.{{.Name}}.{{.Topic}}"
	plan = mustLoad(t, o, channelText("KafkaChannel", "c", "{}"), subscriptionText("s", goodSubscription+"}"))
	if got := findConsumer(t, plan, "subscription/test-ns/s").DeadLetter.Topic; got != "dead.test-ns.Subscription.s.knative-messaging-kafka.test-ns.c" {
		t.Errorf("dead letter template: %q", got)
	}
}

func TestNameErrors(t *testing.T) {
	long := strings.Repeat("a", 240)
	features := func(template string) string {
		return configMapText("config-kafka-features", "brokers-topic-template", template)
	}
	checkRows(t, []row{
		{id: "MF-8/too_long", text: brokerText(long, "{}"),
			want: []string{"no usable name: \"knative-broker-test-ns-" + long + "\": metadata.name\nit has 263 characters, Kafka allows 249"}},
		{id: "MF-8/letters", text: brokerText("b", "{}"), extra: features("{{ .Name }}/x"),
			want: []string{"no usable name: \"b/x\": metadata.name\n" + topicRule}},
		{id: "MF-8/empty", text: brokerText("b", "{}"), extra: features("{{ .UID }}"), want: []string{"no usable name: \"\": metadata.name\nit is empty"}},
		{id: "templates/syntax", text: brokerText("b", "{}"), extra: features("{{ .Name"),
			want: []string{"invalid value: {{ .Name: data[brokers-topic-template]\nname:1: unclosed action"}},
		{id: "templates/field", text: brokerText("b", "{}"), extra: features("{{ .Nam }}"),
			want: []string{"invalid value: {{ .Nam }}: data[brokers-topic-template]\nname:1:3: executing \"name\" at <.Nam>: can't evaluate field Nam"}},
		{id: "templates/label", text: brokerText("b", "{}"), extra: features("{{ .Labels.x }}"),
			want: []string{"no usable name: \"\": metadata.name\nname:1:10: executing \"name\" at <.Labels.x>: map has no entry for key \"x\""}},
	})
	for _, bad := range []string{"{{", "{{.Nothing}}", "a/b", " ", strings.Repeat("x", 250)} {
		if CheckDeadLetterTopicTemplate(bad) == nil {
			t.Errorf("dead letter template %q is accepted", bad)
		}
		if plan, err := load(nil, Options{DeadLetterTopicTemplate: bad}, nil); plan != nil || err == nil {
			t.Errorf("dead letter template %q loads", bad)
		}
	}
	if err := CheckDeadLetterTopicTemplate("{{.ConsumerGroup}}.dead-letter"); err != nil {
		t.Error(err)
	}
}

// TestConflicts is MF-8: what two objects would share.
func TestConflicts(t *testing.T) {
	broker := func(namespace, name string) string {
		return "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {namespace: " + namespace + ", name: " + name + "}\n"
	}
	trigger := func(namespace, name string) string {
		return strings.Replace(triggerText(name, goodTrigger+"}"), "test-ns", namespace, 1)
	}
	sink := func(name, topic, more string) string {
		return sinkText(name, "{topic: "+topic+", bootstrapServers: ['k:1']"+more+"}")
	}
	const external = "kafka.eventing.knative.dev/external.topic"
	const made = ", numPartitions: 1, replicationFactor: 1"
	uid := func(name string) string {
		return strings.Replace(subscriptionText(name, goodSubscription+"}"), "  name: "+name+"\n", "  name: "+name+"\n  uid: same\n", 1)
	}
	for _, row := range []struct {
		id        string
		documents []string
		want      string
	}{
		{"ambiguous_topic", []string{broker("a-b", "c"), broker("a", "b-c")},
			"topic \"knative-broker-a-b-c\" is that of broker/a/b-c already: metadata.name\nbroker/a/b-c is in m.yaml:5; give one of them another name"},
		{"ambiguous_group", []string{broker("a-b", "b"), broker("a", "b"), trigger("a-b", "c"), trigger("a", "b-c")},
			"consumer group \"knative-trigger-a-b-c\" is that of trigger/a/b-c already: metadata.name\ntrigger/a/b-c is in m.yaml:16; give one of them another name"},
		{"uid", []string{channelText("KafkaChannel", "c", "{}"), uid("one"), uid("two")},
			"consumer group \"kafka.test-ns.c.same\" is that of subscription/test-ns/one already: metadata.name\nsubscription/test-ns/one is in m.yaml:8; give one of them another name"},
		{"channel_kinds", []string{channelText("KafkaChannel", "c", "{}"), channelText("InMemoryChannel", "c", "{}")},
			"topic \"knative-messaging-kafka.test-ns.c\" is that of inmemorychannel/test-ns/c already: metadata.name\ninmemorychannel/test-ns/c is in m.yaml:8; give one of them another name"},
		{"sinks", []string{sink("a", "t", made), sink("b", "t", made)},
			"topic \"t\" is that of kafkasink/test-ns/a already: metadata.name\nkafkasink/test-ns/a is in m.yaml:1; give one of them another name"},
		{"sinks_of_a_given_topic", []string{sink("a", "t", ""), sink("b", "t", ", contentMode: structured")}, ""},
		{"sinks_of_two_clusters", []string{sink("a", "t", made), strings.Replace(sink("b", "t", made), "k:1", "l:1", 1)}, ""},
		{"external", []string{brokerText("a", "{}", external, "t"), brokerText("b", "{}", external, "t"), brokerText("c", "{}", external, "knative-broker-test-ns-d"), brokerText("d", "{}")}, ""},
		{"channel_and_backing", []string{channelText("KafkaChannel", "c", "{}"), channelText("Channel", "c", "{}")}, ""},
		{"dead_letter_topic", []string{brokerText("b", "{}"), triggerText("t", goodTrigger+"}"), sink("a", "knative-trigger-test-ns-t.dead-letter", made)}, ""},
		{"dead_letter_topic_same_cluster", []string{brokerText("b", "{}"), triggerText("t", goodTrigger+"}"),
			strings.Replace(sink("a", "knative-trigger-test-ns-t.dead-letter", made), "k:1", "env:1", 1)},
			"the dead letter topic \"knative-trigger-test-ns-t.dead-letter\" is the topic of kafkasink/test-ns/a: metadata.name\nkafkasink/test-ns/a is in m.yaml:15"},
		{"dead_letter_topic_too_long", []string{brokerText("b", "{}"), triggerText(strings.Repeat("t", 225), goodTrigger+"}")},
			"no usable name for the dead letter topic: \"knative-trigger-test-ns-" + strings.Repeat("t", 225) + ".dead-letter\": metadata.name\n" +
				"it has 261 characters, Kafka allows 249; it is made by DEAD_LETTER_TOPIC_TEMPLATE"},
		{"dead_letter_topic_not_needed", []string{brokerText("b", "{}", "kurier.dev/dead-letter", "drop"), triggerText(strings.Repeat("t", 225), goodTrigger+"}")}, ""},
	} {
		t.Run("MF-8/"+row.id, func(t *testing.T) {
			o := options()
			o.Bootstrap = "env:1"
			plan := loadText(t, o, row.documents...)
			got := ""
			if len(plan.Errors) > 0 {
				got = plan.Errors[0].Text()
			}
			if got != row.want || len(plan.Errors) > 1 {
				t.Errorf("got:\n%s\nwant:\n%s", Problems(plan.Errors), row.want)
			}
		})
	}
}

// TestPolicies is 4.9, 4.10 and 6.3: annotations of a consumer, and of its
// parent where it has none.
func TestPolicies(t *testing.T) {
	const drop, onFailure, concurrency, initial = "kurier.dev/dead-letter", "kurier.dev/on-dead-letter-failure", "kurier.dev/concurrency", "kurier.dev/initial-offset"
	type result struct {
		drop, onFailureDrop bool
		order               string
		concurrency         int
		initial             OffsetKind
	}
	for _, row := range []struct {
		id                    string
		parent, child         []string
		trigger, subscription result
	}{
		{"defaults", nil, nil, result{order: "unordered", concurrency: 100}, result{order: "ordered", concurrency: 100}},
		{"child", nil, []string{drop, "drop", onFailure, "drop", orderAnnotation, "Ordered-By-Key", concurrency, "7", initial, "earliest"},
			result{true, true, "ordered-by-key", 7, Earliest}, result{true, true, "ordered-by-key", 7, Earliest}},
		{"parent", []string{drop, "drop", onFailure, "drop", concurrency, "7", initial, "2026-01-31T12:00:00Z"}, nil,
			result{true, true, "unordered", 7, Timestamp}, result{true, true, "ordered", 7, Timestamp}},
		{"child_wins", []string{drop, "drop", onFailure, "drop", concurrency, "7", initial, "earliest"},
			[]string{drop, "topic", onFailure, "hold", concurrency, "8", initial, "latest"},
			result{order: "unordered", concurrency: 8}, result{order: "ordered", concurrency: 8}},
		{"order_of_the_parent", []string{orderAnnotation, "ordered-by-key"}, nil, result{order: "unordered", concurrency: 100}, result{order: "ordered-by-key", concurrency: 100}},
		{"order_of_the_child", []string{orderAnnotation, "ordered-by-key"}, []string{orderAnnotation, "unordered"},
			result{order: "unordered", concurrency: 100}, result{order: "unordered", concurrency: 100}},
	} {
		t.Run(row.id, func(t *testing.T) {
			plan := mustLoad(t, options(), brokerText("b", "{}", row.parent...), triggerText("t", goodTrigger+"}", row.child...),
				channelText("KafkaChannel", "c", "{}", row.parent...), subscriptionText("s", goodSubscription+"}", row.child...))
			for ref, want := range map[string]result{"trigger/test-ns/t": row.trigger, "subscription/test-ns/s": row.subscription} {
				c := findConsumer(t, plan, ref)
				got := result{c.DeadLetter.Drop, c.DeadLetter.OnFailureDrop, c.Order, c.Concurrency, c.InitialOffset.Kind}
				if got != want || (c.DeadLetter.Topic == "") != want.drop {
					t.Errorf("%s: got %+v, topic %q, want %+v", ref, got, c.DeadLetter.Topic, want)
				}
			}
		})
	}
	if plan := mustLoad(t, options(), brokerText("b", "{}", orderAnnotation, "ordered")); len(plan.Warnings) != 1 {
		t.Errorf("a Broker's order: %v", plan.Warnings)
	}
}
