// Package offsets turns completions in any order into one offset that is safe
// to commit, and a compact map of what is done beyond it, which travels in the
// metadata of the commit.
//
// It is pure: no I/O, no goroutine, no clock, no logger, no lock, nothing but
// the standard library. It does not know Kafka, events or why something is
// done. When in doubt it forgets: forgetting a completion repeats an event,
// inventing one would lose it.
//
//	committed                                        next record
//	offset = frontier                                of the fetch
//	    v                                                v
//	----o====o==o=====================o=====o===========|- - - - - -
//	    |<------------- the map: o unsettled ---------->|
//	                             = done, or no record there
//
// See [Tracker] for the rules.
package offsets

import (
	"math"
	"slices"
)

// Tracker follows one assignment of one partition, from the committed offset
// on. It is not safe for concurrent use: its owner locks.
//
// The rules:
//
//   - Track gets the offsets of the records in the order they are fetched, each
//     higher than the one before. Offsets that were skipped hold no record
//     (compaction, transaction markers, retention); they count as settled and
//     cost nothing, however many they are. Skip tells of those at the log's end.
//   - An offset is unsettled from Track to Done.
//   - The frontier is the lowest unsettled offset, or, when none is, Next. It
//     never passes an unsettled offset and never moves back.
//   - What a former owner's map tells (Decode) holds until Track reaches it: an
//     offset done before is Settled, an unsettled one keeps its attempts.
//   - An offset that must wait for a lower one of the same key can be parked: it
//     is unsettled like any other but takes no room in the map. See Park.
//
// Memory is bounded by the unsettled offsets, not by the distance to the
// frontier or the completions beyond it. Completions in the order of tracking
// do not allocate; all operations but Snapshot are O(1), or O(log n) of the
// unsettled offsets, amortised.
type Tracker struct {
	next int64 // last tracked offset + 1

	// win holds the tracked offsets, ascending; those that are done stay as
	// tombstones until they are at an end or the slice is full. win[head] and
	// the last one are unsettled.
	win  []entry
	head int
	live int // entries of win that are unsettled
	runs int // sum of runBits between neighbours in win[head:]

	// The rest of a former owner's map. Offsets of [next, known) that are not in
	// pending were done before.
	pending []entry
	known   int64

	groups []group // parked offsets by key
	parked int     // offsets in groups

	topic TopicHash
	room  room

	scratch []entry // for Snapshot
	buf     []byte  // for Snapshot
}

// entry is one offset that is, or was, unsettled.
type entry struct {
	offset   int64
	attempts int32
	done     bool
}

// New returns a Tracker that starts at a committed offset and knows nothing
// beyond it.
func New(frontier int64) *Tracker {
	return &Tracker{next: frontier, known: frontier, room: newRoom()}
}

// Track takes the next fetched offset and its key; nil is no key. It returns
// Unsettled when the offset is now to be handled, Parked when a former owner's
// map says that it waits for others of its key, and Settled when it was done
// before a restart, or is not higher than the last one tracked (such a call
// changes nothing).
func (t *Tracker) Track(offset int64, key []byte) Standing {
	if offset < t.next {
		return Settled
	}
	t.reach(offset)
	if offset >= t.known {
		t.push(entry{offset: offset})
		return Unsettled
	}
	if len(t.pending) > 0 && t.pending[0].offset == offset {
		e := t.pending[0]
		t.pending = t.pending[1:]
		t.push(e)
		return Unsettled
	}
	if i := t.findGroup(key); i >= 0 && offset >= t.groups[i].from() {
		t.parkIn(i, offset)
		return Parked
	}
	return Settled
}

// reach makes offset the last one tracked. Unsettled offsets of the map that the
// fetch has passed are gone from the log (retention, compaction): they count as
// settled.
func (t *Tracker) reach(offset int64) {
	t.next = offset + 1
	if offset >= t.known {
		t.pending, t.known = nil, offset
		t.dropEmptyGroups()
		return
	}
	for len(t.pending) > 0 && t.pending[0].offset < offset {
		t.pending = t.pending[1:]
	}
}

// Skip says that no offset from Next on and below to holds a record. Of a lower offset
// than Next it changes nothing.
func (t *Tracker) Skip(to int64) {
	if to <= t.next {
		return
	}
	t.reach(to - 1)
	if t.next >= t.known {
		t.pending, t.known = nil, t.next
		t.dropEmptyGroups()
	} else if len(t.pending) > 0 && t.pending[0].offset < to {
		t.pending = t.pending[1:]
	}
}

// Done settles an unsettled offset. Of any other offset it does nothing.
func (t *Tracker) Done(offset int64) {
	i, ok := t.find(offset)
	if !ok {
		return
	}
	t.room.remove(t.win[i].attempts)
	t.win[i].done = true
	t.live--
	t.trim()
}

