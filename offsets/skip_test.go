package offsets

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSkipAtTheEnd: the frontier follows over offsets without a record at the log's end,
// and never over one that is unsettled.
func TestSkipAtTheEnd(t *testing.T) {
	k := New(10)
	k.Track(10, nil)
	k.Track(11, nil)
	k.Done(11)
	k.Skip(20)
	if k.Frontier() != 10 || k.Next() != 20 || k.Backlog(25) != 6 {
		t.Fatalf("frontier %d, next %d, backlog %d, want 10, 20 and 6", k.Frontier(), k.Next(), k.Backlog(25))
	}
	k.Done(10)
	if k.Frontier() != 20 {
		t.Fatalf("frontier %d, want 20", k.Frontier())
	}
	k.Skip(15)
	if k.Next() != 20 || k.Track(19, nil) != Settled || k.Track(20, nil) != Unsettled {
		t.Fatal("a skip goes back, or takes an offset too many")
	}
}

// TestSkipChangesNothingElse: with a former owner's map, too, a skip over offsets without
// a record makes no difference to what comes after it.
func TestSkipChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		former := New(0)
		offset := int64(0)
		for range rapid.IntRange(0, 40).Draw(t, "former") {
			offset += rapid.Int64Range(1, 4).Draw(t, "distance")
			former.Track(offset, nil)
			if rapid.Bool().Draw(t, "done") {
				former.Done(offset)
			}
		}
		at := former.Snapshot()
		skips, plain := decoded(t, at), decoded(t, at)
		next := at.Offset
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			next += rapid.Int64Range(0, 6).Draw(t, "gap")
			skips.Skip(rapid.Int64Range(0, next).Draw(t, "skip"))
			if a, b := skips.Track(next, nil), plain.Track(next, nil); a != b {
				t.Fatalf("%d is %v with skips and %v without", next, a, b)
			}
			if rapid.Bool().Draw(t, "settled") {
				skips.Done(next)
				plain.Done(next)
			}
			if a, b := skips.Frontier(), plain.Frontier(); a != b || skips.Unsettled() != plain.Unsettled() {
				t.Fatalf("the frontier is %d with skips and %d without", a, b)
			}
			next++
			skips.Skip(next + 3)
			if a, b := decoded(t, skips.Snapshot()), decoded(t, plain.Snapshot()); a.Backlog(next) != b.Backlog(next) {
				t.Fatalf("after a restart %d are left with skips and %d without", a.Backlog(next), b.Backlog(next))
			}
			next += 3
		}
	})
}

func decoded(t *rapid.T, at Position) *Tracker {
	k, err := Decode(at.Offset, at.Metadata, 0)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
