package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// patient is a delivery whose failing events wait for the rest of the test.
const patient = "{retry: 10, backoffPolicy: linear, backoffDelay: PT10M, deadLetterSink: {uri: SINK}}"

// TestJW2HealthyEventsDoNotWait: 1,000 events of one partition wait for their backoff, in
// random positions among healthy ones, or 10,000 of ten partitions, unordered. A new,
// healthy event is delivered within a second. (1 %, which needs 100,000 events, is in
// consumer.TestTheWindow.)
func TestJW2HealthyEventsDoNotWait(t *testing.T) {
	for _, c := range []struct {
		name                       string
		partitions, waiting, share int // in percent
	}{
		{"10 % of one partition", 1, 1000, 10},
		{"50 % of one partition", 1, 1000, 50},
		{"all of one partition", 1, 1000, 100},
		{"10,000 of ten partitions", 10, 10_000, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t, c.partitions, 1, nil, wish{name: "jw-2", retry: 10, delivery: patient})
			sub, events := s.subs[0], c.waiting*110/c.share // a tenth more: the share is a matter of luck
			sub.Decide(func(_ *http.Request, q *Request) int {
				if q.Event < events && int(sub.dice(q.Event)%100) < c.share {
					return http.StatusServiceUnavailable
				}
				return http.StatusAccepted
			})
			s.many(events, NoKey)
			failed := func(r *Request) bool { return r.Status == http.StatusServiceUnavailable }
			s.await("the failures", c.waiting, failed)
			s.await("everything to be tried", events, func(*Request) bool { return true })
			s.prompt(fmt.Sprintf("%d waiting", len(s.requests(failed))), NoKey)
		})
	}
}

// TestOneFailingKeyLeavesTheOthersAlone: by key, one key has 60 % of the traffic and
// fails. Long after its events would have filled the window of what a commit can list,
// those of other keys are delivered within a second, and a kill -9 repeats none of them
// but the last second's.
func TestOneFailingKeyLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	const bad, good, events = 1, 2, 15_000
	s := newSmall(t, 1, 1, nil, wish{name: "by-key", order: ByKey, retry: 10, delivery: patient})
	s.subs[0].Decide(func(_ *http.Request, q *Request) int {
		if s.keyOf(q.Event) == bad {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	})
	s.many(events, bad, good, bad, good, bad)
	s.await("the other key's events", events*2/5, accepted)
	s.prompt("one key that fails", good)
	if o, err := s.Dispatchers[0].Status("trigger/" + s.Namespace + "/by-key"); err != nil || o.Condition("WindowFull").Status == "True" {
		t.Errorf("%v: the window is full", err)
	}
	Pass(t.Context(), 2*time.Second) // a commit
	before := len(s.requests(accepted))
	s.Dispatchers[0].Command.Kill()
	s.Dispatchers[0].Up()
	s.Dispatchers[0].AwaitReady(t)
	s.prompt("one key that fails, after a kill", good)
	if repeats := len(s.requests(accepted)) - before - healthyEach; repeats > 0 {
		t.Errorf("%d settled events of the other key were repeated, want none", repeats)
	}
}

// TestAFullWindowSaysSo: all events fail and the dead letter sink is down. Reading
// pauses, the status says why and what to do, nothing is lost, and when the sink is back
// everything is settled.
func TestAFullWindowSaysSo(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 1, 1, nil, wish{name: "t",
		delivery: "{retry: 0, backoffMax: PT2S, deadLetterSink: {uri: SINK}}"})
	sub := s.subs[0]
	sub.FeelSink(Failing)
	sub.Decide(func(r *http.Request, q *Request) int {
		if !q.DeadLetter {
			return http.StatusBadRequest
		}
		return sub.answer(r, q)
	})
	const events = 8000
	s.many(events, NoKey)
	ref := "trigger/" + s.Namespace + "/t"
	s.Dispatchers[0].AwaitStatus(t, ref, "a full window", func(o *harness.Object) bool {
		c := o.Condition("WindowFull")
		return c.Status == "True" && strings.Contains(c.Message, "on-dead-letter-failure") &&
			o.Condition("DeadLetterSinkHealthy").Status == "False" && o.Status.Delivery.Held >= 1000
	})
	sub.FeelSink(Well)
	s.drained()
	s.Dispatchers[0].AwaitCondition(t, ref, "WindowFull", "False")
	for event, o := range s.judge().Outcomes[0] {
		if o.DeadLettered == 0 {
			t.Errorf("event %d has no dead letter", event)
			break
		}
	}
}

