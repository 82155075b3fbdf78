package offsets

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

var bad = []byte("bad")

// parkedTracker has one key with 60 % of the records, of which the first is never done
// and all behind the first few are parked; everything else is done.
func parkedTracker(t testing.TB, records int64) *Tracker {
	t.Helper()
	k := New(0)
	k.SetTopic(7)
	rng := rand.New(rand.NewPCG(1, 2))
	inMap := 0
	for o := range records {
		if rng.IntN(10) >= 6 {
			k.Track(o, []byte("good"))
			k.Done(o)
			continue
		}
		if inMap++; inMap <= 64 {
			k.Track(o, bad)
		} else if !k.MayPark(bad) || k.Park(o, bad) != Parked {
			t.Fatalf("%d cannot be parked", o)
		}
	}
	return k
}

// TestParkedTakesNoRoom: however many offsets of a key are parked, the map stays small
// and tells everything.
func TestParkedTakesNoRoom(t *testing.T) {
	const records = 1_000_000
	k := parkedTracker(t, records)
	p := k.Snapshot()
	if p.Dropped > 0 || len(p.Metadata) > 200 || k.Full() {
		t.Fatalf("%d characters, %d dropped, full %v", len(p.Metadata), p.Dropped, k.Full())
	}
	t.Logf("%d unsettled in %d characters", k.Unsettled(), len(p.Metadata))
	restarted, err := Decode(p.Offset, p.Metadata, 7)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	unsettled := 0
	for o := range int64(records) {
		key := []byte("good")
		if rng.IntN(10) < 6 {
			key = bad
		}
		if standing := restarted.Track(o, key); (standing == Settled) != (string(key) == "good") && o >= p.Offset {
			t.Fatalf("offset %d of key %s: %d", o, key, standing)
		} else if standing != Settled {
			unsettled++
		}
	}
	if unsettled != k.Unsettled() || restarted.Unsettled() != unsettled {
		t.Errorf("%d, %d after the restart, want %d", unsettled, restarted.Unsettled(), k.Unsettled())
	}
	if again := restarted.Snapshot(); again != p {
		t.Errorf("it says %v after the restart, want %v", again, p)
	}
}

// TestAnOlderVersionReadsTheMapBeforeTheGroups: it skips the sections that it does not
// know, and what is left claims nothing that is not so.
func TestAnOlderVersionReadsTheMapBeforeTheGroups(t *testing.T) {
	k := parkedTracker(t, 1000)
	p := k.Snapshot()
	entries := make([]entry, 0, k.live)
	for _, e := range k.win[k.head:] {
		if !e.done && e.offset < k.split() {
			entries = append(entries, e)
		}
	}
	b := appendPositions([]byte{sectionMap}, p.Offset, k.split(), entries)
	old, err := Decode(p.Offset, later(p.Offset, minor+1, 7, b, []byte{77, 1, 2}), 7)
	if err != nil {
		t.Fatal(err)
	}
	if old.Known() != k.groups[0].offsets[0] {
		t.Errorf("it knows of everything below %d, want %d", old.Known(), k.groups[0].offsets[0])
	}
	if full, err := Decode(p.Offset, p.Metadata, 7); err != nil || len(full.pending) != len(entries) || full.Known() != 1000 {
		t.Errorf("%v, %+v", err, full)
	}
}

// TestParkedComesUpInTurn: the head of the key is done, the next one takes its place, and
// each step is told.
func TestParkedComesUpInTurn(t *testing.T) {
	k := New(0)
	for o := range int64(10) {
		if o == 0 {
			k.Track(o, bad)
		} else {
			k.Park(o, bad)
		}
	}
	k.Done(5) // parked: nothing happens
	k.SetAttempts(5, 3)
	for o := range int64(10) {
		if k.Frontier() != o || k.Unsettled() != 10-int(o) || k.Backlog(12) != 12-o {
			t.Fatalf("at %d: frontier %d, %d unsettled, backlog %d", o, k.Frontier(), k.Unsettled(), k.Backlog(12))
		}
		k.SetAttempts(o, int(o)+1)
		restarted, err := Decode(o, k.Snapshot().Metadata, 0)
		if err != nil {
			t.Fatal(err)
		}
		if restarted.Track(o, bad) != Unsettled || restarted.Attempts(o) != int(o)+1 || o < 9 && restarted.Track(o+1, bad) != Parked {
			t.Fatalf("at %d the restart does not know", o)
		}
		k.Done(o)
		k.Unpark(o+1, bad)
	}
	if k.Frontier() != 10 || k.Unsettled() != 0 || len(k.groups) != 0 {
		t.Errorf("frontier %d, %d unsettled, %d groups", k.Frontier(), k.Unsettled(), len(k.groups))
	}
}

// TestGroupsAreBounded: no more keys than that have parked offsets at once, and fewer
// where the metadata is short.
func TestGroupsAreBounded(t *testing.T) {
	for limit, most := range map[int]int{DefaultLimit: maxGroups, 1024: 16, 100: 0, 0: 0} {
		k := New(0)
		k.SetLimit(limit)
		n := 0
		for o := range int64(100) {
			if key := fmt.Append(nil, o); k.MayPark(key) {
				k.Park(o, key)
				n++
			} else {
				k.Track(o, key)
			}
		}
		if n > most || n < most-4 || most == maxGroups && n != most {
			t.Errorf("limit %d: %d keys, want about %d", limit, n, most)
		}
		if p := k.Snapshot(); limit >= 1024 && p.Dropped > 0 {
			t.Errorf("limit %d: %d dropped", limit, p.Dropped)
		}
	}
}
