package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// small is a Kurier of a few processes on the one-node Kafka that tests share.
type small struct {
	*Fleet
	t          *testing.T
	history    *History
	watcher    *Watcher
	subs       []*Subscriber
	specs      []spec
	partitions int
}

// wish is a trigger that a small Kurier shall have. In delivery, SINK stands for the
// URL of its subscriber's dead letter sink.
type wish struct {
	name     string
	order    Order
	retry    int
	delivery string
	rest     time.Duration // what an answer takes, on average
}

// newSmall starts one receiver and some dispatchers and waits until all is Ready.
func newSmall(t *testing.T, partitions, dispatchers int, env harness.Env, wishes ...wish) *small {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs a real Kafka and the built binary")
	}
	kafka := kafkatest.Shared(t)
	s := &small{t: t, partitions: partitions}
	namespace := harness.Namespace(t)
	var all []Trigger
	for _, w := range wishes {
		all = append(all, trigger(namespace, w.name, w.order, w.retry))
	}
	s.history = NewHistory(all...)
	s.Fleet = NewFleet(t, namespace, all, 1, dispatchers, func(int) string { return kafka.Bootstrap() }, env)
	for i, w := range wishes {
		sub := NewSubscriber(t, s.history, i, 1, w.rest)
		s.subs = append(s.subs, sub)
		s.specs = append(s.specs, spec{name: w.name, order: w.order, uri: sub.URL(), delivery: strings.ReplaceAll(w.delivery, "SINK", sub.Sink())})
	}
	s.write()
	s.Start()
	s.watcher = &Watcher{History: s.history, Brokers: kafka.Brokers(), Partitions: partitions}
	if err := s.watcher.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes the manifests as the specs are now.
func (s *small) write() { s.Write(manifests(s.Namespace, s.partitions, 1, s.specs...)) }

// watch records positions until the returned function is called.
func (s *small) watch() (stop func()) { return s.background(s.watcher.Run) }

// flow sends events until the returned function is called.
func (s *small) flow(perSecond float64) (stop func()) {
	p := &Producers{History: s.history, Workers: 16, Keys: 4, Rate: perSecond}
	p.URLs = []string{s.Receivers[0].Broker(s.Namespace, "b")}
	return s.background(p.Run)
}

func (s *small) background(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	stop = func() { cancel(); running.Wait() }
	s.t.Cleanup(stop)
	return stop
}

// send sends n events with one key and expects 202 for each.
func (s *small) send(n, key int) (events []int) {
	s.t.Helper()
	sender := harness.NewSender(s.t)
	for range n {
		e := s.history.Send(key)
		event := harness.Event{ID: fmt.Sprint(e), Data: payload(e)}
		if key != NoKey {
			event.Extensions = map[string]string{"partitionkey": keyText(key)}
		}
		sender.Send(s.t, s.Receivers[0].Broker(s.Namespace, "b"), event)
		s.history.Tried(e, true)
		events = append(events, e)
	}
	return events
}

// many sends n events as fast as it goes, with keys in turn, each until it is accepted.
func (s *small) many(n int, keys ...int) {
	s.t.Helper()
	const senders = 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: harness.Wait}
	defer client.CloseIdleConnections()
	url := s.Receivers[0].Broker(s.Namespace, "b")
	events := make(chan int)
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for e := range events {
				for !(&Producers{}).try(client, url, e, s.keyOf(e)) && s.t.Context().Err() == nil {
					Pass(s.t.Context(), time.Second)
				}
				s.history.Tried(e, true)
			}
		})
	}
	for i := range n {
		events <- s.history.Send(keys[i%len(keys)])
	}
	close(events)
	sending.Wait()
}

// requests are the subscriber's requests so far that f picks.
func (s *small) requests(f func(*Request) bool) (all []Request) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	for i := range s.history.Requests {
		if r := &s.history.Requests[i]; f(r) {
			all = append(all, *r)
		}
	}
	return all
}

// await waits until at least n requests are of a kind, and returns them.
func (s *small) await(what string, n int, f func(*Request) bool) []Request {
	s.t.Helper()
	harness.Eventually(s.t, harness.Wait, what, func() error {
		if got := len(s.requests(f)); got < n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
	return s.requests(f)
}

// drained waits until all groups are at the ends of their logs.
func (s *small) drained() {
	s.t.Helper()
	harness.Eventually(s.t, harness.Wait, "every event to be settled", func() error { return s.watcher.Drained(s.t.Context()) })
}

// judge stops all processes and checks the history.
func (s *small) judge() *Verdict {
	s.t.Helper()
	for _, p := range s.All() {
		p.Down()
	}
	return judge(s.t, s.history, s.watcher, s.Fleet)
}

// log are the lines that a dispatcher's present incarnation wrote about its partitions of
// a trigger.
func (s *small) log(dispatcher, trigger int) []Assignment {
	s.t.Helper()
	p := *s.Dispatchers[dispatcher]
	p.runs = p.runs[len(p.runs)-1:]
	h := NewHistory(s.history.Triggers...)
	h.began = s.history.began
	if err := p.Recount(h); err != nil {
		s.t.Fatal(err)
	}
	var all []Assignment
	for _, a := range h.Assignments {
		if a.Trigger == trigger {
			all = append(all, a)
		}
	}
	return all
}

// has waits until a dispatcher has n partitions of a trigger.
func (s *small) has(dispatcher, trigger, n int) Assignment {
	s.t.Helper()
	var last Assignment
	harness.Eventually(s.t, harness.Wait, fmt.Sprintf("dispatcher %d to have %d partitions", dispatcher, n), func() error {
		all := s.log(dispatcher, trigger)
		if len(all) == 0 || len(all[len(all)-1].Partitions) != n {
			return fmt.Errorf("it was told %+v", all)
		}
		last = all[len(all)-1]
		return nil
	})
	return last
}
