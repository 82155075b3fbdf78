package resources

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

const subscribable = "spec.subscribable.subscriber"

func TestChannelValidation(t *testing.T) {
	channel := func(template string) string { return channelText("Channel", "c", "{channelTemplate: "+template+"}") }
	const noURI = "missing field(s): %s\nexpected at least one of, got none"
	rows := []row{
		{id: "VA-20/no_template", text: channelText("Channel", "c", "{}")},
		{id: "VA-20/no_kind", text: channel("{apiVersion: messaging.knative.dev/v1}"), want: []string{"missing field(s): spec.channelTemplate.kind"}},
		{id: "VA-20/no_apiVersion", text: channel("{kind: KafkaChannel}"), want: []string{"missing field(s): spec.channelTemplate.apiVersion"}},
		{id: "VA-20/empty", text: channel("{}"), want: []string{"missing field(s): spec.channelTemplate.apiVersion, spec.channelTemplate.kind"}},
		{id: "VA-20/other_kind", text: channel("{apiVersion: messaging.knative.dev/v1beta1, kind: NatssChannel}"),
			want: []string{"invalid value: NatssChannel: spec.channelTemplate.kind\nexpected KafkaChannel or InMemoryChannel"}},
		{id: "VA-20/subscribers", text: channelText("Channel", "c", "{subscribers: [{subscriberUri: 'http://a'}]}"),
			want: []string{"must not set the field(s): spec.subscribable.subscribers"}},
		{id: "VA-20/template_spec", text: channel("{apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, spec: {numPartitions: 0, partitions: 3}}"),
			want: []string{"invalid value: 0: spec.channelTemplate.spec.numPartitions", "unknown field: spec.channelTemplate.spec.partitions\ndid you mean spec.channelTemplate.spec.numPartitions?"}},
		{id: "VA-20/good", text: channel("{apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}")},
		{id: "VA-20/minimal", text: "apiVersion: messaging.knative.dev/v1\nkind: Channel\nmetadata: {name: c}"},
		{id: "VA-21/numPartitions", text: channelText("KafkaChannel", "c", "{numPartitions: 0}"), want: []string{"invalid value: 0: spec.numPartitions"}},
		{id: "VA-21/replicationFactor", text: channelText("KafkaChannel", "c", "{replicationFactor: 0}"), want: []string{"invalid value: 0: spec.replicationFactor"}},
		{id: "VA-21/retention_negative", text: channelText("KafkaChannel", "c", "{retentionDuration: -PT1S}"), want: []string{"invalid value: -PT1S: spec.retentionDuration"}},
		{id: "VA-21/retention_bad", text: channelText("KafkaChannel", "c", "{retentionDuration: x}"), want: []string{"invalid value: x: spec.retentionDuration"}},
		{id: "VA-21/v1beta1", text: manifestText("messaging.knative.dev/v1beta1", "KafkaChannel", "c", "{numPartitions: 3, replicationFactor: 2, retentionDuration: PT1H}")},
	}
	for _, kind := range []string{"Channel", "KafkaChannel", "InMemoryChannel"} {
		rows = append(rows, row{id: "VA-21/scope/" + kind, text: channelText(kind, "c", "{}", "eventing.knative.dev/scope", "notvalid"),
			want: []string{"invalid value: notvalid: metadata.annotations.[eventing.knative.dev/scope]\nexpected either 'cluster' or 'namespace'"}},
			row{id: "VA-21/good_annotations/" + kind, text: channelText(kind, "c", "{}", "eventing.knative.dev/scope", "cluster",
				"messaging.knative.dev/async-handler", "true", "messaging.knative.dev/subscribable", "v1")},
			row{id: "VA-19/" + kind, text: channelText(kind, "c", "{}", orderAnnotation, "x"),
				want: []string{`invalid annotation kafka.eventing.knative.dev/delivery.order value: x. Allowed values [ "ordered" | "unordered" | "ordered-by-key" ]`}})
		if kind == "Channel" {
			continue
		}
		rows = append(rows,
			row{id: "VA-21/subscriber_1/" + kind, text: channelText(kind, "c", "{subscribers: [{replyUri: 'http://a'}, {uid: x}]}"),
				want: []string{fmt.Sprintf(noURI, subscribable+"[1].replyURI, "+subscribable+"[1].subscriberURI")}},
			row{id: "VA-21/subscriber_0_and_1/" + kind, text: channelText(kind, "c", "{subscribers: [{}, {uid: x}]}"),
				want: []string{fmt.Sprintf(noURI, subscribable+"[0].replyURI, "+subscribable+"[0].subscriberURI, "+subscribable+"[1].replyURI, "+subscribable+"[1].subscriberURI")}})
	}
	checkRows(t, rows)
	plan := mustLoad(t, options(), channelText("KafkaChannel", "c", "{subscribers: [{subscriberUri: 'http://a'}]}"))
	if len(plan.Warnings) != 1 || plan.Warnings[0].Paths[0] != "spec.subscribers" || len(plan.Consumers) != 0 {
		t.Errorf("subscribers: %v", plan.Warnings)
	}
}

