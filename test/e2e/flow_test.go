package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

var flowScenarios = []scenario{
	{"CT-S1 sequence", sequenceInOrder},
	{"CT-S1 sequence that stops", sequenceStops},
	{"CT-S1 sequence in Knative's status", sequenceStatus},
	{"CT-S1 sequence that changes", sequenceChanges},
	{"CT-PA1 parallel with one branch blocked", parallelOneBranch},
	{"CT-PA2 parallel with both branches", parallelBothBranches},
	{"CT-PA2 parallel without filters", parallelWithoutFilters},
}

func TestFlows(t *testing.T) { runFlows(t, harness.NewDev(t, nil)) }

func TestFlowsRealKafka(t *testing.T) {
	runFlows(t, harness.NewRun(t, kafkatest.Shared(t).Bootstrap(), nil))
}

func runFlows(t *testing.T, s *harness.System) {
	s.StartReady(t)
	t.Run("flows", func(t *testing.T) {
		for _, scenario := range flowScenarios {
			t.Run(scenario.name, func(t *testing.T) {
				t.Parallel()
				scenario.run(t, s)
			})
		}
	})
	s.Command.Stop(t)
}

// appends answers each event with one whose data has a text added.
func appends(text string) harness.Behaviour {
	return func(r *harness.Request) harness.Answer {
		return harness.Reply(nil, append(slices.Clip(r.Body), text...))(r)
	}
}

const memoryChannels = "channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}"

func (w *world) flow(kind, name, spec string) {
	w.add("flows.knative.dev/v1", kind, name, "{"+spec+", "+memoryChannels+"}", "")
}

// toSequence sends events to the address that a Sequence shows.
func (w *world) toFlow(kind, name string, events ...harness.Event) {
	w.t.Helper()
	o, err := w.s.Status(w.ref(kind, name))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		w.s.Send(w.t, o.Status.Address.URL, e)
	}
}

func uris(subscribers ...*harness.Subscriber) string {
	var all []string
	for _, s := range subscribers {
		all = append(all, fmt.Sprintf("{uri: %q}", s.URL))
	}
	return strings.Join(all, ", ")
}

// sequenceInOrder: a PingSource feeds a Sequence of three steps; each adds to the data.
func sequenceInOrder(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	var steps []*harness.Subscriber
	for i := range 3 {
		steps = append(steps, harness.NewSubscriber(t, appends(fmt.Sprintf("-step%d", i+1))))
	}
	sink := harness.NewSubscriber(t, nil)
	w.flow("Sequence", "s", fmt.Sprintf("steps: [%s], reply: {uri: %q}", uris(steps...), sink.URL))
	w.add("sources.knative.dev/v1", "PingSource", "p", `{schedule: "* * * * * *", contentType: text/plain, data: "TestSequence x",
  sink: {ref: {apiVersion: flows.knative.dev/v1, kind: Sequence, name: s}}}`, "")
	w.apply()
	first := sink.AwaitReceived(t, 1)[0]
	if got := string(first.Body); got != "TestSequence x-step1-step2-step3" || first.Attribute("datacontenttype") != "text/plain" {
		t.Errorf("the reply sink got %q as %s", got, first.Attribute("datacontenttype"))
	}
	w.docs = w.docs[:1] // no more pings
	w.write()
}

// sequenceStops: a step that answers no event ends the flow.
func sequenceStops(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	silent, after, sink := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.flow("Sequence", "s", fmt.Sprintf("steps: [%s], reply: {uri: %q}", uris(silent, after), sink.URL))
	w.apply()
	w.toFlow("sequence", "s", harness.Event{ID: "1"})
	silent.AwaitReceived(t, 1)
	if in := w.tail(1, w.ref("sequence", "s")); len(in) != 1 || in[0]["id"] != "1" {
		t.Errorf("what came into the Sequence is %v", in)
	}
	w.settled(w.ref("subscription", "s-kn-sequence-0"), w.ref("subscription", "s-kn-sequence-1"))
	if n := len(after.Requests()) + len(sink.Requests()); n != 0 {
		t.Errorf("%d events went on", n)
	}
}

// sequenceStatus: the parts are listed, and say why the whole is not Ready.
func sequenceStatus(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	step := harness.NewSubscriber(t, nil)
	w.flow("Sequence", "s", fmt.Sprintf("steps: [%s, {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: later}}]", uris(step)))
	w.write()
	// At first the other step's group still joins, and is the part that is named.
	s.AwaitStatus(t, w.ref("sequence", "s"), "not ready because of its second step", func(o *harness.Object) bool {
		c := o.Condition("SubscriptionsReady")
		return c.Status == "False" && c.Reason == "SubscriptionsNotReady" && strings.Contains(c.Message, "s-kn-sequence-1 is not ready")
	})
	w.broker("later", 1, "")
	w.apply()
	code, body, err := s.Get(s.Admin + "/status/" + w.ref("sequence", "s"))
	var found struct {
		Status struct {
			ChannelStatuses []struct {
				Channel struct{ APIVersion, Kind, Name string }
				Ready   struct{ Type, Status, LastTransitionTime string }
			}
			SubscriptionStatuses []struct {
				Subscription struct{ APIVersion, Kind, Name string }
				Ready        struct{ Type, Status string }
			}
		}
	}
	if err != nil || code != 200 || json.Unmarshal([]byte(body), &found) != nil {
		t.Fatal(code, err, body)
	}
	got := found.Status
	if len(got.ChannelStatuses) != 2 || len(got.SubscriptionStatuses) != 2 {
		t.Fatalf("%s", body)
	}
	channel, subscription := got.ChannelStatuses[1], got.SubscriptionStatuses[1]
	if channel.Channel.Kind != "InMemoryChannel" || channel.Channel.Name != "s-kn-sequence-1" || channel.Ready.Status != "True" ||
		channel.Ready.Type != "Ready" || channel.Ready.LastTransitionTime == "" {
		t.Errorf("%+v", channel)
	}
	if subscription.Subscription.APIVersion != "messaging.knative.dev/v1" || subscription.Ready.Status != "True" {
		t.Errorf("%+v", subscription)
	}
}

