package resources

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func sequenceText(name, spec string, annotations ...string) string {
	return manifestText("flows.knative.dev/v1", "Sequence", name, spec, annotations...)
}

func parallelText(name, spec string, annotations ...string) string {
	return manifestText("flows.knative.dev/v1", "Parallel", name, spec, annotations...)
}

const (
	memoryTemplate = `channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}`
	twoSteps       = `{steps: [{uri: "http://one.example.com"}, {uri: "http://two.example.com"}], ` + memoryTemplate + `}`
)

func TestFlowValidation(t *testing.T) {
	subscriber := `subscriber: {uri: "http://s.example.com"}`
	checkRows(t, []row{
		{id: "VA-29/sequence", text: sequenceText("s", twoSteps)},
		{id: "VA-29/parallel", text: parallelText("p", `{branches: [{`+subscriber+`}]}`)},
		{id: "VA-29/no steps", text: sequenceText("s", "{}"), want: []string{"missing field(s): spec.steps"}},
		{id: "VA-29/empty_steps", text: sequenceText("s", "{steps: []}"), want: []string{"missing field(s): spec.steps"}},
		{id: "VA-29/no branches", text: parallelText("p", "{}"), want: []string{"missing field(s): spec.branches"}},
		{id: "VA-29/template without kind", text: sequenceText("s", `{steps: [{uri: "http://s.example.com"}], channelTemplate: {apiVersion: messaging.knative.dev/v1}}`),
			want: []string{"missing field(s): spec.channelTemplate.kind"}},
		{id: "VA-29/template_without_anything", text: parallelText("p", `{branches: [{`+subscriber+`}], channelTemplate: {}}`),
			want: []string{"missing field(s): spec.channelTemplate.apiVersion, spec.channelTemplate.kind"}},
		{id: "VA-29/template_of_another_kind", text: sequenceText("s", `{steps: [{uri: "http://s.example.com"}], channelTemplate: {apiVersion: x/v1, kind: NatssChannel}}`),
			want: []string{"invalid value: NatssChannel: spec.channelTemplate.kind\nexpected KafkaChannel or InMemoryChannel"}},
		{id: "VA-29/template_spec", text: sequenceText("s", `{steps: [{uri: "http://s.example.com"}], channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: {numPartitions: 0}}}`),
			want: []string{"invalid value: 0: spec.channelTemplate.spec.numPartitions"}},
		{id: "VA-29/empty_step", text: sequenceText("s", `{steps: [{uri: "http://s.example.com"}, {}]}`),
			want: []string{"expected at least one, got none: spec.steps[1].ref, spec.steps[1].uri"}},
		{id: "VA-29/step_delivery", text: sequenceText("s", `{steps: [{uri: "http://s.example.com", delivery: {retry: -1}}]}`),
			want: []string{"invalid value: -1: spec.steps[0].delivery.retry"}},
		{id: "VA-29/branch_without_subscriber", text: parallelText("p", `{branches: [{filter: {uri: "http://f.example.com"}}]}`),
			want: []string{"expected at least one, got none: spec.branches[0].subscriber.ref, spec.branches[0].subscriber.uri"}},
		{id: "VA-29/branch_parts", text: parallelText("p", `{branches: [{`+subscriber+`, filter: {uri: /f}, reply: {uri: /r}, delivery: {format: xml}}], reply: {}}`),
			want: []string{
				"expected at least one, got none: spec.reply.ref, spec.reply.uri",
				"invalid value: Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent: spec.branches[0].filter.uri, spec.branches[0].reply.uri",
				"invalid value: xml: spec.branches[0].delivery.format",
			}},
		{id: "VA-26/step", text: sequenceText("s", `{steps: [{uri: "http://s.example.com", retry: 3}]}`),
			want: []string{"unknown field: spec.steps[0].retry"}},
		{id: "VA-28/flow", text: sequenceText("s", twoSteps, "kurier.dev/dead-letter", "x"),
			want: []string{"invalid value: x: metadata.annotations[kurier.dev/dead-letter]\nexpected topic or drop"}},
	})
}

// chain prints who reads what and sends it where.
func chain(p *Plan) string {
	var lines []string
	for _, c := range p.Consumers {
		text := fmt.Sprintf("%s: %s -> %s", c.Name, strings.TrimPrefix(c.Topic, "knative-messaging-kafka.test-ns."), strings.TrimPrefix(c.Subscriber.URL, "http://ingress:8080"))
		if c.Reply.Kind != ReplyNone {
			text += " -> " + strings.TrimPrefix(c.Reply.Destination.URL, "http://ingress:8080")
		}
		lines = append(lines, fmt.Sprintf("%s, retry %d", text, c.Delivery.Retry))
	}
	return strings.Join(lines, "\n")
}

