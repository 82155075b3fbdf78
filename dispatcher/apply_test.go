package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/filter"
)

// Two Triggers on one topic, one of them changed in every way that needs no
// restart: JW-17, the other is not disturbed, and neither leaves its group.
func TestApplyChangesInPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 3, "group-a", "group-b")
	a, b, c := newPlace(t, nil), newPlace(t, nil), newPlace(t, nil)
	r.apply(sub("a", a.URL, nil), sub("b", b.URL, nil))
	r.produce(sourceTopic, 0, 50)
	eventually(t, "both have all", func() bool { return len(a.ids()) == 50 && len(b.ids()) == 50 })
	before := [2]Status{r.status("a"), r.status("b")}

	changed := sub("b", c.URL, func(s *Subscription) {
		s.Filters = []filter.Spec{{Exact: map[string]string{"type": "t"}}}
		s.Order, s.Concurrency = consumer.Ordered, 3
	})
	r.apply(sub("a", a.URL, nil), changed)
	r.produce(sourceTopic, 50, 25)
	r.produce(sourceTopic, 75, 25, "type", "other")
	eventually(t, "both have all", func() bool { return len(a.ids()) == 100 && len(c.ids()) == 25 })
	eventually(t, "the rest is filtered", func() bool { return r.status("b").Counters.Filtered == 25 })
	for i, name := range []string{"a", "b"} {
		after := r.status(name)
		if after.Consumer.Generation != before[i].Consumer.Generation || after.Consumer.Rebalances != before[i].Consumer.Rebalances {
			t.Errorf("%s: generation %d -> %d", name, before[i].Consumer.Generation, after.Consumer.Generation)
		}
	}
	for _, p := range []*place{a, b, c} {
		for id, n := range p.ids() {
			if n != 1 {
				t.Errorf("event %s arrived %d times", id, n)
			}
		}
	}
	if got := b.count(); got != 50 {
		t.Errorf("the old subscriber got %d events, want 50", got)
	}
}

// A wrong dead letter sink: held, shown in status, repaired by Apply, settled
// within 2 s, the subscriber not called again, the others not affected.
func TestHoldAndRepair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 1, "group-bad", "group-good")
	failing, good := newPlace(t, status(http.StatusBadRequest)), newPlace(t, nil)
	wrong, right := newPlace(t, status(http.StatusNotFound)), newPlace(t, nil)
	with := func(sink string) Subscription {
		return sub("bad", failing.URL, func(s *Subscription) {
			s.Order = consumer.Ordered
			s.Delivery.DeadLetterSink = &Destination{URL: sink}
		})
	}
	r.apply(with(wrong.URL), sub("good", good.URL, nil))
	r.produce(sourceTopic, 0, 3)
	eventually(t, "held", func() bool { return r.status("bad").Consumer.Held == 1 })
	eventually(t, "the other one has all", func() bool { return len(good.ids()) == 3 })
	s := r.status("bad")
	if c := s.DeadLetterSinkHealthy; c.Status != "False" || c.Reason != "DeadLetterSinkFailing" ||
		!strings.Contains(c.Message, wrong.URL) || !strings.Contains(c.Message, "404") || c.Since.IsZero() {
		t.Errorf("condition %+v", c)
	}
	if s.LastFailure == nil || s.LastFailure.Code != 400 || s.LastFailure.EventID != "0" || s.Consumer.Lag != 3 {
		t.Errorf("status %+v, last failure %+v", s, s.LastFailure)
	}
	// Wait until the next attempt is seconds away, so that only a wake can help.
	eventually(t, "three attempts at the wrong sink", func() bool { return wrong.count() >= 3 })

	start := time.Now()
	r.apply(with(right.URL), sub("good", good.URL, nil))
	eventually(t, "settled", func() bool { return r.status("bad").Counters.DeadLettered == 3 })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("settled after %v, want 2 s at most", took)
	}
	if failing.count() != 3 || right.count() != 3 {
		t.Errorf("subscriber %d, sink %d, want 3 and 3", failing.count(), right.count())
	}
	eventually(t, "healthy again", func() bool { return r.status("bad").DeadLetterSinkHealthy.Status == "True" })
	got := right.got[0]
	if got.Header.Get("ce-knativeerrordest") != failing.URL || got.Header.Get("ce-knativeerrorcode") != "400" ||
		got.Header.Get("Kn-Namespace") != "default" || got.Header.Get("Prefer") != "" {
		t.Errorf("dead letter %v", got.Header)
	}
}

