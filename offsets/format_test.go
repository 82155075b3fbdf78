package offsets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kurier.dev/kurier/test/mutate"
)

// told is what metadata says, in words that a golden file can hold.
type told struct {
	frontier, end int64
	topic         TopicHash
	unsettled     []entry
	groups        []group
	metadata      string
}

func (g told) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "frontier: %d\nend: %d\ntopic: %08x\nunsettled:", g.frontier, g.end, uint32(g.topic))
	for _, e := range g.unsettled {
		fmt.Fprintf(&b, " %d", e.offset)
		if e.attempts > 0 {
			fmt.Fprintf(&b, "x%d", e.attempts)
		}
	}
	if len(g.groups) > 0 {
		b.WriteString("\ngroups:")
		for _, group := range g.groups {
			fmt.Fprintf(&b, " %08x@%d", group.hash, group.from())
		}
	}
	fmt.Fprintf(&b, "\nmetadata: %s\n", g.metadata)
	return b.String()
}

// parseTold reads a golden file.
func parseTold(t *testing.T, text string) (g told) {
	t.Helper()
	number := func(s string, base int) int64 {
		n, err := strconv.ParseInt(s, base, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch key {
		case "frontier":
			g.frontier = number(value, 10)
		case "end":
			g.end = number(value, 10)
		case "topic":
			g.topic = TopicHash(number(value, 16))
		case "metadata":
			g.metadata = value
		case "groups":
			for _, word := range strings.Fields(value) {
				hash, from, _ := strings.Cut(word, "@")
				g.groups = append(g.groups, group{hash: uint32(number(hash, 16)), former: number(from, 10)})
			}
		case "unsettled":
			for _, word := range strings.Fields(value) {
				offset, attempts, _ := strings.Cut(word, "x")
				e := entry{offset: number(offset, 10)}
				if attempts != "" {
					e.attempts = int32(number(attempts, 10))
				}
				g.unsettled = append(g.unsettled, e)
			}
		}
	}
	return g
}

// tracker makes a Tracker that knows what the golden file says.
func (g told) tracker() *Tracker {
	k := New(g.frontier)
	k.SetTopic(g.topic)
	k.known, k.pending, k.groups = g.end, g.unsettled, g.groups
	return k
}

// TestFormat holds the golden files of the format. Those of the minor
// versions up to this one are also written byte by byte as they stand there; files of a later
// one (made by hand, see TestLaterMinor) are only read, and show what is left.
func TestFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.txt")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := parseTold(t, string(text))
			if !strings.HasPrefix(filepath.Base(path), "1.9-") {
				written := want
				written.metadata = want.tracker().Snapshot().Metadata
				golden(t, path, written.String())
				want.metadata = written.metadata
			}
			k, err := Decode(want.frontier, want.metadata, want.topic)
			if err != nil {
				t.Fatal(err)
			}
			got := told{frontier: k.Frontier(), end: k.Known(), topic: k.topic, unsettled: k.pending, groups: k.groups, metadata: want.metadata}
			if got.String() != want.String() {
				t.Errorf("read:\n%s\nwant:\n%s", got, want)
			}
			again := got.tracker().Snapshot()
			if d, err := Decode(again.Offset, again.Metadata, want.topic); err != nil || len(d.pending) != len(want.unsettled) {
				t.Errorf("written again: %v, %d unsettled", err, len(d.pending))
			}
		})
	}
}

// later builds metadata of a later minor version: the given sections, with the
// checksum that belongs to them.
func later(frontier int64, version byte, topic TopicHash, sections ...[]byte) string {
	b := append(make([]byte, 4), version)
	b = binary.BigEndian.AppendUint32(b, uint32(topic))
	for _, s := range sections {
		b = appendSection(b, s[0], func(b []byte) []byte { return append(b, s[1:]...) })
	}
	binary.BigEndian.PutUint32(b, checksum(frontier, b[4:]))
	return brand + major + "." + encoding.EncodeToString(b)
}

