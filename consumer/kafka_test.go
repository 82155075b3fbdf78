package consumer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// Each order settles everything, commits it, and a restart repeats nothing.
func TestEachOrderSettlesAndCommitsEverything(t *testing.T) {
	for _, order := range []Order{Unordered, Ordered, OrderedByKey} {
		t.Run(order.String(), func(t *testing.T) {
			t.Parallel()
			r := newAnyRig(t, 3)
			for p := range int32(3) {
				r.produce(p, 200, func(i int) string { return fmt.Sprint(i % 7) })
			}
			log := newCallLog()
			lane := map[Order]func(*sarama.ConsumerMessage) string{Ordered: byPartition, OrderedByKey: byKey}[order]
			flaky := func(_ context.Context, d *Delivery) error {
				if d.Attempts++; d.Record.Offset%10 == 3 && d.Attempts < 3 {
					return &Later{After: time.Millisecond}
				}
				return nil
			}
			c := r.start(r.config(r.group, order), log.handler(lane, flaky))
			r.eventually("everything is settled", func() bool { return log.count() == 600 })
			r.must(c.stop())
			for p := range int32(3) {
				if offset, _ := r.committed(r.group, p); offset != 200 {
					t.Errorf("partition %d is committed at %d, want 200", p, offset)
				}
			}
			if len(log.overlap) > 0 {
				t.Errorf("overlapping: %v", log.overlap)
			}
			if n := log.callsOf(1, 13); n != 3 {
				t.Errorf("a record that failed twice was called %d times, want 3", n)
			}
			if n := log.callsOf(1, 14); n != 1 {
				t.Errorf("a healthy record was called %d times, want 1", n)
			}
			c = r.start(r.config(r.group, order), log.handler(lane, settle))
			r.produce(0, 1, nil)
			r.eventually("the new record is settled", func() bool { return log.count() == 601 })
			if s := c.Stats(); s.Settled != 1 || s.Lag != 0 {
				t.Errorf("after the restart %d settled, lag %d, want 1 and 0", s.Settled, s.Lag)
			}
		})
	}
}
