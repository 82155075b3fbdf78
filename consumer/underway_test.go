package consumer

import (
	"testing"
	"time"
)

// acked acknowledges a batch that was taken before.
func (b *bench) acked(told batch) {
	b.engine.acked(told, time.Now(), func(*partition) bool { return true })
}

// A commit is under way when its partition is taken away: the acknowledgement
// must not start what waited for it.
func TestAnAcknowledgementAfterTheStopStartsNothing(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 2)
		b.fail(0, 0, 0)
		told := b.engine.takeBatch(nil)
		b.engine.stop(p)
		b.answer(0, 1, nil)
		<-p.drained
		b.acked(told)
		b.want()
		if n := p.tracker.Attempts(0); n != 1 {
			t.Errorf("record 0 has %d attempts, want 1: the next one was never made", n)
		}
		b.engine.release(p)
	})
}

// A commit is under way when the order changes: its records start in their new
// lanes, and once.
func TestAnAcknowledgementAfterAnOrderChangeStartsNothingTwice(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 2)
		b.fail(0, 0, 0)
		b.fail(0, 1, 0)
		told := b.engine.takeBatch(nil)
		b.engine.setOrder(Ordered)
		b.acked(told)
		b.want()
		b.commit()
		b.want("0/0")
		b.answer(0, 0, nil)
		b.commit()
		b.want("0/1")
	})
}

// A batch that failed comes back after the partition stopped.
func TestAFailedCommitAfterTheStopStartsNothing(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 1)
		b.fail(0, 0, 0)
		told := b.engine.takeBatch(nil)
		b.engine.stop(p)
		b.engine.failed(told)
		b.engine.release(p)
		b.commit()
		b.want()
	})
}

// A Handler that wants to send once more in a call is told whether it may.
func TestADeliveryTellsOfTheLease(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		b.fill(b.open(0, 0), 0, 1)
		d := b.hand(0, 0).d
		if !d.Leased() {
			t.Error("no lease right after it was given")
		}
		<-time.After(leaseTime)
		if d.Leased() {
			t.Error("a lease after its time")
		}
		b.commit()
		if !d.Leased() {
			t.Error("no lease after a commit")
		}
		b.engine.expire()
		if d.Leased() {
			t.Error("a lease after it was taken away")
		}
	})
}