// healthyEach is how many healthy events prompt sends.
const healthyEach = 20

// prompt sends healthy events one by one: each is delivered within a second.
func (s *small) prompt(what string, key int) {
	s.t.Helper()
	var took []time.Duration
	for range healthyEach {
		began := s.history.Now()
		event := s.send(1, key)[0]
		arrived := s.await("a healthy event", 1, func(r *Request) bool { return r.Event == event && r.accepted() })
		took = append(took, arrived[0].Begin-began)
	}
	slices.Sort(took)
	s.t.Logf("with %s, a healthy event took %s, at most %s", what, median(took), took[healthyEach-1])
	if median(took) > time.Second {
		s.t.Errorf("half of the healthy events took %s and more, want a second at most", median(took))
	}
}

// keyOf is the key of an event.
func (s *small) keyOf(event int) int {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	return s.history.Events[event].Key
}

// TestEditsDoNotDisturb is JW-17: the filter, the delivery and the subscriber of one
// trigger change. No group is joined again, neither its own nor the other's, and the
// other's deliveries go on.
func TestEditsDoNotDisturb(t *testing.T) {
	t.Parallel()
	const delivery = "{retry: 2, backoffPolicy: linear, backoffDelay: PT0.1S, deadLetterSink: {uri: SINK}}"
	s := newSmall(t, 4, 2, nil,
		wish{name: "edited", order: Ordered, retry: 2, delivery: delivery},
		wish{name: "other", order: Ordered, retry: 2, delivery: delivery})
	for _, sub := range s.subs {
		sub.Decide(func(*http.Request, *Request) int { return http.StatusAccepted })
	}
	told := func() (all []Assignment) {
		for d := range s.Dispatchers {
			for trigger := range s.subs {
				all = append(all, s.log(d, trigger)...)
			}
		}
		return all
	}
	for trigger := range s.subs {
		s.has(0, trigger, 2)
		s.has(1, trigger, 2)
	}
	stopWatching := s.watch()
	stopSending := s.flow(100)
	of := func(trigger int) func(*Request) bool {
		return func(r *Request) bool { return r.Trigger == trigger && r.accepted() }
	}
	s.await("deliveries", 100, of(0))
	before := told()
	edited := &s.specs[0]
	for _, edit := range []func(){
		func() { edited.filter = "filters: [{prefix: {type: com.example}}]" },
		func() { edited.delivery = strings.Replace(edited.delivery, "PT0.1S", "PT0.2S", 1) },
		func() { edited.uri += "/moved" },
		func() { edited.concurrency = 7 },
	} {
		edit()
		s.write()
		for trigger := range s.subs {
			s.await("deliveries after an edit", len(s.requests(of(trigger)))+100, of(trigger))
		}
	}
	harness.Eventually(t, harness.Wait, "the new address to be used", func() error {
		o, err := s.Dispatchers[0].Status("trigger/" + s.Namespace + "/edited")
		if err == nil && o.Condition("Ready").Status != "True" {
			return errors.New("it is not Ready")
		}
		return err
	})
	if after := told(); len(after) != len(before) {
		t.Errorf("groups were joined again: %+v", after[len(before):])
	}
	stopSending()
	s.drained()
	stopWatching()
	v := s.judge()
	if len(v.Repeats)+len(v.Excused) > 0 {
		t.Errorf("repeats %v, overlaps %v, want none", v.Repeats, v.Excused)
	}
}
