package dispatcher

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kurier.dev/kurier/consumer"
)

// step calls the handler once.
func step(t *testing.T, p *pipeline, d *consumer.Delivery) *consumer.Later {
	t.Helper()
	err := p.handle(context.Background(), d)
	var later *consumer.Later
	if err != nil && !errors.As(err, &later) {
		t.Fatal(err)
	}
	return later
}

// changeTo gives a pipeline other settings.
func changeTo(t *testing.T, p *pipeline, change func(*Subscription)) {
	t.Helper()
	sub := p.settings.Load().Subscription
	change(&sub)
	s, err := compile(sub)
	if err != nil {
		t.Fatal(err)
	}
	p.change(s)
}

// 6.2: a wrong dead letter sink is repaired by editing the file; the subscriber
// is not called again.
func TestHeldEventTakesANewSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["subscriber"], s.answers["wrong"], s.answers["sink"] = []string{"400"}, []string{"404", "404", "404"}, []string{"202"}
		p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) {
			sub.Delivery.DeadLetterSink = &Destination{URL: "http://wrong"}
			sub.Delivery.Retry = 1
		}))
		d := &consumer.Delivery{Record: record(t, minEvent())}
		_ = step(t, p, d)
		_ = step(t, p, d)
		if later := step(t, p, d); later == nil || !later.Held || !later.Resume || later.After != 2*time.Second {
			t.Fatalf("not held: %+v", later)
		}
		if got := p.statusNow(consumer.Stats{Held: 1}).DeadLetterSinkHealthy; got.Status != conditionFalse || got.Reason != reasonDeadLetterSinkFailing {
			t.Errorf("while held: %+v", got)
		}
		changeTo(t, p, func(sub *Subscription) { sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL} })
		if later := step(t, p, d); later != nil {
			t.Fatalf("not settled under the new sink: %+v", later)
		}
		if d.Attempts != 1 || ending(p) != "dead-lettered" {
			t.Errorf("attempts %d, %s", d.Attempts, ending(p))
		}
		if got := p.statusNow(consumer.Stats{Held: 1}).DeadLetterSinkHealthy; got.Status != conditionTrue {
			t.Errorf("after the repair: %+v", got)
		}
	})
}

func (p *pipeline) statusNow(stats consumer.Stats) Status {
	s := Status{Consumer: stats}
	p.health.describe(&s)
	return s
}

// A held event takes a new subscriber, too: one more attempt, attempts kept.
func TestHeldEventTakesANewSubscriber(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"], s.answers["sink"], s.answers["new"] = []string{"400"}, []string{"404", "404"}, []string{"202"}
	p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL} }))
	d := &consumer.Delivery{Record: record(t, minEvent())}
	_ = step(t, p, d)
	changeTo(t, p, func(sub *Subscription) { sub.Concurrency = 7 })
	if later := step(t, p, d); later == nil || later.After != 2*time.Second {
		t.Errorf("a change that does not concern it: %+v, want held on", later)
	}
	changeTo(t, p, func(sub *Subscription) { sub.Subscriber.URL = "http://new" })
	if later := step(t, p, d); later == nil || later.After != 0 || later.Resume {
		t.Errorf("%+v, want the attempt's count committed first", later)
	}
	if later := step(t, p, d); later != nil || d.Attempts != 2 || ending(p) != "delivered" {
		t.Errorf("%+v, attempts %d, %s", later, d.Attempts, ending(p))
	}
}

// A budget that was raised is used, one that was lowered ends the retries.
func TestChangedRetry(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"], s.answers["sink"] = []string{"503", "503", "202"}, []string{"404"}
	p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL} }))
	d := &consumer.Delivery{Record: record(t, minEvent())}
	_ = step(t, p, d) // held
	changeTo(t, p, func(sub *Subscription) { sub.Delivery.Retry = 5 })
	_ = step(t, p, d)
	_ = step(t, p, d)
	if later := step(t, p, d); later != nil || d.Attempts != 3 || ending(p) != "delivered" {
		t.Errorf("%+v, attempts %d, %s", later, d.Attempts, ending(p))
	}

	s = newScript(t)
	s.answers["subscriber"], s.answers["topic"] = []string{"503", "503", "503"}, []string{"ok"}
	p = testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.Delivery.Retry = 9 }))
	d = &consumer.Delivery{Record: record(t, minEvent())}
	_ = step(t, p, d)
	_ = step(t, p, d)
	changeTo(t, p, func(sub *Subscription) { sub.Delivery.Retry = 1 })
	if later := step(t, p, d); later != nil || d.Attempts != 3 || ending(p) != "dead-lettered" {
		t.Errorf("lowered: %+v, attempts %d, %s", later, d.Attempts, ending(p))
	}
}

