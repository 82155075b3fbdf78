package consumer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test with an engine in virtual time.
func inBubble(t *testing.T, order Order, limit int, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, order, limit)
		defer b.close()
		f(b)
	})
}

func TestOrderedHandsOutOneRecordOfAPartition(t *testing.T) {
	inBubble(t, Ordered, 10, func(b *bench) {
		p, q := b.open(0, 0), b.open(1, 0)
		b.fill(p, 0, 3)
		b.fill(q, 0, 2)
		b.want("0/0", "1/0")
		b.fail(0, 0, time.Minute)
		b.want("1/0")
		b.answer(1, 0, nil)
		b.want("1/1")
		b.engine.wake()
		b.commit()
		b.want("0/0", "1/1")
		b.answer(0, 0, nil)
		b.want("0/1", "1/1")
	})
}

func TestOrderedByKeyHandsOutOneRecordOfAKey(t *testing.T) {
	inBubble(t, OrderedByKey, 10, func(b *bench) {
		p := b.open(0, 0)
		b.feed(p, 0, "a", "a", "b", "", "a", "", "b")
		b.want("0/0", "0/2", "0/3", "0/5")
		b.answer(0, 2, nil)
		b.want("0/0", "0/3", "0/5", "0/6")
		b.fail(0, 0, time.Minute)
		b.want("0/3", "0/5", "0/6")
		for _, o := range []int64{3, 5, 6} {
			b.answer(0, o, nil)
		}
		b.want()
		if n := len(p.keys); n != 1 {
			t.Errorf("%d keys are kept, want the one that waits", n)
		}
	})
}

func TestUnorderedReachesAndKeepsTheLimit(t *testing.T) {
	inBubble(t, Unordered, 3, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 10)
		b.want("0/0", "0/1", "0/2")
		b.answer(0, 1, nil)
		b.want("0/0", "0/2", "0/3")
		b.engine.setLimit(5)
		b.want("0/0", "0/2", "0/3", "0/4", "0/5")
		b.engine.setLimit(1)
		b.answer(0, 0, nil)
		b.want("0/2", "0/3", "0/4", "0/5")
	})
}

func TestAWaitingRecordTakesNoPlace(t *testing.T) {
	inBubble(t, Unordered, 1, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 3)
		b.fail(0, 0, time.Second)
		b.want("0/1")
		b.fail(0, 1, 500*time.Millisecond)
		b.want("0/2")
		pass(2 * time.Second)
		b.commit() // of the attempts
		b.want("0/2")
		b.answer(0, 2, nil)
		b.want("0/1")
		if s := b.stats(); s.InFlight != 1 || s.Waiting != 0 || s.Buffered != 1 {
			t.Errorf("in flight %d, waiting %d, buffered %d, want 1, 0, 1", s.InFlight, s.Waiting, s.Buffered)
		}
	})
}

func TestARetryWaitsUntilItsCountIsCommitted(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 3)
		for o := range int64(3) {
			b.fail(0, o, 0)
		}
		b.want()
		told := b.engine.takeBatch(nil)
		if len(told.told) != 1 || len(told.ahead) != 3 {
			t.Fatalf("%d positions for %d records, want 1 for 3", len(told.told), len(told.ahead))
		}
		if n := p.tracker.Attempts(1); n != 2 {
			t.Errorf("the commit tells of %d attempts, want 2: the one to come included", n)
		}
		b.engine.failed(told)
		b.want()
		b.commit()
		b.want("0/0", "0/1", "0/2")
		if n := b.hand(0, 1).attempts; n != 1 {
			t.Errorf("the Handler is told of %d attempts, want 1", n)
		}
	})
}

func TestAnAttemptThatDoesNotCountIsWrittenAheadAgain(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 1)
		b.fail(0, 0, 0)
		b.commit()
		b.answer(0, 0, &Later{})
		b.want()
		b.commit()
		b.want("0/0")
		if n := p.tracker.Attempts(0); n != 2 {
			t.Errorf("%d attempts are committed, want 2", n)
		}
	})
}

func TestResumingNeedsNoCommit(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		b.fill(b.open(0, 0), 0, 1)
		h := b.hand(0, 0)
		h.d.Attempts, h.d.State = 1, "a reply"
		h.answer <- &Later{Resume: true}
		b.want("0/0")
		if got := b.hand(0, 0).d.State; got != "a reply" {
			t.Errorf("State is %v, want what the Handler left", got)
		}
	})
}