func TestSequencePlan(t *testing.T) {
	o := options()
	plan := mustLoad(t, o, sequenceText("s", `{steps: [{uri: "http://one.example.com", delivery: {retry: 3}}, {uri: "http://two.example.com"}, {uri: "http://three.example.com"}],
  reply: {uri: "http://end.example.com"}, channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: {numPartitions: 3}}}`, "kurier.dev/concurrency", "7"))
	want := `s-kn-sequence-0: s-kn-sequence-0 -> http://one.example.com -> /channels/test-ns/s-kn-sequence-1, retry 3
s-kn-sequence-1: s-kn-sequence-1 -> http://two.example.com -> /channels/test-ns/s-kn-sequence-2, retry 10
s-kn-sequence-2: s-kn-sequence-2 -> http://three.example.com -> http://end.example.com, retry 10`
	if got := chain(plan); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, c := range plan.Consumers {
		if c.Group != "kafka.test-ns."+c.Name+"."+c.Name || c.Concurrency != 7 || c.Order != ordered || len(c.Blocked) > 0 {
			t.Errorf("%+v", c)
		}
	}
	for _, topic := range plan.Topics {
		if topic.Partitions != 3 || !topic.Create {
			t.Errorf("%+v", topic)
		}
	}
	s := find(t, plan, "sequence/test-ns/s")
	if s.Address != "http://ingress:8080/channels/test-ns/s-kn-sequence-0" || condition(s, "Addressable") != "True" {
		t.Errorf("%+v", s)
	}
	if len(plan.Topics) != 3 || len(plan.Targets) != 3 || len(plan.Flows) != 1 || len(plan.Flows[0].Channels) != 3 || len(plan.Flows[0].Subscriptions) != 3 {
		t.Errorf("%+v", plan.Flows)
	}
	step := find(t, plan, "subscription/test-ns/s-kn-sequence-0")
	if step.Owner != s.Ref || fmt.Sprint(step.Spec["delivery"]) != "map[retry:3]" {
		t.Errorf("%+v", step)
	}
	if channel := find(t, plan, "kafkachannel/test-ns/s-kn-sequence-0"); channel.Spec["numPartitions"] != int64(3) {
		t.Errorf("%+v", channel.Spec)
	}
}

func TestParallelPlan(t *testing.T) {
	plan := mustLoad(t, options(), parallelText("p", `{branches: [
  {filter: {uri: "http://f0.example.com"}, subscriber: {uri: "http://s0.example.com"}, delivery: {retry: 4}},
  {subscriber: {uri: "http://s1.example.com"}, reply: {uri: "http://r1.example.com"}}], reply: {uri: "http://end.example.com"}, `+memoryTemplate+`}`))
	want := `p-kn-parallel-0: p-kn-parallel-0 -> http://s0.example.com -> http://end.example.com, retry 4
p-kn-parallel-1: p-kn-parallel-1 -> http://s1.example.com -> http://r1.example.com, retry 10
p-kn-parallel-filter-0: p-kn-parallel -> http://f0.example.com -> /channels/test-ns/p-kn-parallel-0, retry 10
p-kn-parallel-filter-1: p-kn-parallel -> /channels/test-ns/p-kn-parallel-1, retry 10`
	if got := chain(plan); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if p := find(t, plan, "parallel/test-ns/p"); p.Address != "http://ingress:8080/channels/test-ns/p-kn-parallel" {
		t.Errorf("%+v", p)
	}
	f := plan.Flows[0]
	if len(f.Channels) != 3 || f.Channels[0].Name != "p-kn-parallel" || len(f.Filters) != 2 || len(f.Subscriptions) != 2 {
		t.Errorf("%+v", f)
	}
}

// TestFlowAddress: whoever names a flow reaches its first channel (6.8).
func TestFlowAddress(t *testing.T) {
	plan := mustLoad(t, options(),
		sequenceText("s", `{steps: [{ref: {apiVersion: flows.knative.dev/v1, kind: Parallel, name: p}}]}`),
		parallelText("p", `{branches: [{subscriber: {uri: "http://s.example.com"}}]}`),
		pingText("ping", `{sink: {ref: {apiVersion: flows.knative.dev/v1, kind: Sequence, name: s}}}`))
	if got := plan.Pings[0].Sink.URL; got != "http://ingress:8080/channels/test-ns/s-kn-sequence-0" {
		t.Error(got)
	}
	if got := findConsumer(t, plan, "subscription/test-ns/s-kn-sequence-0").Subscriber.URL; got != "http://ingress:8080/channels/test-ns/p-kn-parallel" {
		t.Error(got)
	}
}