// What waits is filtered again; what the subscriber has accepted is not.
func TestChangedFilter(t *testing.T) {
	other := func(sub *Subscription) { sub.Attributes = map[string]string{"type": "other"} }
	s := newScript(t)
	s.answers["subscriber"], s.answers["sink"] = []string{"503", "400"}, []string{"404"}
	p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.Delivery.Retry = 1 }))
	d := &consumer.Delivery{Record: record(t, minEvent())}
	_ = step(t, p, d)
	changeTo(t, p, other)
	if later := step(t, p, d); later != nil || ending(p) != "filtered" {
		t.Errorf("waiting: %+v, %s", later, ending(p))
	}

	s.answers["subscriber"], s.answers["broker"] = []string{"503", "event"}, []string{"refused", "ok"}
	p = testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.Delivery.Retry = 1 }))
	d = &consumer.Delivery{Record: record(t, minEvent())}
	_ = step(t, p, d)
	changeTo(t, p, other)
	if later := step(t, p, d); later != nil || ending(p) != "delivered" {
		t.Errorf("accepted: %+v, %s", later, ending(p))
	}
}

// Settings that are swapped while an attempt is on the wire: the wake came too
// early for this event, so its wait must not be the old one.
func TestChangeDuringAnAttempt(t *testing.T) {
	var p *pipeline
	sender := senderFunc(func(context.Context, Message) (Result, error) {
		changeTo(t, p, func(sub *Subscription) { sub.Concurrency++ })
		return Result{}, &AttemptError{Code: 503}
	})
	p = testPipeline(t, sender, Config{}, trigger(func(sub *Subscription) {
		sub.Delivery = Delivery{Retry: 5, Policy: Linear, Delay: time.Hour}
	}))
	later := step(t, p, &consumer.Delivery{Record: record(t, minEvent())})
	if later == nil || later.After != 0 {
		t.Errorf("%+v, want to be called at once", later)
	}
}

type senderFunc func(context.Context, Message) (Result, error)

func (f senderFunc) Send(ctx context.Context, m Message) (Result, error) { return f(ctx, m) }

// A reply address that is corrected, or taken away.
func TestChangedReply(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Subscription)
		want   string
	}{
		{"corrected", func(sub *Subscription) { sub.Reply.Destination.URL = "http://new" }, "delivered"},
		{"taken away", func(sub *Subscription) { sub.Reply = Reply{} }, "delivered"},
	} {
		s := newScript(t)
		s.answers["subscriber"], s.answers["reply"], s.answers["new"] = []string{"event"}, []string{"503"}, []string{"202"}
		s.answers["sink"] = []string{"503"}
		p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) {
			setKind(sub, "subscription with reply")
			sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		}))
		d := &consumer.Delivery{Record: record(t, minEvent())}
		if later := step(t, p, d); later == nil || !later.Held {
			t.Fatalf("%s: not held: %+v", c.name, later)
		}
		changeTo(t, p, c.change)
		if later := step(t, p, d); later != nil || ending(p) != c.want || s.count("subscriber") != 1 {
			t.Errorf("%s: %+v, %s, subscriber %d", c.name, later, ending(p), s.count("subscriber"))
		}
	}
}

// Replies that wait are bounded in memory: beyond the budget one keeps its place
// among the calls in flight instead of being put aside.
func TestWaitingRepliesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["subscriber"], s.answers["broker"] = []string{"event", "event"}, []string{"refused", "refused", "ok", "ok"}
		p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) {
			sub.Delivery = Delivery{Retry: 1, Policy: Linear, Delay: time.Minute}
		}))
		p.replies.Store(1500) // room for one
		first, second := &consumer.Delivery{Record: record(t, minEvent())}, &consumer.Delivery{Record: record(t, minEvent())}
		if later := step(t, p, first); later.After != time.Minute {
			t.Errorf("the first one: %+v", later)
		}
		start := time.Now()
		if later := step(t, p, second); later.After != 0 || time.Since(start) != time.Minute {
			t.Errorf("the second one: %+v after %v", later, time.Since(start))
		}
		if step(t, p, first) != nil || step(t, p, second) != nil || p.replies.Load() != 1500 {
			t.Errorf("%d bytes left, want 1500", p.replies.Load())
		}
	})
}