// A removed Trigger keeps its group: added again it continues where it stopped.
func TestRemoveAndAddAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 2, "group-a")
	a := newPlace(t, nil)
	r.apply(sub("a", a.URL, nil))
	r.produce(sourceTopic, 0, 20)
	eventually(t, "first half", func() bool { return len(a.ids()) == 20 })
	r.apply()
	if _, ok := r.d.Status("Trigger", "default", "a"); ok || len(r.d.Statuses()) != 0 {
		t.Error("a removed Trigger has a status")
	}
	r.produce(sourceTopic, 20, 20)
	r.apply(sub("a", a.URL, nil)) // while the old one may still be stopping
	eventually(t, "second half", func() bool { return len(a.ids()) == 40 })
	for id, n := range a.ids() {
		if n != 1 {
			t.Errorf("event %s arrived %d times", id, n)
		}
	}
}

// Another topic means another consumer; the counts go on.
func TestApplyRestartsForAnotherTopic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 1, "group-a")
	r.topic("other", 1, "group-a")
	a := newPlace(t, nil)
	r.produce(sourceTopic, 0, 5)
	r.produce("other", 100, 5)
	r.apply(sub("a", a.URL, nil))
	eventually(t, "the first topic's", func() bool { return len(a.ids()) == 5 })
	r.apply(sub("a", a.URL, func(s *Subscription) { s.Topic = "other" }))
	eventually(t, "the other topic's", func() bool { return len(a.ids()) == 10 })
	eventually(t, "all settled", func() bool { return r.status("a").Counters.Delivered == 10 })
}

// One subscription's error never stops the others; it is tried again at the next
// Apply, and an invalid change leaves the running one as it was.
func TestApplyErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 1, "group-a", "group-b")
	a, b := newPlace(t, nil), newPlace(t, nil)
	var broken atomic.Bool
	broken.Store(true)
	r.d.cfg.Clusters = func(name string) (ClusterConn, error) {
		if name == "far" && broken.Load() {
			return ClusterConn{}, errors.New("no such cluster")
		}
		return r.conn(name)
	}
	far := sub("b", b.URL, func(s *Subscription) { s.Cluster = "far" })
	err := r.d.Apply(context.Background(), []Subscription{
		far,
		sub("a", a.URL, nil),
		sub("a", a.URL, nil),
		sub("c", a.URL, func(s *Subscription) { s.Filters = []filter.Spec{{CESQL: "((("}} }),
		sub("d", "", nil),
	})
	for _, want := range []string{"Trigger default/b: no such cluster", "Trigger default/a is given twice", "Trigger default/c: filter", "Trigger default/d: Subscriber has no URL"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if s := r.status("b"); s.Error != "no such cluster" {
		t.Errorf("status %q", s.Error)
	}
	r.produce(sourceTopic, 0, 5)
	eventually(t, "a runs", func() bool { return len(a.ids()) == 5 })

	broken.Store(false)
	err = r.d.Apply(context.Background(), []Subscription{far, sub("a", a.URL, func(s *Subscription) { s.Delivery.Retry = -1 })})
	if err == nil || !strings.Contains(err.Error(), "Delivery.Retry is -1") {
		t.Errorf("an invalid change: %v", err)
	}
	eventually(t, "b runs", func() bool { return len(b.ids()) == 5 })
	r.produce(sourceTopic, 5, 5)
	eventually(t, "a goes on as it was", func() bool { return len(a.ids()) == 10 })
}

// Shutdown lets what is in flight finish; its end cuts it, uncounted, unsettled.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut %v", cut), func(t *testing.T) {
			r := newRig(t)
			r.topic(sourceTopic, 1, "group-a")
			release := make(chan struct{})
			a := newPlace(t, func(w http.ResponseWriter, req *http.Request) {
				select {
				case <-release:
				case <-req.Context().Done():
				}
			})
			r.apply(sub("a", a.URL, nil))
			r.produce(sourceTopic, 0, 5)
			eventually(t, "in flight", func() bool { return a.count() == 5 })
			runner := r.d.list()[0]
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if !cut {
				ctx = context.Background()
				close(release)
			}
			err := r.d.Shutdown(ctx)
			delivered := runner.pipe.metrics.counters().Delivered
			if cut && (!errors.Is(err, context.DeadlineExceeded) || delivered != 0) || !cut && (err != nil || delivered != 5) {
				t.Errorf("%v, %d delivered", err, delivered)
			}
			if err := r.d.Apply(context.Background(), nil); !errors.Is(err, ErrStopped) {
				t.Errorf("Apply after Shutdown: %v", err)
			}
			if err := r.d.Shutdown(context.Background()); err != nil {
				t.Errorf("a second Shutdown: %v", err)
			}
			if cut {
				close(release)
			}
		})
	}
}