func TestChannelImmutable(t *testing.T) {
	template := func(kind, more string) string {
		return channelText("Channel", "c", "{channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: "+kind+more+"}}")
	}
	kafka := func(spec string) string { return channelText("KafkaChannel", "c", spec) }
	const changed = "Immutable fields changed (-old +new): spec\n"
	for _, row := range []struct{ id, old, new, want string }{
		{"VA-20/kind", template("InMemoryChannel", ""), template("KafkaChannel", ""), changed + "spec.channelTemplate.kind:\n\t-: \"InMemoryChannel\"\n\t+: \"KafkaChannel\""},
		{"VA-20/spec", template("KafkaChannel", ", spec: {numPartitions: 1}"), template("KafkaChannel", ", spec: {numPartitions: 2}"),
			changed + "spec.channelTemplate.spec.numPartitions:\n\t-: 1\n\t+: 2"},
		{"VA-20/delivery", template("KafkaChannel", ""), channelText("Channel", "c", "{delivery: {retry: 1}, channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel}}"), ""},
		{"VA-20/default_spelled_out", channelText("Channel", "c", "{}"), template("KafkaChannel", ""), ""},
		{"KafkaChannel/numPartitions", kafka("{numPartitions: 1}"), kafka("{numPartitions: 2}"), changed + "spec.numPartitions:\n\t-: 1\n\t+: 2"},
		{"KafkaChannel/replicationFactor", kafka("{replicationFactor: 1}"), kafka("{}"), changed + "spec.replicationFactor:\n\t-: 1\n\t+: (absent)"},
		{"KafkaChannel/retentionDuration", kafka("{retentionDuration: PT1H}"), kafka("{retentionDuration: PT2H}"),
			changed + "spec.retentionDuration:\n\t-: \"PT1H\"\n\t+: \"PT2H\""},
		{"KafkaChannel/empty_may_be_set", kafka("{}"), kafka("{numPartitions: 3, replicationFactor: 3, retentionDuration: PT1H}"), ""},
		{"KafkaChannel/delivery", kafka("{}"), kafka("{delivery: {retry: 1}}"), ""},
	} {
		t.Run(row.id, func(t *testing.T) { checkChange(t, row.old, row.new, row.want) })
	}
}

// TestChannelTopics is 6.5: how the topic of each channel kind is made.
func TestChannelTopics(t *testing.T) {
	const name = "knative-messaging-kafka.test-ns.c"
	topic := func(kind, cluster string, partitions int32, replication int16, retention time.Duration) Topic {
		return Topic{Cluster: cluster, Name: name, Partitions: partitions, Replication: replication, Create: true, Owner: Ref{kind, "test-ns", "c"},
			Config: map[string]string{"retention.ms": fmt.Sprint(retention.Milliseconds())}}
	}
	const week = 168 * time.Hour
	template := func(spec string) string {
		return channelText("Channel", "c", "{channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: "+spec+"}}")
	}
	webhook := configMapText("default-ch-webhook", "default-ch-config", "clusterDefault: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: {numPartitions: 6}}\n"+
		"namespaceDefaults:\n  other: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}\n")
	for _, row := range []struct {
		id        string
		documents []string
		want      Topic
	}{
		{"kafka_defaults", []string{channelText("KafkaChannel", "c", "{}")}, topic("KafkaChannel", "", 1, 1, week)},
		{"kafka", []string{channelText("KafkaChannel", "c", "{numPartitions: 3, replicationFactor: 2, retentionDuration: PT1H}")}, topic("KafkaChannel", "", 3, 2, time.Hour)},
		{"in_memory", []string{channelText("InMemoryChannel", "c", "{}")}, topic("InMemoryChannel", "", 1, 1, week)},
		{"generic", []string{channelText("Channel", "c", "{}")}, topic("Channel", "", 1, 1, week)},
		{"generic_template", []string{template("{numPartitions: 3}")}, topic("Channel", "", 3, 1, week)},
		{"generic_webhook", []string{channelText("Channel", "c", "{}"), webhook}, topic("Channel", "", 6, 1, week)},
		{"generic_webhook_overruled", []string{template("{numPartitions: 2}"), webhook}, topic("Channel", "", 2, 1, week)},
		{"generic_and_backing", []string{template("{}"), channelText("KafkaChannel", "c", "{numPartitions: 9}")}, topic("Channel", "", 9, 1, week)},
		{"other_servers", []string{channelText("KafkaChannel", "c", "{}"), configMapText("kafka-channel-config", "bootstrap.servers", "k:1")}, topic("KafkaChannel", "k:1", 1, 1, week)},
	} {
		t.Run(row.id, func(t *testing.T) {
			plan := mustLoad(t, options(), row.documents...)
			if len(plan.Topics) != 1 || !reflect.DeepEqual(plan.Topics[0], row.want) {
				t.Errorf("got %+v\nwant %+v", plan.Topics, row.want)
			}
			want := []string{"c-kn-channel.test-ns.svc", "c-kn-channel.test-ns.svc.cluster.local"}
			if len(plan.Targets) != 1 || plan.Targets[0].Path != "/channels/test-ns/c" || !reflect.DeepEqual(plan.Targets[0].Hosts, want) || plan.Targets[0].Broker {
				t.Errorf("targets: %+v", plan.Targets)
			}
		})
	}
	shown := find(t, mustLoad(t, options(), channelText("Channel", "c", "{}"), webhook), "channel/test-ns/c")
	if got := fmt.Sprint(shown.Spec["channelTemplate"]); got != "map[apiVersion:messaging.knative.dev/v1 kind:KafkaChannel]" {
		t.Errorf("template: %s", got)
	}
	if shown.StatusAnnotations["messaging.knative.dev/subscribable"] != "v1" {
		t.Errorf("annotations: %v", shown.StatusAnnotations)
	}
	for _, want := range []struct{ condition, text string }{{"Addressable", "True"}, {"ConfigurationReady", "True"}, {"TopicReady", ""},
		{"DeadLetterSinkResolved", "True DeadLetterSinkNotConfigured: No dead letter sink is configured."}} {
		if got := condition(shown, want.condition); got != want.text {
			t.Errorf("%s: %q", want.condition, got)
		}
	}
}
