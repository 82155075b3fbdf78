package offsets

import (
	"maps"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twin is the dumb twin of a Tracker: a log, and plain sets.
type twin struct {
	log      []int64 // offsets that hold a record
	pos      int     // index in log of the next record to fetch
	frontier int64   // before anything is tracked
	settled  map[int64]bool
	attempts map[int64]int
	tracked  map[int64]bool // since the last restart
	parked   map[int64]bool // of the tracked ones
}

// key is the key of an offset's record: some have none.
func (w *twin) key(o int64) []byte { return [][]byte{nil, []byte("a"), []byte("b"), []byte("a")}[o%4] }

// parkedOf lists what is parked of a key, in order.
func (w *twin) parkedOf(key []byte) (all []int64) {
	for _, o := range w.open() {
		if w.parked[o] && string(w.key(o)) == string(key) {
			all = append(all, o)
		}
	}
	return all
}

// ordinary lists the unsettled offsets that are not parked.
func (w *twin) ordinary() []int64 {
	return slices.DeleteFunc(w.open(), func(o int64) bool { return w.parked[o] })
}

func newTwin(frontier int64, log []int64) *twin {
	return &twin{log: log, frontier: frontier, settled: map[int64]bool{}, attempts: map[int64]int{}, tracked: map[int64]bool{}, parked: map[int64]bool{}}
}

func (w *twin) clone() *twin {
	c := *w
	c.settled, c.attempts, c.tracked, c.parked = maps.Clone(w.settled), maps.Clone(w.attempts), maps.Clone(w.tracked), maps.Clone(w.parked)
	return &c
}

// next is the last tracked offset + 1.
func (w *twin) next() int64 {
	if w.pos == 0 || w.log[w.pos-1] < w.frontier {
		return w.frontier
	}
	return w.log[w.pos-1] + 1
}

// open lists the unsettled tracked offsets in order.
func (w *twin) open() (open []int64) {
	for _, o := range w.log[:w.pos] {
		if w.tracked[o] && !w.settled[o] {
			open = append(open, o)
		}
	}
	return open
}

func (w *twin) lowest() int64 {
	if open := w.open(); len(open) > 0 {
		return open[0]
	}
	return w.next()
}

// restart goes back to the frontier: what is settled and what was attempted
// stays known, nothing is tracked.
func (w *twin) restart() {
	w.frontier = w.lowest()
	w.tracked, w.parked = map[int64]bool{}, map[int64]bool{}
	for w.pos > 0 && w.log[w.pos-1] >= w.frontier {
		w.pos--
	}
}

// drawLog draws offsets with gaps of all sizes.
func drawLog(t *rapid.T, frontier int64, n int) []int64 {
	log := make([]int64, n)
	next := frontier
	for i := range log {
		switch rapid.IntRange(0, 19).Draw(t, "gap") {
		case 0:
			next += rapid.Int64Range(1, 10_000_000).Draw(t, "large")
		case 1, 2, 3:
			next += rapid.Int64Range(1, 5).Draw(t, "small")
		}
		log[i] = next
		next++
	}
	return log
}

// agree compares everything that a Tracker shows with the twin.
func agree(t *rapid.T, k *Tracker, w *twin) {
	if got, want := k.Frontier(), w.lowest(); got != want {
		t.Fatalf("Frontier = %d, want %d", got, want)
	}
	if got, want := k.Next(), w.next(); got != want {
		t.Fatalf("Next = %d, want %d", got, want)
	}
	open := w.open()
	if got := k.Unsettled(); got != len(open) {
		t.Fatalf("Unsettled = %d, want %d", got, len(open))
	}
	for _, o := range open {
		if got := k.Attempts(o); got != w.attempts[o] {
			t.Fatalf("Attempts(%d) = %d, want %d", o, got, w.attempts[o])
		}
	}
}

// sound checks the sums that a Tracker keeps against a fresh count.
func sound(t *rapid.T, k *Tracker) {
	live, runs, escapes := 0, 0, 0
	win := k.win[k.head:]
	for i, e := range win {
		if i > 0 {
			runs += runBits(win[i-1].offset, e.offset)
		}
		if !e.done {
			live++
			escapes += escapeBits(e.attempts, k.room.width)
			if e.attempts > k.room.attempts {
				t.Fatalf("%d attempts, more than the highest known %d", e.attempts, k.room.attempts)
			}
		}
	}
	parked := 0
	for _, g := range k.groups {
		parked += len(g.offsets)
		if !slices.IsSorted(g.offsets) {
			t.Fatalf("parked out of order: %v", g.offsets)
		}
	}
	if parked != k.parked {
		t.Fatalf("%d parked, counted %d", parked, k.parked)
	}
	if live != k.live || runs != k.runs || escapes != k.room.escapes {
		t.Fatalf("counted live %d, runs %d, escapes %d; kept %d, %d, %d", live, runs, escapes, k.live, k.runs, k.room.escapes)
	}
	if len(win) > 0 && (win[0].done || win[len(win)-1].done) {
		t.Fatal("a tombstone at an end")
	}
}

// TestTwin drives a Tracker and its twin through the same random life, crashes
// included: after a crash both go on from the last snapshot.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frontier := rapid.Int64Range(0, 1<<40).Draw(t, "frontier")
		w := newTwin(frontier, drawLog(t, frontier, rapid.IntRange(1, 200).Draw(t, "records")))
		k := New(frontier)
		k.SetTopic(7)
		last, lastTwin := k.Snapshot(), w.clone()
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				agree(t, k, w)
				sound(t, k)
			},
			"sweep":   func(*rapid.T) { k.sweep() },
			"reserve": func(t *rapid.T) { k.ReserveAttempts(rapid.IntRange(0, 100).Draw(t, "attempts")) },
			"track": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "n") {
					if w.pos == len(w.log) {
						return
					}
					o := w.log[w.pos]
					w.pos++
					standing := w.take(k, o, rapid.Bool().Draw(t, "park"))
					if fresh := standing != Settled; fresh == w.settled[o] {
						t.Fatalf("Track(%d) = %v, but settled is %v", o, standing, w.settled[o])
					}
					w.tracked[o], w.parked[o] = !w.settled[o], standing == Parked
					if k.Track(o, nil) != Settled {
						t.Fatalf("Track(%d) is fresh twice", o)
					}
				}
			},
			"unpark": func(t *rapid.T) {
				key := rapid.SampledFrom([][]byte{[]byte("a"), []byte("b"), []byte("c")}).Draw(t, "key")
				for _, o := range w.parkedOf(key)[:min(len(w.parkedOf(key)), rapid.IntRange(1, 5).Draw(t, "n"))] {
					k.Unpark(o, key)
					w.parked[o] = false
				}
			},
			"unpark all": func(*rapid.T) {
				k.UnparkAll()
				clear(w.parked)
			},
			"done": func(t *rapid.T) {
				for range rapid.IntRange(1, 10).Draw(t, "n") {
					open := w.ordinary()
					if len(open) == 0 {
						return
					}
					o := rapid.SampledFrom(open).Draw(t, "offset")
					k.Done(o)
					k.Done(o)
					w.settled[o] = true
				}
			},
			"attempt": func(t *rapid.T) {
				open := w.ordinary()
				if len(open) == 0 {
					return
				}
				o := rapid.SampledFrom(open).Draw(t, "offset")
				w.attempts[o] = rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 1<<31-1)).Draw(t, "attempts")
				k.SetAttempts(o, w.attempts[o])
			},
			"snapshot": func(t *rapid.T) {
				last, lastTwin = k.Snapshot(), w.clone()
				if last.Offset != w.lowest() || len(last.Metadata) > DefaultLimit || last.Dropped != 0 {
					t.Fatalf("Snapshot = %d, %d characters, %d dropped", last.Offset, len(last.Metadata), last.Dropped)
				}
			},
			"crash": func(t *rapid.T) {
				var err error
				if k, err = Decode(last.Offset, last.Metadata, 7); err != nil {
					t.Fatal(err)
				}
				w = lastTwin.clone()
				w.restart()
				if again := k.Snapshot(); again != last {
					t.Fatalf("decoded and encoded again: %v instead of %v", again, last)
				}
			},
			"unknown": func(t *rapid.T) {
				o := rapid.Int64().Draw(t, "offset")
				if w.tracked[o] {
					return
				}
				k.Done(o)
				k.SetAttempts(o, 3)
			},
		})
	})
}

