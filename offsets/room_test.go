package offsets

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// fill tracks offsets as long as they fit, up to limit unsettled ones. pattern
// gives the distance to the next offset and whether it is done at once.
func fill(k *Tracker, limit int, pattern func() (step int64, done bool)) {
	for k.Unsettled() < limit {
		step, done := pattern()
		o := k.Next() + step
		if !k.Fits(o) {
			return
		}
		k.Track(o, nil)
		if done {
			k.Done(o)
		}
	}
}

// failing is a share of percent that fails, in random positions.
func failing(r *rand.Rand, percent float64) func() (int64, bool) {
	return func() (int64, bool) { return 0, r.Float64()*100 >= percent }
}

// TestThousandWaiting is the promise of 4.12: a window holds at least 1,000
// waiting events at any share of failures from 1 to 50 %, with their attempts,
// within 4096 bytes, whatever completes.
func TestThousandWaiting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, attempts := range []int{14, 30000} {
		for percent := 1; percent <= 50; percent++ {
			k := New(1 << 40)
			k.SetTopic(1)
			k.ReserveAttempts(attempts)
			fill(k, 1000, failing(r, float64(percent)))
			for _, e := range k.win[k.head:] {
				k.SetAttempts(e.offset, r.IntN(attempts+1))
			}
			p := k.Snapshot()
			if k.Unsettled() < 1000 || p.Dropped > 0 || len(p.Metadata) > DefaultLimit {
				t.Errorf("%d %%, up to %d attempts: %d waiting, %d characters, %d dropped",
					percent, attempts, k.Unsettled(), len(p.Metadata), p.Dropped)
			}
		}
	}
}

// TestWhatFitsAlwaysFits: after Fits no order of completions and no counts up to
// the reserve make the map too large.
func TestWhatFitsAlwaysFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		reserve := rapid.SampledFrom([]int{1, 2, 14, 15, 1000}).Draw(t, "reserve")
		limit := rapid.SampledFrom([]int{1024, 2000, 4096}).Draw(t, "limit")
		k := New(rapid.Int64Range(0, 1<<50).Draw(t, "frontier"))
		k.SetTopic(1)
		k.SetLimit(limit)
		k.ReserveAttempts(reserve)
		percent := rapid.Float64Range(0.5, 100).Draw(t, "percent")
		gap := rapid.Int64Range(0, 200).Draw(t, "gap")
		burst := rapid.Int64Range(0, 100_000).Draw(t, "burst")
		fill(k, 1<<20, func() (int64, bool) {
			step := r.Int64N(gap + 1)
			if r.IntN(100) == 0 {
				step += burst
			}
			return step, r.Float64()*100 >= percent
		})
		for left := 3; left > 0; left-- {
			for _, e := range k.win[k.head:] {
				if !e.done {
					k.SetAttempts(e.offset, r.IntN(reserve+1))
				}
			}
			if p := k.Snapshot(); p.Dropped > 0 || len(p.Metadata) > limit {
				t.Fatalf("%d unsettled: %d characters of %d, %d dropped", k.Unsettled(), len(p.Metadata), limit, p.Dropped)
			}
			settleSome(k, r)
		}
	})
}

func settleSome(k *Tracker, r *rand.Rand) {
	var open []int64
	for _, e := range k.win[k.head:] {
		if !e.done {
			open = append(open, e.offset)
		}
	}
	for _, o := range open {
		if r.IntN(3) == 0 {
			k.Done(o)
		}
	}
}

func TestWindow(t *testing.T) {
	k := New(0)
	if k.Full() || k.Capacity() < 4000 {
		t.Errorf("an empty window: full %v, capacity %d", k.Full(), k.Capacity())
	}
	fill(k, 1<<20, func() (int64, bool) { return 0, false })
	if !k.Full() || k.Unsettled() < 4000 || k.Unsettled() != k.Capacity() {
		t.Errorf("a full window: full %v, %d unsettled, capacity %d", k.Full(), k.Unsettled(), k.Capacity())
	}
	k.Done(0)
	if k.Full() {
		t.Error("the window is still full when the first is done")
	}
	k.SetLimit(0)
	if p := k.Snapshot(); p.Metadata != "" || p.Dropped != k.Unsettled() || !k.Full() {
		t.Errorf("without room: %v, full %v", p, k.Full())
	}
	for o := int64(leastWindow); o < k.Next(); o++ {
		k.Done(o)
	}
	if k.Full() || k.Capacity() != leastWindow {
		t.Errorf("the least window: %d unsettled, full %v, capacity %d", k.Unsettled(), k.Full(), k.Capacity())
	}
}

