package dispatcher

import (
	"errors"
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
