package offsets

import (
	"math/bits"
	"sort"
)

const (
	// DefaultLimit is the room of the metadata in bytes: Kafka's default for
	// offset.metadata.max.bytes.
	DefaultLimit = 4096

	// defaultReserve is the count of attempts that Fits keeps room for, for each
	// unsettled offset.
	defaultReserve = 14

	// leastWindow is how many unsettled offsets fit under any limit. A map that
	// has too little room for so few tells less than it knows; a window of a
	// handful would stop a partition for the sake of a few repeats.
	leastWindow = 128
)

// room knows how large the map can become.
//
// Why the answer holds: the position part of a map of n unsettled offsets within
// a span of L offsets from the frontier takes at most
//
//	min( L, min over k of n*(k+1) + (L-n)>>k )  bits
//
// as a bitmap, or as gaps in Rice coding with parameter k. Both n and L can only
// shrink by completions, and the bound shrinks with them. As runs it takes at most
// the sum of runBits over neighbours, which is the better bound when few offsets
// are stuck far behind the others; a completion makes one distance out of two, and
// runBits(a, c) <= runBits(a, b) + runBits(b, c). So what fits when an offset is
// tracked fits whatever is done afterwards, in whatever order. Each count of
// attempts takes the reserved width, or what a higher one needs.
type room struct {
	limit    int   // bytes of text
	width    int   // bits reserved for each count of attempts
	escapes  int   // bits beyond the width that high counts need
	attempts int32 // no count is higher
}

func newRoom() room {
	r := room{limit: DefaultLimit}
	r.reserve(defaultReserve)
	return r
}

// reserve sets the width so that counts up to most need no escape.
func (r *room) reserve(most int) { r.width = bits.Len(uint(most) + 1) }

func (r *room) add(attempts int32) {
	r.escapes += escapeBits(attempts, r.width)
	r.attempts = max(r.attempts, attempts)
}

func (r *room) remove(attempts int32) { r.escapes -= escapeBits(attempts, r.width) }

func (r *room) empty() { r.escapes, r.attempts = 0, 0 }

func (r *room) recount(entries []entry) {
	r.empty()
	for _, e := range entries {
		if !e.done {
			r.add(e.attempts)
		}
	}
}

// budget is how many bits positions and attempts may take together.
func (r *room) budget() int { return 8 * (bodyBytes(r.limit) - overhead) }

// counts bounds the bits for the attempts of n unsettled offsets.
func (r *room) counts(n int) int {
	return min(n*r.width+r.escapes, n*max(r.width, bits.Len32(uint32(r.attempts)+1)))
}

// SetLimit sets how long the metadata may be, in bytes of text; at first it is
// DefaultLimit. It may change at any time: when it shrinks below what is
// unsettled by now, Snapshot tells less (Position.Dropped) and Fits refuses until
// enough is done. With 0 there is no metadata.
func (t *Tracker) SetLimit(bytes int) { t.room.limit = max(bytes, 0) }

// ReserveAttempts says how many attempts one event may need, retries and crashes
// included, so that Fits keeps room for their counts. At first it is 14. Higher
// counts are kept exactly as well, but when many events of a full window get
// there, their map may not fit any more.
func (t *Tracker) ReserveAttempts(attempts int) {
	t.room.reserve(min(max(attempts, 0), 1<<30))
	t.room.recount(t.win[t.head:])
}

// Fits reports whether this offset, the next one to be tracked, may be started:
// the map then surely fits the limit, whatever is done afterwards. Offsets that a
// former owner's map covers always fit: their room is counted. So do the first
// 128 unsettled ones. O(1) amortised, made to be asked for each record.
func (t *Tracker) Fits(offset int64) bool {
	switch {
	case t.live < leastWindow || offset < t.Known():
		return true
	case t.live >= maxEntries:
		return false
	case t.fits(offset):
		return true
	}
	// runs counts the distances between tombstones too. Look again without them,
	// if there are enough of them to pay for the sweep.
	if tombstones := len(t.win) - t.head - t.live; tombstones > t.live/8 {
		t.sweep()
		return t.fits(offset)
	}
	return false
}

// fits compares what the map needs at most with the room, as if offset were
// tracked. Track(offset) would drop what is pending: it all lies below.
func (t *Tracker) fits(offset int64) bool {
	room := t.room.budget() - t.groupBits(len(t.groups)) - t.room.counts(t.live+1)
	span := uint64(offset-t.win[t.head].offset) + 1
	return positionBits(t.live+1, span) <= room ||
		firstRunBits+t.runs+runBits(t.win[len(t.win)-1].offset, offset) <= room
}

// fitsNow compares what the map needs at most with the room, as if there were
// that many groups.
func (t *Tracker) fitsNow(groups int) bool {
	room := t.room.budget() - t.groupBits(groups) - t.room.counts(t.live)
	span := uint64(t.win[len(t.win)-1].offset-t.win[t.head].offset) + 1
	return positionBits(t.live, span) <= room || firstRunBits+t.runs <= room
}

// groupBits bounds what that many groups add to a map. The map is then written in
// two parts, before and behind the first group; in whichever coding the whole
// fits, its parts fit as well. Each group has an entry, and room for one offset
// that is taken out of it because its turn has come.
func (t *Tracker) groupBits(groups int) int {
	if groups == 0 {
		return 0
	}
	const turn = 64 // bits that one offset adds to positions
	return 8*groupsOverhead + groups*(8*groupBytes+turn+t.room.width)
}

// Full reports whether the window is full: the next offset would not fit.
func (t *Tracker) Full() bool { return !t.Fits(t.next) }

// Capacity estimates how many unsettled offsets fill the window if they go on to
// lie as densely as now; of a full window it is their number. It is at least 128;
// O(log n), for status and for shares of the window.
func (t *Tracker) Capacity() int {
	perOffset := uint64(1)
	if t.live > 0 {
		span := uint64(t.win[len(t.win)-1].offset-t.win[t.head].offset) + 1
		perOffset = max(1, span/uint64(t.live))
	}
	limit := t.room.budget() - t.groupBits(len(t.groups))
	n := sort.Search(max(limit, 0), func(n int) bool {
		return positionBits(n+1, uint64(n+1)*perOffset)+t.room.counts(n+1) > limit
	})
	if t.Full() {
		return max(t.live, leastWindow)
	}
	return max(min(n, maxEntries), t.live, leastWindow)
}