func TestNothingStartsWithoutALease(t *testing.T) {
	inBubble(t, Unordered, 1, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 1)
		pass(leaseTime)
		b.fill(p, 1, 1)
		b.answer(0, 0, nil)
		b.want()
		if n := b.engine.need(); !n.urgent {
			t.Error("nobody asks for the lease")
		}
		b.commit()
		b.want("0/1")
	})
}

func TestWakeMakesEverythingDue(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 3)
		b.fail(0, 0, time.Hour)
		b.answer(0, 1, &Later{After: time.Hour, Held: true})
		if s := b.stats(); s.Waiting != 2 || s.Held != 1 {
			t.Errorf("waiting %d, held %d, want 2 and 1", s.Waiting, s.Held)
		}
		b.engine.wake()
		b.want("0/1", "0/2")
		b.commit()
		b.want("0/0", "0/1", "0/2")
		if s := b.stats(); s.Waiting != 0 || s.Held != 0 {
			t.Errorf("waiting %d, held %d, want none", s.Waiting, s.Held)
		}
	})
}

// A call that was on the wire when the settings changed decided by the old ones.
func TestWakeReachesWhatIsInFlight(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		b.fill(b.open(0, 0), 0, 1)
		b.engine.wake()
		b.fail(0, 0, time.Hour)
		b.commit()
		b.want("0/0")
		b.fail(0, 0, time.Hour)
		b.commit()
		b.want()
	})
}

func TestSetOrder(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		b.feed(p, 0, "a", "b", "a", "b")
		b.answer(0, 1, nil)
		b.fail(0, 3, time.Hour)
		b.engine.setOrder(Ordered)
		b.feed(p, 4, "a", "b")
		b.want("0/0", "0/2") // what is in flight finishes first
		b.fail(0, 0, time.Hour)
		b.want("0/2")
		b.answer(0, 2, nil)
		b.commit()
		b.want("0/0") // due at once, and alone
		b.answer(0, 0, nil)
		b.commit()
		b.want("0/3")
		b.engine.setOrder(OrderedByKey)
		b.answer(0, 3, nil)
		b.want("0/4", "0/5")
	})
}

func TestStopLetsGoOfEverything(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 20)
		b.fail(0, 0, time.Hour)
		b.fail(0, 1, 0)
		h := b.hand(0, 2)
		b.engine.stop(p)
		b.answer(0, 3, nil)
		b.want("0/2", "0/4", "0/5")
		select {
		case <-p.drained:
			t.Fatal("drained with calls in flight")
		default:
		}
		p.cancel()
		<-p.drained
		if h.ctx.Err() == nil {
			t.Error("the calls' context goes on")
		}
		told := b.engine.takeBatch(p)
		if len(told.told) != 1 || told.told[0].position.Offset != 0 {
			t.Errorf("the last commit tells %+v, want offset 0", told.told)
		}
		if n := p.tracker.Attempts(1); n != 1 {
			t.Errorf("record 1 has %d attempts, want 1: the next one was never made", n)
		}
		b.engine.release(p)
		b.commit()
		b.engine.wake()
		b.want()
	})
}

func TestAnErrorIsTriedAgainWithBackoff(t *testing.T) {
	inBubble(t, Unordered, 4, func(b *bench) {
		b.fill(b.open(0, 0), 0, 1)
		for range 3 {
			b.answer(0, 0, errors.New("broken"))
			b.want()
			pass(time.Second)
			b.want("0/0")
		}
		if s := b.stats(); s.HandlerErrors != 3 {
			t.Errorf("%d errors counted, want 3", s.HandlerErrors)
		}
	})
}

func TestMemoryAndBacklogPauseReading(t *testing.T) {
	inBubble(t, Ordered, 1, func(b *bench) {
		p := b.open(0, 0)
		src := p.source.(*taps)
		b.engine.backlogLimit = 0 // the least: minBacklog
		b.fill(p, 0, minBacklog)
		if src.paused {
			t.Fatal("paused below the limit")
		}
		b.fill(p, minBacklog, 10)
		if !src.paused {
			t.Fatal("not paused at the limit")
		}
		for o := range int64(minBacklog/2 + 10) {
			b.answer(0, o, nil)
		}
		if src.paused {
			t.Fatal("still paused when half of it is gone")
		}
	})
}