// TestLaterMinor: an older Kurier uses what it knows of a newer map.
func TestLaterMinor(t *testing.T) {
	bitmap := []byte{sectionMap, 2, 10, byte(codingBitmap), 0b1000_0100} // 1000 and 1005 of 1000..1009
	attempts := []byte{sectionAttempts, attemptWidths | 2<<2, 0b01_10_0000}
	extra := []byte{77, 1, 2, 3}
	for _, c := range []struct {
		name     string
		metadata string
		want     []int // attempts of 1000 and 1005; nil: nothing is known
		err      error
	}{
		{"an unknown section", later(1000, 9, 7, extra, bitmap, attempts), []int{1, 2}, nil},
		{"attempts in an unknown coding", later(1000, 9, 7, bitmap, []byte{sectionAttempts, 3, 1, 2}, extra), []int{0, 0}, nil},
		{"positions in an unknown coding", later(1000, 9, 7, []byte{sectionMap, 2, 10, 0, 1, 2}, attempts), nil, ErrVersion},
		{"only unknown sections", later(1000, 9, 7, extra), nil, nil},
		{"this minor, attempts in an unknown coding", later(1000, minor, 7, bitmap, []byte{sectionAttempts, 3, 1, 2}), nil, ErrFormat},
		{"this minor, positions in an unknown coding", later(1000, minor, 7, []byte{sectionMap, 2, 10, 0, 1, 2}), nil, ErrFormat},
		{"next major", strings.Replace(later(1000, 0, 7, bitmap), "ku1.", "ku2.", 1), nil, ErrVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := Decode(1000, c.metadata, 7)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			for o := int64(1000); o < 1010; o++ {
				open := o == 1000 || o == 1005
				if fresh := k.Track(o, nil) == Unsettled; fresh != (open || c.want == nil) {
					t.Errorf("Track(%d) = %v", o, fresh)
				}
				if c.want != nil && open && k.Attempts(o) != c.want[(o-1000)/5] {
					t.Errorf("Attempts(%d) = %d", o, k.Attempts(o))
				}
			}
		})
	}
}