func TestFlowReferencesLeadNowhere(t *testing.T) {
	plan := mustLoad(t, options(), sequenceText("s", `{steps: [{uri: "http://s.example.com"},
  {ref: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, name: none}}]}`),
		pingText("ping", `{sink: {ref: {apiVersion: flows.knative.dev/v1, kind: Sequence, name: none}}}`))
	if got := texts(plan.Warnings); !slices.Equal(got, []string{
		"reference leads nowhere: spec.sink.ref\nSequence \"none\" in namespace \"test-ns\" does not exist",
		"reference leads nowhere: spec.steps[1].ref\nKafkaChannel \"none\" in namespace \"test-ns\" does not exist",
	}) {
		t.Errorf("%q", got)
	}
	for _, w := range plan.Warnings {
		if w.Ref.Kind == "Subscription" {
			t.Errorf("a warning about what no file holds: %+v", w)
		}
	}
	if c := findConsumer(t, plan, "subscription/test-ns/s-kn-sequence-1"); len(c.Blocked) == 0 {
		t.Errorf("%+v", c)
	}
	o := options()
	o.IngressURL = ""
	plan = mustLoad(t, o, sequenceText("s", twoSteps))
	if got := condition(find(t, plan, "sequence/test-ns/s"), "Addressable"); !strings.HasPrefix(got, "False IngressURLNotSet") {
		t.Error(got)
	}
}

func TestFlowTemplateDefault(t *testing.T) {
	text := sequenceText("s", `{steps: [{uri: "http://s.example.com"}]}`)
	plan := mustLoad(t, options(), text)
	if o := find(t, plan, "sequence/test-ns/s"); fmt.Sprint(o.Spec["channelTemplate"]) != "map[apiVersion:messaging.knative.dev/v1 kind:KafkaChannel]" {
		t.Errorf("%v", o.Spec)
	}
	defaults := configMapText("default-ch-webhook", "default-ch-config",
		"clusterDefault: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, spec: {numPartitions: 5}}\n"+
			"namespaceDefaults: {other: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}}")
	if plan = mustLoad(t, options(), text, defaults); plan.Topics[0].Partitions != 5 {
		t.Errorf("%+v", plan.Topics)
	}
	plan = mustLoad(t, options(), sequenceText("s", `{steps: [{uri: "http://s.example.com"}], channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel,
  spec: {delivery: {retry: 2, deadLetterSink: {uri: "http://dead.example.com"}}}}}`))
	if c := plan.Consumers[0]; c.Delivery.Retry != 2 || c.Delivery.DeadLetterSink == nil {
		t.Errorf("%+v", c.Delivery)
	}
}

func TestFlowReload(t *testing.T) {
	two := mustLoad(t, options(), sequenceText("s", twoSteps))
	three := reloadText(t, two, options(), sequenceText("s", strings.Replace(twoSteps, "}, {", `}, {uri: "http://new.example.com"}, {`, 1)))
	if got := chain(three); len(three.Errors) > 0 || !strings.Contains(got, "s-kn-sequence-1: s-kn-sequence-1 -> http://new.example.com -> /channels/test-ns/s-kn-sequence-2") {
		t.Errorf("%v\n%s", three.Errors, got)
	}
	if o := find(t, three, "subscription/test-ns/s-kn-sequence-0"); o.Generation != 2 {
		t.Errorf("generation %d", o.Generation)
	}
	if again := reloadText(t, three, options(), sequenceText("s", twoSteps)); len(again.Consumers) != 2 || len(again.Topics) != 2 {
		t.Errorf("%+v", again.Topics)
	}
	refused := reloadText(t, two, options(), sequenceText("s", strings.Replace(twoSteps, "InMemoryChannel", "KafkaChannel", 1)))
	want := "Immutable fields changed (-old +new): spec\nspec.channelTemplate.kind:\n\t-: \"InMemoryChannel\"\n\t+: \"KafkaChannel\""
	if got := texts(refused.Errors); !slices.Equal(got, []string{want}) || len(refused.Consumers) != 2 {
		t.Errorf("%q", got)
	}
	if o := find(t, refused, "inmemorychannel/test-ns/s-kn-sequence-0"); o.Owner.Name != "s" {
		t.Errorf("%+v", o)
	}
}

