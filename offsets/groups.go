package offsets

import (
	"hash/fnv"
	"slices"
)

// maxGroups is how many keys may have parked offsets at once.
const maxGroups = 32

// group is the parked offsets of one key (or of several with one hash, which only
// may repeat events). A map does not list them, however many they are: it says
// that of this key everything from the lowest on is unsettled.
type group struct {
	hash    uint32
	offsets []int64 // tracked and parked, ascending
	former  int64   // of a former owner's map: unsettled from here on
}

// from is where the group begins: nothing of its key beyond it is settled.
func (g *group) from() int64 {
	if len(g.offsets) > 0 {
		return g.offsets[0]
	}
	return g.former
}

// Standing is what Track and Park say of an offset.
type Standing uint8

// The standings.
const (
	// Settled: it was done before a restart, or it is not higher than the last one
	// tracked.
	Settled Standing = iota
	// Unsettled: it is to be handled.
	Unsettled
	// Parked: it is unsettled, and Unpark must be called before it is handled.
	Parked
)

func hashKey(key []byte) uint32 {
	h := fnv.New32a()
	h.Write(key)
	return h.Sum32()
}

// findGroup gives the index in groups, or -1.
func (t *Tracker) findGroup(key []byte) int {
	if key == nil || len(t.groups) == 0 {
		return -1
	}
	hash := hashKey(key)
	return slices.IndexFunc(t.groups, func(g group) bool { return g.hash == hash })
}

// MayPark reports whether Park has room for an offset of this key.
func (t *Tracker) MayPark(key []byte) bool {
	switch {
	case key == nil:
		return false
	case t.findGroup(key) >= 0:
		return true
	case len(t.groups) >= maxGroups || 2*t.groupBits(len(t.groups)+1) > t.room.budget():
		return false
	}
	return t.live < leastWindow || t.fitsNow(len(t.groups)+1)
}

// Park takes the next fetched offset as Track does, but keeps a fresh one out of
// the map: it takes no room there. It is for an offset that cannot be handled
// before a lower one of the same key, however many of them there are. Ask MayPark
// first. Its attempts are not recorded, and Done does nothing, until Unpark.
func (t *Tracker) Park(offset int64, key []byte) Standing {
	if offset < t.Known() {
		return t.Track(offset, key)
	}
	t.reach(offset)
	i := t.findGroup(key)
	if i < 0 {
		i = len(t.groups)
		t.groups = append(t.groups, group{hash: hashKey(key)})
	}
	t.parkIn(i, offset)
	return Parked
}

func (t *Tracker) parkIn(i int, offset int64) {
	t.groups[i].offsets = append(t.groups[i].offsets, offset)
	t.parked++
}

// Unpark makes a parked offset an ordinary unsettled one. The lowest of a key
// comes first; out of turn its completion is not told of by the map. Of an offset
// that is not parked it does nothing.
func (t *Tracker) Unpark(offset int64, key []byte) {
	i := t.findGroup(key)
	if i < 0 {
		return
	}
	g := &t.groups[i]
	at, ok := slices.BinarySearch(g.offsets, offset)
	if !ok {
		return
	}
	if at == 0 {
		g.offsets = g.offsets[1:]
		g.former = offset + 1
	} else {
		g.offsets = slices.Delete(g.offsets, at, at+1)
	}
	t.parked--
	t.dropEmptyGroups()
	t.insert(entry{offset: offset})
}

// UnparkAll makes all parked offsets ordinary ones, whether their map fits or not.
func (t *Tracker) UnparkAll() {
	if t.parked == 0 {
		return
	}
	all := make([]entry, 0, t.live+t.parked)
	for _, e := range t.win[t.head:] {
		if !e.done {
			all = append(all, e)
		}
	}
	for i := range t.groups {
		g := &t.groups[i]
		for _, offset := range g.offsets {
			all = append(all, entry{offset: offset})
			g.former = max(g.former, offset+1)
		}
		g.offsets = nil
	}
	t.parked = 0
	t.dropEmptyGroups()
	slices.SortFunc(all, func(a, b entry) int { return byOffset(a, b.offset) })
	t.win, t.head, t.live = all, 0, len(all)
	t.sweep()
}

// dropEmptyGroups forgets groups without offsets, but for those of a former
// owner's map that Track has not come to the end of.
func (t *Tracker) dropEmptyGroups() {
	if t.next < t.known {
		return
	}
	t.groups = slices.DeleteFunc(t.groups, func(g group) bool { return len(g.offsets) == 0 })
}

// insert puts an unsettled entry at its place in the window.
func (t *Tracker) insert(e entry) {
	last := len(t.win) - 1
	if t.live == 0 || e.offset > t.win[last].offset {
		t.push(e)
		return
	}
	if len(t.win) == cap(t.win) {
		t.compact()
	}
	at, _ := slices.BinarySearchFunc(t.win[t.head:], e.offset, byOffset)
	at += t.head
	if at > t.head {
		t.runs -= t.between(at - 1)
		t.runs += runBits(t.win[at-1].offset, e.offset)
	}
	t.runs += runBits(e.offset, t.win[at].offset)
	t.win = slices.Insert(t.win, at, e)
	t.live++
	t.room.add(e.attempts)
}

// lowestParked is the lowest parked offset; ok is false when there is none.
func (t *Tracker) lowestParked() (lowest int64, ok bool) {
	for i := range t.groups {
		if o := t.groups[i].offsets; len(o) > 0 && (!ok || o[0] < lowest) {
			lowest, ok = o[0], true
		}
	}
	return lowest, ok
}