// TestDecodeErrors: every doubt has its error, and leaves the frontier alone.
func TestDecodeErrors(t *testing.T) {
	k := New(1000)
	k.SetTopic(7)
	for o := int64(1000); o < 1100; o++ {
		k.Track(o, nil)
		if o%3 == 0 {
			k.Done(o)
		}
	}
	good := k.Snapshot()
	raw := func(b ...byte) string { return "ku1." + encoding.EncodeToString(b) }
	for _, c := range []struct {
		name     string
		frontier int64
		metadata string
		topic    TopicHash
		want     error
	}{
		{"good", 1000, good.Metadata, 7, nil},
		{"topic not known now", 1000, good.Metadata, 0, nil},
		{"empty", 1000, "", 7, nil},
		{"another topic", 1000, good.Metadata, 8, ErrTopic},
		{"another offset", 999, good.Metadata, 7, ErrChecksum},
		{"text", 1000, "hello", 7, ErrForeign},
		{"brand alone", 1000, "ku", 7, ErrForeign},
		{"brand without a number", 1000, "ku.", 7, ErrForeign},
		{"brand with a word", 1000, "kurier.x", 7, ErrForeign},
		{"Kafka Streams", 1000, "AgAAAZGm", 7, ErrForeign},
		{"next major", 1000, "ku2.AAAA", 7, ErrVersion},
		{"far major", 1000, "ku99999999999999999999999999.AAAA", 7, ErrVersion},
		{"nothing behind the prefix", 1000, "ku1.", 7, ErrSize},
		{"too short", 1000, raw(1, 2, 3, 4, 5, 6, 7, 8), 7, ErrSize},
		{"too long", 1000, "ku1." + strings.Repeat("A", maxText+1), 7, ErrSize},
		{"no base64", 1000, "ku1.ä", 7, ErrFormat},
		{"cut", 1000, good.Metadata[:len(good.Metadata)/2&^3], 7, ErrChecksum},
		{"zeros", 1000, raw(make([]byte, 40)...), 7, ErrChecksum},
		{"no length", 1000, later(1000, 0, 7) + "", 7, nil},
		{"section longer than the rest", 1000, brokenSection(1000), 7, ErrFormat},
		{"empty map", 1000, later(1000, 0, 7, []byte{sectionMap, 1}), 7, ErrFormat},
		{"more unsettled than offsets", 1000, later(1000, 0, 7, []byte{sectionMap, 5, 4, byte(codingBitmap), 0xff}), 7, ErrFormat},
		{"map without coding", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4}), 7, ErrFormat},
		{"map without bits", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingBitmap)}), 7, ErrFormat},
		{"bits behind the end", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingBitmap), 0b0000_0011}), 7, ErrFormat},
		{"runs behind the end", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingRuns), 0, 0, 0, 0xff}), 7, ErrFormat},
		{"huge gaps", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingGaps) | 63<<2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), 7, ErrFormat},
		{"attempts without a map", 1000, later(1000, 0, 7, []byte{sectionAttempts, attemptRuns, 0xff}), 7, nil},
		{"too few attempts", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingBitmap), 0xc0}, []byte{sectionAttempts, attemptWidths | 8<<2, 1}), 7, ErrFormat},
		{"too many attempts", 1000, later(1000, 0, 7, []byte{sectionMap, 2, 4, byte(codingBitmap), 0xc0}, []byte{sectionAttempts, attemptRuns, 0b0001_0010, 0}), 7, ErrFormat},
		{"groups without a map", 1000, later(1000, 1, 7, []byte{sectionBeyond, 1, 1, 2, 3, 4, 5, 0, 4}), 7, ErrFormat},
		{"groups that begin elsewhere", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 5, 0, 4}), 7, ErrFormat},
		{"groups twice", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 4, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 8, 0, 4}), 7, ErrFormat},
		{"no groups", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 0, 0, 4}), 7, ErrFormat},
		{"too many groups", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 200, 1}), 7, ErrFormat},
		{"groups and nothing behind", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 4, 0, 0}), 7, ErrFormat},
		{"half a group", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3}), 7, ErrFormat},
		{"group beyond 64 bits", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127}), 7, ErrFormat},
		{"groups and no map behind", 1000, later(1000, 1, 7, []byte{sectionMap, 0, 4}, []byte{sectionBeyond, 1, 1, 2, 3, 4, 4}), 7, ErrFormat},
		{"end beyond the last offset", 1<<63 - 2, later(1<<63-2, 0, 7, []byte{sectionMap, 1, 4, byte(codingBitmap), 0xff}), 7, ErrFormat},
		{"end beyond 64 bits", 1000, later(1000, 0, 7, []byte{sectionMap, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 127}), 7, ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := Decode(c.frontier, c.metadata, c.topic)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if k == nil || k.Frontier() != c.frontier || k.Next() != c.frontier {
				t.Fatal("the Tracker does not start at the committed offset")
			}
			if err != nil {
				knowsNothing(t, k, c.frontier)
			}
		})
	}
}

// brokenSection has a section whose length is beyond the end.
func brokenSection(frontier int64) string {
	b := append(make([]byte, fixedBytes), sectionMap, 200, 1, 2, 3)
	binary.BigEndian.PutUint32(b, checksum(frontier, b[4:]))
	return "ku1." + encoding.EncodeToString(b)
}

// knowsNothing wants a Tracker that knows the frontier alone.
func knowsNothing(t interface{ Fatalf(string, ...any) }, k *Tracker, frontier int64) {
	if k.Known() != frontier || k.Unsettled() != 0 {
		t.Fatalf("known to %d from %d on, %d unsettled", k.Known(), frontier, k.Unsettled())
	}
	for o := frontier; o < frontier+10 && o >= frontier; o++ {
		if k.Track(o, nil) != Unsettled {
			t.Fatalf("%d counts as done", o)
		}
	}
}

