package offsets

import (
	"math"
	"testing"
	"time"
)

func TestFrontierNeverPassesAFailure(t *testing.T) {
	k := New(100)
	for o := int64(100); o < 110; o++ {
		k.Track(o, nil)
	}
	for _, o := range []int64{109, 101, 102, 105} {
		k.Done(o)
	}
	if k.Frontier() != 100 || k.Unsettled() != 6 {
		t.Fatalf("frontier %d, %d unsettled", k.Frontier(), k.Unsettled())
	}
	k.Done(100)
	if k.Frontier() != 103 {
		t.Fatalf("frontier %d, want 103", k.Frontier())
	}
	for o := int64(100); o < 110; o++ {
		k.Done(o)
	}
	if k.Frontier() != 110 || k.Unsettled() != 0 {
		t.Fatalf("frontier %d, %d unsettled", k.Frontier(), k.Unsettled())
	}
}

func TestTrackRefusesWhatIsNotHigher(t *testing.T) {
	k := New(10)
	if k.Track(9, nil) != Settled || k.Track(12, nil) != Unsettled || k.Track(12, nil) != Settled || k.Track(11, nil) != Settled {
		t.Fatal("Track takes an offset that is not higher than the last")
	}
	if k.Frontier() != 12 || k.Next() != 13 || k.Unsettled() != 1 {
		t.Fatalf("frontier %d, next %d, %d unsettled", k.Frontier(), k.Next(), k.Unsettled())
	}
}

// TestJW20Gap: 10 million offsets without a record cost nothing.
func TestJW20Gap(t *testing.T) {
	const gap = 10_000_000
	allocs := testing.AllocsPerRun(1, func() {
		k := New(0)
		for o := int64(0); o < 100*gap; o += gap {
			k.Track(o, nil)
			if o > 0 {
				k.Done(o)
			}
		}
		if k.Frontier() != 0 || k.Backlog(100*gap) != gap {
			t.Fatalf("frontier %d, backlog %d", k.Frontier(), k.Backlog(100*gap))
		}
		k.Done(0)
		if k.Frontier() != 99*gap+1 {
			t.Fatalf("frontier %d", k.Frontier())
		}
	})
	if allocs > 10 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestHole: completions beyond a hole take no memory, whatever their number and
// order, and the map of them stays small.
func TestHole(t *testing.T) {
	const n, flight = 100_000, 100
	k := New(0)
	k.Track(0, nil)
	for o := int64(1); o <= n; o++ {
		k.Track(o, nil)
		// Two in reverse order, always with some in flight.
		if o%2 == 0 && o > flight {
			k.Done(o - flight)
			k.Done(o - flight - 1)
		}
	}
	if c := cap(k.win); c > 4*flight {
		t.Errorf("room for %d entries, want at most %d", c, 4*flight)
	}
	p := k.Snapshot()
	if p.Offset != 0 || len(p.Metadata) > 64 {
		t.Errorf("offset %d, %d characters", p.Offset, len(p.Metadata))
	}
	restarted, err := Decode(p.Offset, p.Metadata, 0)
	if err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for o := int64(0); o <= n; o++ {
		if restarted.Track(o, nil) == Unsettled {
			fresh++
		}
	}
	if fresh != k.Unsettled() {
		t.Errorf("%d are fresh after a restart, %d were unsettled", fresh, k.Unsettled())
	}
}

// TestInOrderDoesNotAllocate: the common case.
func TestInOrderDoesNotAllocate(t *testing.T) {
	for name, flight := range map[string]int64{"one at a time": 0, "100 in flight": 100} {
		k := New(0)
		next := int64(0)
		step := func() {
			k.Fits(next)
			k.Track(next, nil)
			k.SetAttempts(next, 1)
			if next >= flight {
				k.Done(next - flight)
			}
			next++
		}
		for range 1000 {
			step()
		}
		if n := testing.AllocsPerRun(10_000, step); n != 0 {
			t.Errorf("%s: %v allocations per offset", name, n)
		}
	}
}

// TestRestartBeforeAllIsTrackedAgain: what the map tells survives any number of
// restarts on the way through it.
func TestRestartBeforeAllIsTrackedAgain(t *testing.T) {
	k := New(0)
	for o := range int64(100) {
		k.Track(o, nil)
		if o%10 != 0 {
			k.Done(o)
		} else {
			k.SetAttempts(o, int(o))
		}
	}
	for o := range int64(100) {
		p := k.Snapshot()
		var err error
		if k, err = Decode(p.Offset, p.Metadata, 0); err != nil {
			t.Fatal(err)
		}
		if k.Frontier() != p.Offset || k.Known() != 100 || k.Backlog(150) != 50+10-(o+9)/10 {
			t.Fatalf("at %d: frontier %d, known %d, backlog %d", o, k.Frontier(), k.Known(), k.Backlog(150))
		}
		if o < p.Offset {
			continue
		}
		if got := k.Attempts(o); o%10 == 0 && got != int(o) {
			t.Fatalf("Attempts(%d) = %d before it is tracked", o, got)
		}
		if fresh := k.Track(o, nil) == Unsettled; fresh != (o%10 == 0) {
			t.Fatalf("Track(%d) = %v", o, fresh)
		}
		k.Done(o)
	}
	if p := k.Snapshot(); p != (Position{Offset: 100}) {
		t.Fatalf("in the end %v", p)
	}
}

// TestMapOfRecordsThatAreGone: retention took unsettled offsets of the map.
func TestMapOfRecordsThatAreGone(t *testing.T) {
	k := New(0)
	for o := range int64(10) {
		k.Track(o, nil)
	}
	k.Done(5)
	p := k.Snapshot()
	k, _ = Decode(p.Offset, p.Metadata, 0)
	if k.Track(5, nil) != Settled || k.Frontier() != 6 || k.Unsettled() != 0 {
		t.Fatalf("frontier %d, %d unsettled", k.Frontier(), k.Unsettled())
	}
	if k.Track(7, nil) != Unsettled || k.Frontier() != 7 {
		t.Fatalf("frontier %d", k.Frontier())
	}
	if k.Track(20, nil) != Unsettled || k.Frontier() != 7 || k.Known() != 21 || k.Backlog(21) != 2 {
		t.Fatalf("frontier %d, known %d, backlog %d", k.Frontier(), k.Known(), k.Backlog(21))
	}
}

func TestAttemptsAreCut(t *testing.T) {
	k := New(0)
	k.Track(0, nil)
	for n, want := range map[int]int{-1: 0, 5: 5, math.MaxInt: math.MaxInt32} {
		if k.SetAttempts(0, n); k.Attempts(0) != want {
			t.Errorf("SetAttempts(%d) gives %d", n, k.Attempts(0))
		}
	}
	if k.Attempts(1) != 0 {
		t.Error("an unknown offset has attempts")
	}
}

// TestFast keeps the cost per offset in view: a window of thousands must not
// make Track and Done slow.
func TestFast(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	k := New(0)
	var waiting []int64
	start := time.Now()
	const n = 300_000
	for o := range int64(n) {
		k.Fits(o)
		k.Track(o, nil)
		if o%100 == 0 {
			waiting = append(waiting, o)
		} else {
			k.Done(o)
		}
		if len(waiting) > 2000 { // a retry succeeds, somewhere in the window
			i := int(o*7919) % len(waiting)
			k.Done(waiting[i])
			waiting = append(waiting[:i], waiting[i+1:]...)
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d offsets took %v", n, took)
	}
}