// sequenceChanges: a step more and another reply are live without a restart.
func sequenceChanges(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	one, two := harness.NewSubscriber(t, appends("-1")), harness.NewSubscriber(t, appends("-2"))
	before, after := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.flow("Sequence", "s", fmt.Sprintf("steps: [%s], reply: {uri: %q}", uris(one), before.URL))
	w.apply()
	w.toFlow("sequence", "s", harness.Event{ID: "a", Data: []byte("x")})
	before.AwaitReceived(t, 1)
	w.edit(fmt.Sprintf("steps: [%s], reply: {uri: %q}", uris(one), before.URL),
		fmt.Sprintf("steps: [%s], reply: {uri: %q}", uris(one, two), after.URL))
	s.AwaitObjects(t, w.ref("subscription", "s-kn-sequence-1"))
	s.AwaitObjects(t, w.ref("sequence", "s"))
	w.toFlow("sequence", "s", harness.Event{ID: "b", Data: []byte("x")})
	if got := string(after.AwaitReceived(t, 1)[0].Body); got != "x-1-2" {
		t.Error(got)
	}
	if got := before.IDs(); len(got) != 1 {
		t.Errorf("the former reply got %v", got)
	}
}

func branch(filter, subscriber *harness.Subscriber) string {
	if filter == nil {
		return fmt.Sprintf("{subscriber: {uri: %q}}", subscriber.URL)
	}
	return fmt.Sprintf("{filter: {uri: %q}, subscriber: {uri: %q}}", filter.URL, subscriber.URL)
}

// parallelOneBranch: a filter that answers no event drops the event for its branch.
func parallelOneBranch(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	open, shut := harness.NewSubscriber(t, harness.Reply(nil, nil)), harness.NewSubscriber(t, nil)
	first, second := harness.NewSubscriber(t, appends("appended data")), harness.NewSubscriber(t, appends("never"))
	sink := harness.NewSubscriber(t, nil)
	w.flow("Parallel", "p", fmt.Sprintf("branches: [%s, %s], reply: {uri: %q}", branch(open, first), branch(shut, second), sink.URL))
	w.apply()
	w.toFlow("parallel", "p", harness.Event{ID: "1", Data: []byte("x ")})
	if got := string(sink.AwaitReceived(t, 1)[0].Body); got != "x appended data" {
		t.Errorf("the reply sink got %q", got)
	}
	for _, name := range []string{"p-kn-parallel-filter-0", "p-kn-parallel-filter-1", "p-kn-parallel-0", "p-kn-parallel-1"} {
		w.settled(w.ref("subscription", name))
	}
	if len(sink.Requests()) != 1 || len(shut.Requests()) != 1 || len(second.Requests()) != 0 {
		t.Errorf("sink %d, blocked filter %d, its subscriber %d", len(sink.Requests()), len(shut.Requests()), len(second.Requests()))
	}
}

// parallelBothBranches: each branch goes to the Parallel's reply.
func parallelBothBranches(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	filters := []*harness.Subscriber{harness.NewSubscriber(t, harness.Reply(nil, nil)), harness.NewSubscriber(t, harness.Reply(nil, nil))}
	subscribers := []*harness.Subscriber{harness.NewSubscriber(t, appends("first")), harness.NewSubscriber(t, appends("second"))}
	sink := harness.NewSubscriber(t, nil)
	w.flow("Parallel", "p", fmt.Sprintf("branches: [%s, %s], reply: {uri: %q}", branch(filters[0], subscribers[0]), branch(filters[1], subscribers[1]), sink.URL))
	w.apply()
	w.toFlow("parallel", "p", harness.Event{ID: "1", Data: []byte("x-")})
	bodies := bodiesOf(sink.AwaitReceived(t, 2))
	if !slices.Equal(bodies, []string{"x-first", "x-second"}) {
		t.Errorf("the reply sink got %q", bodies)
	}
	for i := range filters {
		if len(filters[i].Requests()) != 1 || len(subscribers[i].Requests()) != 1 {
			t.Errorf("branch %d: filter %d, subscriber %d", i, len(filters[i].Requests()), len(subscribers[i].Requests()))
		}
	}
}

func bodiesOf(requests []harness.Request) []string {
	var bodies []string
	for _, r := range requests {
		bodies = append(bodies, string(r.Body))
	}
	slices.Sort(bodies)
	return bodies
}

// parallelWithoutFilters: a branch without a filter gets every event.
func parallelWithoutFilters(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	one, two := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.flow("Parallel", "p", fmt.Sprintf("branches: [%s, %s]", branch(nil, one), branch(nil, two)))
	w.apply()
	w.toFlow("parallel", "p", harness.Event{ID: "1"}, harness.Event{ID: "2"})
	for _, sub := range []*harness.Subscriber{one, two} {
		sub.AwaitReceived(t, 2)
		if ids := slices.Sorted(slices.Values(sub.IDs())); !slices.Equal(ids, []string{"1", "2"}) {
			t.Errorf("a branch got %v", ids)
		}
	}
}