// TestDamage: whatever single damage happens to the text, nothing is claimed.
func TestDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frontier := rapid.Int64Range(0, 1<<40).Draw(t, "frontier")
		k := New(frontier)
		k.SetTopic(7)
		for _, o := range drawLog(t, frontier, rapid.IntRange(2, 60).Draw(t, "records")) {
			k.Track(o, nil)
			if rapid.Bool().Draw(t, "done") {
				k.Done(o)
			}
		}
		p := k.Snapshot()
		damaged := []byte(p.Metadata)
		at := rapid.IntRange(0, len(damaged)-1).Draw(t, "at")
		switch rapid.IntRange(0, 2).Draw(t, "damage") {
		case 0:
			damaged[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			damaged = damaged[:at]
		case 2:
			damaged = append(damaged, 'A')
		}
		d, err := Decode(p.Offset, string(damaged), 7)
		if err == nil && len(damaged) > 0 {
			t.Fatalf("damaged metadata is taken: %q", damaged)
		}
		knowsNothing(t, d, p.Offset)
	})
}

// FuzzDecode: no text panics; a text that is taken gives a Tracker whose own
// metadata says the same; a text that is refused gives nothing.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/format/*.txt")
	for _, path := range files {
		text, _ := os.ReadFile(path)
		_, metadata, _ := strings.Cut(string(text), "metadata: ")
		f.Add(int64(1000), []byte(strings.TrimSpace(metadata)), false)
	}
	var seeds []string
	for _, path := range files {
		text, _ := os.ReadFile(path)
		_, metadata, _ := strings.Cut(string(text), "metadata: ")
		seeds = append(seeds, strings.TrimSpace(metadata))
	}
	mutate.More(f, seeds, func(s string) { f.Add(int64(1000), []byte(s), false) })
	mutate.More(f, seeds, func(s string) { f.Add(int64(1000), []byte(s), true) })
	f.Add(int64(0), []byte{sectionMap, 4, 2, 10, byte(codingBitmap), 0b1000_0100}, true)
	f.Add(int64(0), []byte{sectionMap, 4, 2, 10, byte(codingRuns), 0b1101_0000, sectionAttempts, 2, attemptRuns, 0xff}, true)
	f.Add(int64(0), []byte{sectionMap, 4, 2, 10, byte(codingGaps) | 1<<2, 0b0010_0000, sectionAttempts, 2, attemptWidths | 1<<2, 0xff}, true)
	f.Add(int64(0), []byte{sectionMap, 4, 2, 10, byte(codingBitmap), 0b1000_0100, sectionBeyond, 8, 1, 1, 2, 3, 4, 10, 0, 4}, true)
	f.Fuzz(func(t *testing.T, frontier int64, data []byte, seal bool) {
		metadata := string(data)
		if seal { // arbitrary sections behind a right checksum
			b := append(make([]byte, fixedBytes), data...)
			binary.BigEndian.PutUint32(b, checksum(frontier, b[4:]))
			metadata = "ku1." + encoding.EncodeToString(b)
		}
		k, err := Decode(frontier, metadata, 0)
		if k == nil || k.Next() != frontier {
			t.Fatal("no Tracker at the frontier")
		}
		if err != nil {
			knowsNothing(t, k, frontier)
			return
		}
		k.SetLimit(maxText)
		p := k.Snapshot()
		if p.Dropped > 0 {
			t.Fatalf("%d dropped", p.Dropped)
		}
		again, err := Decode(p.Offset, p.Metadata, 0)
		if err != nil || again.Known() != k.Known() || fmt.Sprint(again.pending, again.groups) != fmt.Sprint(k.pending, k.groups) {
			t.Fatalf("%v: %d %v instead of %d %v", err, again.Known(), again.pending, k.Known(), k.pending)
		}
	})
}