// take tracks the next offset. Where others of its key are parked it is parked too.
func (w *twin) take(k *Tracker, o int64, park bool) Standing {
	if key := w.key(o); (park || len(w.parkedOf(key)) > 0) && k.MayPark(key) {
		return k.Park(o, key)
	}
	return k.Track(o, w.key(o))
}

// TestLimits: whatever the limit, the metadata obeys it, and what it tells is
// true: nothing unsettled is ever claimed done, and the frontier is right.
func TestLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frontier := rapid.Int64Range(0, 1<<50).Draw(t, "frontier")
		log := drawLog(t, frontier, rapid.IntRange(1, 600).Draw(t, "records"))
		limit := rapid.IntRange(0, 300).Draw(t, "limit")
		k := New(frontier)
		k.SetTopic(TopicHash(rapid.Uint32().Draw(t, "topic")))
		k.SetLimit(limit)
		open := map[int64]int{}
		share := rapid.IntRange(0, 100).Draw(t, "share")
		w := newTwin(frontier, log)
		for _, o := range log {
			if w.take(k, o, rapid.IntRange(0, 3).Draw(t, "park") == 0) == Parked {
				open[o] = 0
				continue
			}
			open[o] = rapid.IntRange(0, 40).Draw(t, "attempts")
			k.SetAttempts(o, open[o])
			if rapid.IntRange(0, 99).Draw(t, "done") < share {
				k.Done(o)
				delete(open, o)
			}
		}
		p := k.Snapshot()
		if len(p.Metadata) > limit || p.Dropped < 0 || p.Dropped > len(open) {
			t.Fatalf("%d characters, %d dropped, limit %d", len(p.Metadata), p.Dropped, limit)
		}
		restarted, err := Decode(p.Offset, p.Metadata, 0)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, o := range log {
			attempts, unsettled := open[o]
			fresh := restarted.Track(o, w.key(o)) != Settled
			if unsettled && !fresh {
				t.Fatalf("offset %d is lost: unsettled, but not fresh; %v", o, p)
			}
			if !fresh || o < p.Offset {
				continue
			}
			if got := restarted.Attempts(o); unsettled && got == attempts {
				told++
			} else if got != 0 {
				t.Fatalf("offset %d has %d attempts instead of %d", o, got, attempts)
			}
		}
		if told < len(open)-p.Dropped {
			t.Fatalf("%d of %d are told of, but %d dropped", told, len(open), p.Dropped)
		}
	})
}
