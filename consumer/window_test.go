package consumer

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// JW-2: a thousand waiting records, anywhere in the partition, leave room for
// new ones. When the window is full at last, reading pauses and status says so;
// once a record is settled it goes on.
func TestTheWindow(t *testing.T) {
	for _, failing := range []int64{1, 10, 50, 100} {
		inBubble(t, Unordered, 100, func(b *bench) {
			var healed atomic.Bool
			b.engine.handler = func(_ context.Context, d *Delivery) error {
				if !healed.Load() && (d.Record.Offset*2654435761)%100 < failing {
					return &Later{After: time.Hour}
				}
				return nil
			}
			p := b.open(0, 0)
			src := p.source.(*taps)
			for offset := int64(0); !src.paused && offset < 1_000_000; offset += 1000 {
				b.fill(p, offset, 1000)
				b.commit() // keeps the lease
			}
			s := b.stats()
			if !src.paused || !s.WindowFull || s.Waiting < 1000 {
				b.t.Fatalf("%d %% failing: paused %v, window full %v with %d waiting, want both and at least 1000",
					failing, src.paused, s.WindowFull, s.Waiting)
			}
			t.Logf("%3d %% failing: full with %d waiting", failing, s.Waiting)
			if n := len(p.tracker.Snapshot().Metadata); n > 4096 {
				b.t.Errorf("%d %% failing: %d bytes of metadata", failing, n)
			}
			healed.Store(true)
			b.engine.wake()
			synctest.Wait()
			if s := b.stats(); src.paused || s.WindowFull || s.Lag != 0 {
				b.t.Errorf("%d %% failing: paused %v, window full %v, lag %d when all is settled", failing, src.paused, s.WindowFull, s.Lag)
			}
		})
	}
}

// One key that fails takes at most half of the window; the others go on as long
// as there is room.
func TestOneKeyTakesHalfOfTheWindow(t *testing.T) {
	inBubble(t, OrderedByKey, 10, func(b *bench) {
		b.engine.setLimit(2)
		p := b.open(0, 0)
		keys := slices.Repeat([]string{"bad"}, 40_000)
		b.feed(p, 0, keys...)
		half := p.tracker.Capacity() / 2
		if n := p.tracker.Unsettled(); n > half+1 || n < leastKeyLimit {
			t.Errorf("one key has %d records in the window, want about %d", n, half)
		}
		if !b.stats().WindowFull {
			t.Error("nothing says that the window is full")
		}
	})
}

// JW-20: a gap of ten million offsets costs neither time nor memory.
func TestAGapOfTenMillion(t *testing.T) {
	inBubble(t, Unordered, 10, func(b *bench) {
		p := b.open(0, 0)
		var before, after runtime.MemStats
		b.fill(p, 0, 2)
		b.answer(0, 0, nil)
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.fill(p, 10_000_000, 2)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.want("0/1", "0/10000000", "0/10000001")
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<10 {
			t.Errorf("the gap costs %d bytes", grown)
		}
		b.answer(0, 10_000_000, nil)
		if n := b.stats().Lag; n != 2 {
			t.Errorf("lag is %d, want 2", n)
		}
		b.answer(0, 1, nil)
		if at := b.engine.takeBatch(nil).told[0].position.Offset; at != 10_000_001 {
			t.Errorf("committed at %d, want 10000001", at)
		}
	})
}