// trim takes what is done off both ends.
func (t *Tracker) trim() {
	if t.live == 0 {
		t.win, t.head, t.runs = t.win[:0], 0, 0
		t.room.empty()
		return
	}
	for t.win[t.head].done {
		t.runs -= t.between(t.head)
		t.head++
	}
	for last := len(t.win) - 1; t.win[last].done; last-- {
		t.runs -= t.between(last - 1)
		t.win = t.win[:last]
	}
}

// between is what the distance between win[i] and win[i+1] adds to runs.
func (t *Tracker) between(i int) int { return runBits(t.win[i].offset, t.win[i+1].offset) }

// SetAttempts records how many attempts an unsettled offset has had, or is about
// to have, so that the next Snapshot tells of them. Of an offset that is not
// tracked, or done, it does nothing. n is cut to [0, 2^31-1].
func (t *Tracker) SetAttempts(offset int64, n int) {
	i, ok := t.find(offset)
	if !ok {
		return
	}
	t.room.remove(t.win[i].attempts)
	t.win[i].attempts = int32(min(max(n, 0), math.MaxInt32))
	t.room.add(t.win[i].attempts)
}

// Attempts returns what SetAttempts recorded for an unsettled offset, also
// before a restart; 0 when nothing is known.
func (t *Tracker) Attempts(offset int64) int {
	if i, ok := t.find(offset); ok {
		return int(t.win[i].attempts)
	}
	if i, ok := slices.BinarySearchFunc(t.pending, offset, byOffset); ok {
		return int(t.pending[i].attempts)
	}
	return 0
}

// Frontier is the offset to commit: the lowest unsettled one, or Next when there
// is none.
func (t *Tracker) Frontier() int64 {
	frontier := t.next
	if t.live > 0 {
		frontier = t.win[t.head].offset
	}
	if lowest, ok := t.lowestParked(); ok {
		frontier = min(frontier, lowest)
	}
	return frontier
}

// Next is the last tracked or skipped offset + 1; before the first it is the frontier that
// the Tracker was made with.
func (t *Tracker) Next() int64 { return t.next }

// Known is the end of what the Tracker knows of: Next, or the end of a former
// owner's map when that lies higher. A log that ends below it has been cut since
// the map was written, so that other events may come to stand where the map says
// "done": such a map must not be used, New(frontier) is right.
func (t *Tracker) Known() int64 { return max(t.next, t.known) }

// Unsettled counts the offsets that are tracked and not done, parked ones
// included.
func (t *Tracker) Unsettled() int { return t.live + t.parked }

// Backlog counts the offsets below end, the end of the log, that are not known
// to be settled: the unsettled ones and those that were not fetched yet. What is
// done beyond the frontier is not counted, nor what a former owner's map has
// parked and Track has not reached.
func (t *Tracker) Backlog(end int64) int64 {
	waiting, _ := slices.BinarySearchFunc(t.pending, end, byOffset)
	return int64(t.live) + int64(t.parked) + int64(waiting) + max(0, end-t.Known())
}

// SetTopic sets the hash that Snapshot writes into the metadata. Decode sets it
// too. The zero hash is one that is not known.
func (t *Tracker) SetTopic(h TopicHash) { t.topic = h }

// push appends an unsettled entry.
func (t *Tracker) push(e entry) {
	if len(t.win) == cap(t.win) {
		t.compact()
	}
	t.win = append(t.win, e)
	if t.live > 0 {
		t.runs += t.between(len(t.win) - 2)
	}
	t.live++
	t.room.add(e.attempts)
}

// compact makes room in a full slice by removing what is done; where that frees
// less than a quarter it grows the slice. So each entry is moved a bounded number
// of times, and the slice is never much larger than the most offsets that were
// unsettled at once.
func (t *Tracker) compact() {
	if t.live > cap(t.win)*3/4 {
		t.win = slices.Grow(t.win, cap(t.win)/2+16)
	}
	t.sweep()
}

// sweep removes what is done.
func (t *Tracker) sweep() {
	kept := t.win[:0]
	runs := 0
	for _, e := range t.win[t.head:] {
		if e.done {
			continue
		}
		if len(kept) > 0 {
			runs += runBits(kept[len(kept)-1].offset, e.offset)
		}
		kept = append(kept, e)
	}
	t.win, t.head, t.runs = kept, 0, runs
	t.room.recount(kept)
}

// find gives the index in win of an unsettled offset.
func (t *Tracker) find(offset int64) (int, bool) {
	if t.live == 0 {
		return 0, false
	}
	if t.win[t.head].offset == offset {
		return t.head, true
	}
	i, ok := slices.BinarySearchFunc(t.win[t.head:], offset, byOffset)
	i += t.head
	return i, ok && !t.win[i].done
}

func byOffset(e entry, offset int64) int {
	switch {
	case e.offset < offset:
		return -1
	case e.offset > offset:
		return 1
	}
	return 0
}
