package consumer

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kurier.dev/kurier/offsets"
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

// One key that fails with 60 % of the traffic leaves the other keys alone, far beyond
// what the map could list, and what is told survives a crash.
func TestOneKeyThatFailsLeavesTheOthersAlone(t *testing.T) {
	inBubble(t, OrderedByKey, 10, func(b *bench) {
		b.buffer.limit = 256 << 20 // what a process has unless it is told otherwise
		settled := map[int64]int{}
		b.engine.handler = func(_ context.Context, d *Delivery) error {
			if string(d.Record.Key) == "bad" {
				return &Later{After: time.Hour}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			settled[d.Record.Offset]++
			return nil
		}
		p := b.open(0, 0)
		const records, batch = 100_000, 1000
		keys := make([]string, batch)
		for i := range keys {
			keys[i] = "bad"
			if i%5 < 2 {
				keys[i] = fmt.Sprint("good-", i%7)
			}
		}
		for offset := int64(0); offset < records; offset += batch {
			b.feed(p, offset, keys...)
			told := b.commit() // keeps the lease
			if at := told.told[0].position; at.Dropped > 0 || at.Offset != 2 {
				t.Fatalf("at %d the commit is at %d, want 2, and leaves %d out", offset, at.Offset, at.Dropped)
			}
		}
		if s := b.stats(); len(settled) != records*2/5 || s.WindowFull || p.source.(*taps).paused || s.Lag != records*3/5 {
			t.Fatalf("%d of %d settled, lag %d, window full %v", len(settled), records*2/5, s.Lag, s.WindowFull)
		}
		// The next owner skips what was settled and finds the key again.
		at := p.tracker.Snapshot()
		next, err := offsets.Decode(at.Offset, at.Metadata, 0)
		if err != nil {
			t.Fatal(err)
		}
		b.engine.stop(p)
		b.engine.release(p)
		q := b.openWith(0, next)
		for offset := int64(0); offset < records; offset += batch {
			from := max(offset, at.Offset)
			b.feed(q, from, keys[from-offset:]...)
			b.commit()
		}
		for offset, n := range settled {
			if n > 1 {
				t.Fatalf("record %d was settled before and handled again", offset)
			}
		}
		b.engine.handler = settle
		b.engine.wake()
		for range 10 {
			b.commit() // heads were attempted before
		}
		if s := b.stats(); s.Lag != 0 || b.engine.parkedBytes != 0 {
			t.Errorf("lag %d with %d bytes parked when all is healed", s.Lag, b.engine.parkedBytes)
		}
	})
}

// What is parked takes at most half of the Buffer; then reading pauses and status says
// so. Once there is room the partitions go on, whichever of them made it.
func TestParkedRecordsAreBounded(t *testing.T) {
	inBubble(t, OrderedByKey, 10, func(b *bench) {
		var healed atomic.Bool
		b.engine.handler = func(context.Context, *Delivery) error {
			if healed.Load() {
				return nil
			}
			return &Later{After: time.Hour}
		}
		b.buffer.limit = 8 << 20
		p, q := b.open(0, 0), b.open(1, 0)
		keys := slices.Repeat([]string{"bad"}, 1000)
		for offset := int64(0); offset < 40_000; offset += 1000 {
			b.feed(p, offset, keys...)
			b.feed(q, offset, keys...)
			b.commit()
		}
		if n := b.engine.parkedBytes; n > 4<<20 || n < 3<<20 {
			t.Errorf("%d bytes are parked, want just below 4 MiB", n)
		}
		if !b.stats().WindowFull || !p.source.(*taps).paused || !q.source.(*taps).paused {
			t.Error("nothing says that the window is full")
		}
		if at := p.tracker.Snapshot(); at.Dropped > 0 {
			t.Errorf("the commit leaves %d out", at.Dropped)
		}
		healed.Store(true)
		b.engine.wake()
		for range 10 {
			b.commit()
		}
		if s := b.stats(); s.Lag != 0 || s.WindowFull || b.engine.parkedBytes != 0 {
			t.Errorf("lag %d, window full %v, %d bytes parked when all is healed", s.Lag, s.WindowFull, b.engine.parkedBytes)
		}
	})
}

// A change of the order brings everything that is parked back.
func TestAnOrderChangeEndsParking(t *testing.T) {
	inBubble(t, OrderedByKey, 1000, func(b *bench) {
		p := b.open(0, 0)
		b.feed(p, 0, slices.Repeat([]string{"k"}, 300)...)
		if b.engine.parkedBytes == 0 {
			t.Fatal("nothing is parked")
		}
		b.engine.setOrder(Unordered)
		b.answer(0, 0, nil)
		b.commit()
		if n := len(b.inHand()); n != 299 || b.engine.parkedBytes != 0 {
			t.Errorf("%d in hand, %d bytes parked, want 299 and none", n, b.engine.parkedBytes)
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
