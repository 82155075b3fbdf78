package chaos

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// TestHealthyEventsDoNotWait is JW-2: 1,000 events wait for their backoff in one
// partition, unordered. A new, healthy one is delivered within a second.
func TestHealthyEventsDoNotWait(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 1, 1, nil, wish{name: "jw-2", retry: 10,
		delivery: "{retry: 10, backoffPolicy: linear, backoffDelay: PT2M, deadLetterSink: {uri: SINK}}"})
	const waiting, healthy = 1000, 20
	s.subs[0].Decide(func(_ *http.Request, q *Request) int {
		if q.Event < waiting {
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	})
	s.send(waiting, NoKey)
	s.await("the failures", waiting, func(r *Request) bool { return r.Status == http.StatusServiceUnavailable })
	var took []time.Duration
	for range healthy {
		began := s.history.Now()
		event := s.send(1, NoKey)[0]
		arrived := s.await("a healthy event", 1, func(r *Request) bool { return r.Event == event && r.accepted() })
		took = append(took, arrived[0].Begin-began)
	}
	slices.Sort(took)
	t.Logf("with %d waiting, a healthy event took %s, at most %s", waiting, median(took), took[healthy-1])
	if median(took) > time.Second {
		t.Errorf("half of the healthy events took %s and more, want a second at most", median(took))
	}
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
