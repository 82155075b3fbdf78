package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

var orderScenarios = []scenario{
	{"CT-K1 ordered, across retries", ordered},
	{"CT-K2 ordered, many partitions", orderedPartitions},
	{"unordered, up to the limit", unordered},
	{"ordered by key", orderedByKey},
	{"CT-B33 ordered dead letters", orderedDeadLetters},
}

// ordered: each event only after the one before is settled, also when that takes retries.
func ordered(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	// Every fifth request fails, so that about each fourth event needs two.
	sub := harness.NewSubscriber(t, func(r *harness.Request) harness.Answer {
		if r.Number%5 == 0 {
			return harness.Answer{Status: 503}
		}
		return harness.Answer{Delay: 20 * time.Millisecond}
	})
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{order: "ordered", delivery: "{retry: 3, backoffPolicy: linear, backoffDelay: PT0.05S}"})
	w.apply()
	events := harness.Numbered("e", 20)
	w.send("b", events...)
	sub.AwaitReceived(t, len(events))
	if got, want := sub.ReceivedIDs(), harness.IDsOf(events); !slices.Equal(got, want) {
		t.Errorf("accepted in the order %s", harness.Join(got))
	}
	if _, most := sub.InFlight(); most != 1 {
		t.Errorf("%d requests at once", most)
	}
	noOverlap(t, sub.Requests())
	w.settled(w.ref("trigger", "t"))
	if n := len(sub.Requests()); n != len(sub.Received())+strings.Count(sub.Pattern(), "F") || len(sub.Received()) != 20 {
		t.Errorf("%d requests, pattern %s", n, sub.Pattern())
	}
}

// noOverlap checks that each request came after the answer to the one before.
func noOverlap(t *testing.T, requests []harness.Request) {
	t.Helper()
	for i := 1; i < len(requests); i++ {
		if requests[i].Begin.Before(requests[i-1].End) {
			t.Errorf("%s came before %s was answered", requests[i].ID(), requests[i-1].ID())
		}
	}
}

// keyed makes n events for each key, one key after the other in turn.
func keyed(keys []string, n int) []harness.Event {
	var all []harness.Event
	for i := range n {
		for _, key := range keys {
			all = append(all, harness.Event{ID: fmt.Sprintf("%s-%d", key, i+1), Extensions: map[string]string{"partitionkey": key}})
		}
	}
	return all
}

// byKey splits requests by their key.
func byKey(requests []harness.Request) map[string][]harness.Request {
	all := map[string][]harness.Request{}
	for _, r := range requests {
		all[r.Attribute("partitionkey")] = append(all[r.Attribute("partitionkey")], r)
	}
	return all
}

// checkKeys checks that each key's events came in order, none twice, none at once.
func checkKeys(t *testing.T, sub *harness.Subscriber, keys []string, n int) {
	t.Helper()
	split := byKey(sub.Received())
	for _, key := range keys {
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("%s-%d", key, i+1))
		}
		var got []string
		for _, r := range split[key] {
			got = append(got, r.ID())
		}
		if !slices.Equal(got, want) {
			t.Errorf("key %s came as %s", key, harness.Join(got))
		}
		noOverlap(t, byKey(sub.Requests())[key])
	}
}

// orderedPartitions: with ten partitions each key keeps its order.
func orderedPartitions(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, harness.Delay(10*time.Millisecond))
	keys := []string{"a", "b", "c"}
	w.broker("b", 10, "")
	w.trigger("t", "b", sub.URL, consumer{order: "ordered"})
	w.apply()
	w.send("b", keyed(keys, 20)...)
	sub.AwaitReceived(t, 60)
	checkKeys(t, sub, keys, 20)
}

// unordered: many at once on one partition, up to kurier.dev/concurrency and never above.
func unordered(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	const limit = 20
	behaviour, release := harness.Block()
	sub := harness.NewSubscriber(t, behaviour)
	t.Cleanup(release)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{order: "unordered", annotations: fmt.Sprintf(`kurier.dev/concurrency: "%d"`, limit)})
	w.apply()
	events := harness.Numbered("e", 3*limit)
	w.send("b", events...)
	sub.AwaitRequests(t, limit)
	harness.Never(t, time.Second, "more requests than the limit allows", func() error {
		if now, _ := sub.InFlight(); now > limit {
			return fmt.Errorf("%d in flight, limit %d", now, limit)
		}
		return nil
	})
	release()
	sub.AwaitReceived(t, len(events))
	if _, most := sub.InFlight(); most != limit {
		t.Errorf("at most %d requests at once, want exactly %d", most, limit)
	}
	if missing, repeats := harness.Missing(harness.IDsOf(events), sub.IDs()); len(missing)+repeats > 0 {
		t.Errorf("missing %s, %d repeats", harness.Join(missing), repeats)
	}
}

// orderedByKey: on one partition a key that fails waits alone; the others go on.
func orderedByKey(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	keys := []string{"bad", "x", "y"}
	sub := harness.NewSubscriber(t, func(r *harness.Request) harness.Answer {
		if r.Attribute("partitionkey") == "bad" && r.Number < 40 {
			return harness.Answer{Status: 503}
		}
		return harness.Answer{Delay: 5 * time.Millisecond}
	})
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{order: "ordered-by-key", delivery: "{retry: 1000, backoffPolicy: linear, backoffDelay: PT0.02S, backoffMax: PT0.1S}"})
	w.apply()
	w.send("b", keyed(keys, 15)...)
	sub.AwaitReceived(t, 45)
	checkKeys(t, sub, keys, 15)
	received := sub.ReceivedIDs()
	if slices.Index(received, "bad-1") < slices.Index(received, "x-10") {
		t.Errorf("the failing key held the others up: %s", harness.Join(received))
	}
}

// orderedDeadLetters: two events are rejected and dead-lettered, the third is delivered.
func orderedDeadLetters(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, sink := harness.NewSubscriber(t, harness.Reject(2, 0, "")), harness.NewSubscriber(t, nil)
	w.broker("b", 1, fmt.Sprintf("{deadLetterSink: {uri: %q}}", sink.URL))
	w.trigger("t", "b", sub.URL, consumer{order: "ordered"})
	w.apply()
	w.send("b", harness.Numbered("e", 3)...)
	sub.AwaitReceived(t, 1)
	w.settled(w.ref("trigger", "t"))
	if got := harness.Join(sink.IDs()); got != "e-1 e-2" {
		t.Errorf("dead letters %s, want e-1 e-2", got)
	}
	if got := harness.Join(sub.ReceivedIDs()); got != "e-3" {
		t.Errorf("delivered %s, want e-3", got)
	}
}