// Replies into the Broker, dead letters to the topic and to a KafkaSink, and
// records that are no CloudEvents, through Kafka.
func TestRepliesAndDeadLettersThroughKafka(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 1, "group-a", "group-b")
	r.topic(deadTopic, 1)
	r.topic(sinkTopic, 1)
	replying := newPlace(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Ce-Specversion", "1.0")
		w.Header().Set("Ce-Id", "r"+req.Header.Get("ce-id"))
		w.Header().Set("Ce-Type", "reply")
		w.Header().Set("Ce-Source", "/r")
		w.Header().Set("Ce-Partitionkey", "k")
		_, _ = io.WriteString(w, "answer")
	})
	failing := newPlace(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Kne-Test", "foo")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, "no")
	})
	r.apply(
		sub("a", replying.URL, func(s *Subscription) {
			s.Attributes = map[string]string{"type": "t"}
			s.Reply = Reply{Kind: ReplyBroker, BrokerURL: brokerURL}
		}),
		sub("b", failing.URL, func(s *Subscription) {
			s.Delivery.DeadLetterSink = &Destination{URL: "http://ingress/sinks/default/s", Topic: sinkTopic, Structured: true}
		}),
	)
	r.produce(sourceTopic, 1, 1)
	stored := r.records(sourceTopic, 2)[1]
	if header(stored, "ce_id") != "r1" || header(stored, "ce_knativebrokerttl") != "254" || header(stored, "ce_knativearrivaltime") == "" ||
		string(stored.Key) != "k" || string(stored.Value) != "answer" {
		t.Errorf("stored reply %s %v", stored.Value, stored.Headers)
	}
	letters := r.records(sinkTopic, 2) // the event and its reply
	if v := string(letters[0].Value); !strings.Contains(v, `"knativeerrorcode":"422"`) && !strings.Contains(v, `"knativeerrorcode":422`) ||
		!strings.Contains(v, `"test":"foo"`) || !strings.Contains(v, failing.URL) {
		t.Errorf("dead letter %s", v)
	}
	if s := r.status("b"); s.SubscriberHealthy.Status != "False" || s.LastFailure.Body != "no" || s.Counters.DeadLettered != 2 {
		t.Errorf("status %+v", s)
	}

	r.apply(sub("a", replying.URL, func(s *Subscription) { s.Attributes = map[string]string{"type": "never"} }))
	m := minEvent()
	rec, _ := m.Record(sourceTopic, false)
	rec.Headers = nil
	if err := r.cluster.Produce(t.Context(), rec, func() {}); err != nil {
		t.Fatal(err)
	}
	foreign := r.records(deadTopic, 1)[0]
	if !strings.HasPrefix(header(foreign, "kurier-reason"), "not-a-cloudevent: ") || header(foreign, "kurier-source") != "source/0/2" || string(foreign.Value) != "body" {
		t.Errorf("%s %v", foreign.Value, foreign.Headers)
	}
}

// JW-23: the limit on requests in flight is reached, never exceeded, and changed
// while it runs.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 4, "group-a")
	gate := make(chan struct{})
	a := newPlace(t, func(http.ResponseWriter, *http.Request) { <-gate })
	with := func(n int) Subscription { return sub("a", a.URL, func(s *Subscription) { s.Concurrency = n }) }
	r.apply(with(3))
	r.produce(sourceTopic, 0, 40)
	eventually(t, "three in flight", func() bool { return a.count() == 3 })
	r.apply(with(8))
	eventually(t, "eight in flight", func() bool { return a.count() == 8 })
	close(gate)
	eventually(t, "all", func() bool { return len(a.ids()) == 40 })
	if a.most > 8 {
		t.Errorf("%d requests in flight, 8 are allowed", a.most)
	}
}

// Apply, Status, a scrape and Shutdown may come from any goroutine; the latest
// Apply wins, and nothing is delivered twice to the one that stayed.
func TestApplyFromManyGoroutines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 2, "group-a", "group-b", "group-stays")
	stays, other := newPlace(t, nil), newPlace(t, nil)
	always := sub("stays", stays.URL, nil)
	r.produce(sourceTopic, 0, 20)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 10 {
				set := []Subscription{always}
				if (n+i)%2 == 0 {
					set = append(set, sub("a", other.URL, func(s *Subscription) { s.Concurrency = 1 + n }))
				}
				if (n+i)%3 == 0 {
					set = append(set, sub("b", other.URL, nil))
				}
				if err := r.d.Apply(context.Background(), set); err != nil {
					t.Error(err)
				}
				r.d.Statuses()
				if _, err := r.registry.Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r.apply(always)
	eventually(t, "the one that stayed has all", func() bool { return len(stays.ids()) == 20 })
	for id, n := range stays.ids() {
		if n != 1 {
			t.Errorf("event %s arrived %d times", id, n)
		}
	}
	if list := r.d.Statuses(); len(list) != 1 || list[0].Name != "stays" {
		t.Errorf("%d run", len(list))
	}
}
