package dispatcher

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"kurier.dev/kurier/consumer"
)

// A process that was stopped while a subscriber answered sends neither dead letter nor
// reply until it knows again that the partition is its own.
func TestNoFurtherSendWithoutTheLease(t *testing.T) {
	for _, c := range []struct {
		name, place, answer string
		change              func(*Subscription)
	}{
		{"dead letter", "sink", "400", func(s *Subscription) {
			s.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		}},
		{"reply", "reply", "event", func(s *Subscription) {
			s.Reply = Reply{Kind: ReplyURL, Destination: Destination{URL: replyURL}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sender := newScript(t)
			sender.answers["subscriber"] = []string{c.answer}
			sender.answers[c.place] = []string{"202"}
			p := testPipeline(t, sender, Config{}, trigger(c.change))
			var leased atomic.Bool
			d := &consumer.Delivery{Record: record(t, minEvent()), Leased: leased.Load}
			var later *consumer.Later
			if err := p.handle(t.Context(), d); !errors.As(err, &later) || !later.Resume || later.After > 0 {
				t.Fatalf("without the lease: %v, want to be called again at once, to go on", err)
			}
			if n := sender.count(c.place); n != 0 {
				t.Errorf("%d sends without the lease", n)
			}
			leased.Store(true)
			if waits, done := run(p, d, 3); !done || len(slices.Compact(waits)) > 0 {
				t.Errorf("with the lease: %v, settled %v", waits, done)
			}
			if s, n := sender.count("subscriber"), sender.count(c.place); s != 1 || n != 1 {
				t.Errorf("%d attempts at the subscriber and %d further sends, want one each", s, n)
			}
		})
	}
}

// A process that was stopped while it connected to the subscriber does not write once it
// goes on: the right to send is asked for last.
func TestNoFirstSendWithoutTheLease(t *testing.T) {
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	sender := NewHTTPSender()
	defer sender.Close()
	p := testPipeline(t, &router{http: sender}, Config{}, trigger(func(s *Subscription) { s.Subscriber.URL = server.URL }))
	var leased atomic.Bool
	d := &consumer.Delivery{Record: record(t, minEvent()), Leased: leased.Load}
	for _, attempts := range []int{0, 2} { // a retry's count is written ahead again
		d.Attempts = attempts
		var later *consumer.Later
		if err := p.handle(t.Context(), d); !errors.As(err, &later) || later.Resume || later.After > 0 {
			t.Fatalf("without the lease: %v, want to be called again at once", err)
		}
		if d.Attempts != attempts || got.Load() != 0 {
			t.Errorf("%d attempts counted and %d requests without the lease, want %d and none", d.Attempts, got.Load(), attempts)
		}
	}
	leased.Store(true)
	if err := p.handle(t.Context(), d); err != nil || got.Load() != 1 || d.Attempts != 3 {
		t.Errorf("with the lease: %v, %d requests, %d attempts", err, got.Load(), d.Attempts)
	}
	if n := p.metrics.retries.Value(); n != 1 {
		t.Errorf("%d retries counted, want 1", n)
	}
}