func TestAPartitionAloneWithABacklogMayUseItAll(t *testing.T) {
	inBubble(t, Ordered, 1, func(b *bench) {
		const limit = 4 * minBacklog
		b.engine.backlogLimit = limit
		p, q := b.open(0, 0), b.open(1, 0)
		b.fill(p, 0, limit)
		if p.source.(*taps).paused {
			t.Fatal("paused although no other partition has a backlog")
		}
		b.fill(q, 0, limit/2-1)
		if q.source.(*taps).paused {
			t.Fatal("paused below its half")
		}
		b.fill(q, limit/2-1, 10)
		b.fill(p, limit, 1)
		if !p.source.(*taps).paused || !q.source.(*taps).paused {
			t.Fatal("not paused, and both have more than their halves")
		}
		b.engine.stop(q)
		for o := range int64(limit/2 + 1) {
			b.answer(0, o, nil)
		}
		if p.source.(*taps).paused {
			t.Fatal("still paused with half of it gone, and alone again")
		}
	})
}

func TestABufferThatIsFullPausesWhoHasItsShare(t *testing.T) {
	inBubble(t, Unordered, 1000, func(b *bench) {
		b.buffer.limit = 1 << 20
		greedy := b.buffer.open(func() {})
		greedy.add(2 << 20)
		p := b.open(0, 0)
		src := p.source.(*taps)
		b.fill(p, 0, 100)
		if src.paused {
			t.Fatal("paused within its own share")
		}
		for o := int64(100); !src.paused; o += 100 {
			b.fill(p, o, 100)
		}
		if used, share := b.engine.account.used.Load(), b.buffer.share(); used < share || used > 2*share {
			t.Errorf("paused with %d bytes, want about the share of %d", used, share)
		}
		greedy.close()
		b.engine.regulateAll()
		if src.paused {
			t.Error("still paused although memory is free")
		}
	})
}

func TestIdleWorkersEnd(t *testing.T) {
	inBubble(t, Unordered, 50, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 50)
		for o := range int64(50) {
			b.answer(0, o, nil)
		}
		b.engine.trim()
		b.fill(p, 50, 2)
		b.answer(0, 50, nil)
		b.answer(0, 51, nil)
		b.engine.trim()
		b.engine.mu.Lock()
		defer b.engine.mu.Unlock()
		if n := len(b.engine.workers.idle); n != 2 {
			t.Errorf("%d workers rest, want the 2 that were needed", n)
		}
	})
}

func TestLagCountsHolesOut(t *testing.T) {
	inBubble(t, Ordered, 1, func(b *bench) {
		p := b.open(0, 0)
		b.fill(p, 0, 2)
		b.fill(p, 1000, 2)
		if n := b.stats().Lag; n != 4 {
			t.Errorf("lag is %d, want 4", n)
		}
		b.answer(0, 0, nil)
		b.answer(0, 1, nil)
		if n := b.stats().Lag; n != 2 {
			t.Errorf("lag is %d, want 2", n)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Ordered, 1)
		defer b.close()
		calls := 0
		b.engine.handler = func(_ context.Context, d *Delivery) error {
			if calls++; calls == 1 {
				panic("boom")
			}
			return nil
		}
		b.fill(b.open(0, 0), 0, 2)
		pass(time.Second)
		synctest.Wait()
		if s := b.stats(); s.Settled != 2 || s.HandlerErrors != 1 {
			t.Errorf("settled %d, errors %d, want 2 and 1", s.Settled, s.HandlerErrors)
		}
	})
}

// A committer that rests is woken by the first call: it has the lease to renew, and the
// attempts to tell when the call fails, although nothing else wakes it.
func TestTheFirstCallWakesTheCommitter(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		if n := b.engine.need(); n != (need{}) {
			t.Fatalf("there is %+v to do", n)
		}
		before := b.kickCount()
		b.fill(p, 0, 3)
		if n := b.kickCount() - before; n != 1 {
			t.Errorf("%d kicks, want 1", n)
		}
		for offset := range int64(3) {
			b.fail(0, offset, time.Hour)
		}
		if n := b.engine.need(); !n.dirty {
			t.Error("there are no attempts to tell")
		}
	})
}