// TestFlowExported: what a cluster made of a flow is in an exported folder too;
// it gives the uids, and by them the consumer groups.
func TestFlowExported(t *testing.T) {
	exported := func(kind, spec, owner string) string {
		return strings.Replace(channelText(kind, "s-kn-sequence-0", spec), "metadata:\n",
			"metadata:\n  uid: 4711\n  ownerReferences: [{apiVersion: flows.knative.dev/v1, kind: Sequence, name: "+owner+"}]\n", 1)
	}
	subscription := strings.Replace(goodSubscription, "name: c}", "name: s-kn-sequence-0}", 1) + "}"
	text := []string{sequenceText("s", twoSteps), strings.ReplaceAll(exported("InMemoryChannel", "{}", "s"), "4711", "\"4711\""), strings.ReplaceAll(exported("Subscription", subscription, "s"), "4711", "\"4712\"")}
	plan := mustLoad(t, options(), text...)
	c := findConsumer(t, plan, "subscription/test-ns/s-kn-sequence-0")
	if c.Group != "kafka.test-ns.s-kn-sequence-0.4712" || c.Subscriber.URL != "http://one.example.com" || len(plan.Consumers) != 2 || len(plan.Targets) != 2 {
		t.Errorf("%+v", c)
	}
	if o := find(t, plan, "inmemorychannel/test-ns/s-kn-sequence-0"); o.UID != "4711" {
		t.Errorf("%+v", o)
	}
}

// TestFlowNameTaken: of an object in a file and one that a flow makes, the one
// that was there first stays.
func TestFlowNameTaken(t *testing.T) {
	flow, channel := sequenceText("s", twoSteps), channelText("InMemoryChannel", "s-kn-sequence-1", "{}")
	plan := loadText(t, options(), flow, channel)
	if got := texts(plan.Errors); len(got) != 1 || !strings.HasPrefix(got[0], "the object inmemorychannel/test-ns/s-kn-sequence-1 is there already: metadata.name") {
		t.Errorf("%q", got)
	}
	first := mustLoad(t, options(), channel)
	plan = reloadText(t, first, options(), flow, channel)
	if len(plan.Errors) != 1 || plan.Errors[0].Ref.Kind != "Sequence" || len(plan.Flows) != 0 || len(plan.Targets) != 1 {
		t.Errorf("%+v %+v", plan.Errors, plan.Targets)
	}
	plan = reloadText(t, mustLoad(t, options(), flow), options(), flow, channel)
	if len(plan.Errors) != 1 || plan.Errors[0].Ref.Kind != "InMemoryChannel" || len(plan.Flows) != 1 || len(plan.Targets) != 2 {
		t.Errorf("%+v %+v", plan.Errors, plan.Targets)
	}
	one := sequenceText("s", `{steps: [{uri: "http://one.example.com"}], `+memoryTemplate+`}`)
	plan = reloadText(t, mustLoad(t, options(), one, channel), options(), flow, channel)
	if len(plan.Errors) != 1 || plan.Errors[0].Ref.Kind != "Sequence" || len(plan.Consumers) != 1 || len(plan.Targets) != 2 {
		t.Errorf("%+v %+v", plan.Errors, plan.Targets)
	}
}

// TestMadeObjectsInError: a name that cannot be is the fault of the object that
// stands in a file, whatever it was made for, and the rest goes on.
func TestMadeObjectsInError(t *testing.T) {
	long := strings.Repeat("x", 230)
	plan := loadText(t, options(), sequenceText(long, twoSteps), channelText("KafkaChannel", "c", "{}"))
	if len(plan.Errors) == 0 || plan.Errors[0].Ref.Name != long || plan.Errors[0].Line != 1 || len(plan.Targets) != 1 {
		t.Errorf("%+v", plan.Errors)
	}
	// The injected Broker a-b/default wants the topic of a/b-default.
	taken := "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b-default, namespace: test}\nspec: {}\n"
	inject := triggerText("t", strings.Replace(goodTrigger, "broker: b", "broker: default", 1)+"}", annotationInjection, "enabled")
	inject = strings.Replace(inject, "namespace: test-ns", "namespace: test-b", 1)
	plan = loadText(t, options(), taken, inject)
	if len(plan.Errors) != 1 || plan.Errors[0].Ref.Kind != "Trigger" || len(plan.Targets) != 1 {
		t.Errorf("%+v", plan.Errors)
	}
}