// TestMapsOfAFormerOwnerFit: what was in the map may always be tracked again,
// also when the limit shrank meanwhile.
func TestMapsOfAFormerOwnerFit(t *testing.T) {
	k := New(0)
	fill(k, 1<<20, failing(rand.New(rand.NewPCG(3, 4)), 10))
	p := k.Snapshot()
	n, end := k.Unsettled(), k.Next()
	k, err := Decode(p.Offset, p.Metadata, 0)
	if err != nil {
		t.Fatal(err)
	}
	k.SetLimit(1000)
	for o := int64(0); o < end; o++ {
		if !k.Fits(o) {
			t.Fatalf("%d does not fit", o)
		}
		k.Track(o, nil)
	}
	if k.Unsettled() != n || !k.Full() {
		t.Errorf("%d of %d, full %v", k.Unsettled(), n, k.Full())
	}
}

// TestHighCounts: counts beyond the reserve are kept exactly, and Fits sees them.
func TestHighCounts(t *testing.T) {
	k := New(0)
	fill(k, 1000, failing(rand.New(rand.NewPCG(5, 6)), 5))
	before := k.Capacity()
	for _, e := range k.win[k.head:] {
		k.SetAttempts(e.offset, 5000)
	}
	if k.Capacity() >= before {
		t.Errorf("capacity %d before, %d with high counts", before, k.Capacity())
	}
	p := k.Snapshot()
	d, err := Decode(p.Offset, p.Metadata, 0)
	if err != nil || d.Attempts(k.win[len(k.win)-1].offset) != 5000 {
		t.Errorf("%v, %d attempts", err, d.Attempts(k.win[len(k.win)-1].offset))
	}
	for _, e := range append([]entry(nil), k.win[k.head:]...) {
		k.Done(e.offset)
	}
	if k.room.escapes != 0 || k.room.attempts != 0 {
		t.Errorf("an empty window remembers %+v", k.room)
	}
}

// TestHighCountsAreForgotten: one event with many attempts does not narrow the
// window for ever.
func TestHighCountsAreForgotten(t *testing.T) {
	k := New(0)
	k.Track(0, nil)
	k.Track(1, nil)
	k.SetAttempts(1, 1<<30)
	for o := int64(2); o < 1000; o++ {
		k.Track(o, nil)
		k.Done(o - 1)
	}
	if k.room.attempts != 0 || k.Unsettled() != 2 {
		t.Errorf("%d unsettled, highest count %d", k.Unsettled(), k.room.attempts)
	}
}

// TestSizes prints how many waiting events a window holds for the worst
// patterns, and how long their map is; the table is kept in testdata.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	every := func(step int64) func() (int64, bool) {
		return func() (int64, bool) { return r.Int64N(2*step + 1), false }
	}
	var b strings.Builder
	b.WriteString("| Pattern, one partition | Map of 1,000 waiting | Window at 4096 | Its map | Window at 1024 |\n|---|---|---|---|---|\n")
	for _, c := range []struct {
		name    string
		pattern func() (int64, bool)
		stuck   int64
	}{
		{"100 % failing", failing(r, 100), 0},
		{"50 % failing, random", failing(r, 50), 0},
		{"25 % failing, random", failing(r, 25), 0},
		{"10 % failing, random", failing(r, 10), 0},
		{"5 % failing, random", failing(r, 5), 0},
		{"1 % failing, random", failing(r, 1), 0},
		{"0.1 % failing, random", failing(r, 0.1), 0},
		{"every second fails, exactly", func() (int64, bool) { return 1, false }, 0},
		{"1 in 10,000, random", every(10_000), 0},
		{"1 in 1,000,000, random", every(1_000_000), 0},
		{"one stuck, 10 million later 1 %", failing(r, 1), 10_000_000},
		{"one stuck, 1 billion later 1 %", failing(r, 1), 1_000_000_000},
	} {
		window := func(limit, most int) (int, int) {
			k := New(1 << 40)
			k.SetTopic(1)
			k.SetLimit(limit)
			if c.stuck > 0 { // one event that stays unsettled, and the others far behind it
				k.Track(1<<40, nil)
				k.Track(1<<40+c.stuck, nil)
			}
			fill(k, most, c.pattern)
			for _, e := range k.win[k.head:] {
				k.SetAttempts(e.offset, 1+r.IntN(11))
			}
			p := k.Snapshot()
			if len(p.Metadata) > limit || p.Dropped > 0 {
				t.Errorf("%s: %d characters, %d dropped", c.name, len(p.Metadata), p.Dropped)
			}
			return k.Unsettled(), len(p.Metadata)
		}
		_, thousand := window(DefaultLimit, 1000)
		full, size := window(DefaultLimit, 1<<20)
		low, _ := window(1024, 1<<20)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", c.name, thousand, full, size, low)
	}
	t.Log("\n" + b.String())
	golden(t, "testdata/sizes.md", b.String())
}

// golden compares with a file. KURIER_UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("KURIER_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; KURIER_UPDATE_GOLDEN=1 writes it anew. Now:\n%s", path, got)
	}
}
