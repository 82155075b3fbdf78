package resources

import (
	"reflect"
	"testing"
)

func TestKafkaSinkValidation(t *testing.T) {
	good := func(more string) string { return sinkText("k", "{topic: t, bootstrapServers: ['a:1']"+more+"}") }
	checkRows(t, []row{
		{id: "VA-23/servers", text: sinkText("k", "{topic: t}"), want: []string{"invalid value: []: spec.bootstrapServers"}},
		{id: "VA-23/servers_empty", text: sinkText("k", "{topic: t, bootstrapServers: []}"), want: []string{"invalid value: []: spec.bootstrapServers"}},
		{id: "VA-23/server_bad", text: sinkText("k", "{topic: t, bootstrapServers: ['a:1', b]}"), want: []string{"invalid value: b: spec.bootstrapServers[1]\nexpected host:port"}},
		{id: "VA-23/topic", text: sinkText("k", "{bootstrapServers: ['a:1']}"), want: []string{"invalid value: : spec.topic"}},
		{id: "VA-23/topic_bad", text: sinkText("k", "{topic: a/b, bootstrapServers: ['a:1']}"), want: []string{"invalid value: a/b: spec.topic\n" + topicRule}},
		{id: "VA-23/contentMode", text: good(", contentMode: str"), want: []string{"invalid value: str: spec.contentMode"}},
		{id: "VA-23/numPartitions_0", text: good(", numPartitions: 0, replicationFactor: 1"), want: []string{"invalid value: 0: spec.numPartitions"}},
		{id: "VA-23/numPartitions_-10", text: good(", numPartitions: -10, replicationFactor: 1"), want: []string{"invalid value: -10: spec.numPartitions"}},
		{id: "VA-23/replicationFactor_0", text: good(", numPartitions: 1, replicationFactor: 0"), want: []string{"invalid value: 0: spec.replicationFactor"}},
		{id: "VA-23/replicationFactor_-10", text: good(", numPartitions: 1, replicationFactor: -10"), want: []string{"invalid value: -10: spec.replicationFactor"}},
		{id: "VA-23/auth", text: good(", auth: {secret: {ref: {}}}"), want: []string{"invalid value: : spec.auth.secret.ref.name"}},
		{id: "VA-23/auth_empty", text: good(", auth: {}"), want: []string{"invalid value: : spec.auth.secret.ref.name"}},
		{id: "VA-23/auth_not_yet", text: good(", auth: {secret: {ref: {name: s}}}"), want: []string{"must not set the field(s): spec.auth.secret.ref.name\n" + notYet}},
		{id: "VA-23/binary", text: good(", contentMode: binary")},
		{id: "VA-23/structured", text: good(", contentMode: structured")},
	})
}

func TestKafkaSinkImmutable(t *testing.T) {
	sink := func(spec string) string { return sinkText("k", "{bootstrapServers: ['a:1'], "+spec+"}") }
	for _, row := range []struct{ id, old, new, want string }{
		{"VA-23/topic", sink("topic: a"), sink("topic: b"), "Immutable field updated: spec.topic\nspec.topic:\n\t-: \"a\"\n\t+: \"b\""},
		{"VA-23/numPartitions", sink("topic: a, numPartitions: 1, replicationFactor: 1"), sink("topic: a, numPartitions: 2, replicationFactor: 1"),
			"Immutable field updated: spec.numPartitions\nspec.numPartitions:\n\t-: 1\n\t+: 2"},
		{"VA-23/replicationFactor", sink("topic: a, numPartitions: 1, replicationFactor: 1"), sink("topic: a, numPartitions: 1, replicationFactor: 2"),
			"Immutable field updated: spec.replicationFactor\nspec.replicationFactor:\n\t-: 1\n\t+: 2"},
		{"VA-23/contentMode", sink("topic: a"), sink("topic: a, contentMode: structured"), ""},
	} {
		t.Run(row.id, func(t *testing.T) { checkChange(t, row.old, row.new, row.want) })
	}
}

// TestKafkaSinkPlan is 6.6.
func TestKafkaSinkPlan(t *testing.T) {
	plan := mustLoad(t, options(), sinkText("given", "{topic: old, bootstrapServers: ['b:1', 'a:1'], contentMode: structured}"),
		sinkText("half", "{topic: half, bootstrapServers: ['a:1'], numPartitions: 3}"),
		sinkText("made", "{topic: new, bootstrapServers: ['a:1'], numPartitions: 3, replicationFactor: 2}"))
	want := []Topic{
		{Cluster: "a:1", Name: "half", Owner: Ref{"KafkaSink", "test-ns", "half"}},
		{Cluster: "a:1", Name: "new", Partitions: 3, Replication: 2, Create: true, Owner: Ref{"KafkaSink", "test-ns", "made"}},
		{Cluster: "a:1,b:1", Name: "old", Owner: Ref{"KafkaSink", "test-ns", "given"}},
	}
	if !reflect.DeepEqual(plan.Topics, want) {
		t.Errorf("topics: %+v", plan.Topics)
	}
	target := plan.Targets[0]
	if target.Path != "/sinks/test-ns/given" || !target.Structured || target.Broker || target.Hosts != nil || target.Cluster != "a:1,b:1" {
		t.Errorf("target: %+v", target)
	}
	o := find(t, plan, "kafkasink/test-ns/given")
	if condition(o, "Addressable") != "True" || condition(o, "ConfigParsed") != "True" || condition(o, "TopicReady") != "" || o.Address != "http://ingress:8080/sinks/test-ns/given" {
		t.Errorf("status: %+v", o)
	}
}
