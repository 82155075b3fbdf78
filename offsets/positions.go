package offsets

import "math/bits"

// How the positions of the unsettled offsets are written. The encoder takes
// whichever is shortest.
//
//	gaps    good for single offsets among many: the count of settled offsets
//	        before each, in Rice coding
//	bitmap  good for a mix of half and half: one bit per offset
//	runs    good for blocks: the lengths of settled and unsettled runs in turn,
//	        in Elias gamma coding
type coding byte

const (
	codingGaps   coding = 1
	codingBitmap coding = 2
	codingRuns   coding = 3
)

// span is the distance from the frontier to behind the last entry.
func span(frontier int64, entries []entry) uint64 {
	if len(entries) == 0 {
		return 0
	}
	return uint64(entries[len(entries)-1].offset-frontier) + 1
}

// riceRange gives the parameters worth trying for n gaps that add up to sum: the
// best one for the bound of positionBits is always among them.
func riceRange(n int, sum uint64) (low, high uint) {
	k := bits.Len64(sum / uint64(n))
	return uint(max(k-2, 0)), uint(min(k, 62))
}

// positionBits bounds the bits that writePositions needs for any n offsets
// within a span: see room.
func positionBits(n int, span uint64) int {
	if n == 0 {
		return 0
	}
	sum := span - uint64(n)
	best := span
	low, high := riceRange(n, sum)
	for k := low; k <= high; k++ {
		best = min(best, uint64(n)*uint64(k+1)+sum>>k)
	}
	return int(min(best, 1<<30)) // far beyond any limit, and no overflow
}

// firstRunBits is the cost of a first offset in runs.
const firstRunBits = 2

// runBits bounds what an unsettled offset adds to a map in runs, when prev is the
// unsettled one before it: never less than writePositions needs, because a run of
// u unsettled offsets takes gammaBits(u) <= 1 + 2*(u-1).
func runBits(prev, offset int64) int { return gammaBits(uint64(offset-prev)) + 1 }

// eachGap calls f with the settled offsets before each entry.
func eachGap(frontier int64, entries []entry, f func(gap uint64)) {
	next := frontier
	for _, e := range entries {
		f(uint64(e.offset - next))
		next = e.offset + 1
	}
}

// eachRun calls f with each run of settled offsets and the run of unsettled ones
// behind it.
func eachRun(frontier int64, entries []entry, f func(settled, unsettled uint64)) {
	next := frontier
	for i := 0; i < len(entries); {
		j := i + 1
		for j < len(entries) && entries[j].offset == entries[j-1].offset+1 {
			j++
		}
		f(uint64(entries[i].offset-next), uint64(j-i))
		next = entries[j-1].offset + 1
		i = j
	}
}

// bestCoding finds the shortest coding, and the parameter of gaps.
func bestCoding(frontier int64, entries []entry) (best coding, k uint) {
	length := span(frontier, entries)
	best, bestBits := codingBitmap, length
	var asRuns uint64
	eachRun(frontier, entries, func(settled, unsettled uint64) {
		asRuns += uint64(gammaBits(settled+1) + gammaBits(unsettled))
	})
	if asRuns < bestBits {
		best, bestBits = codingRuns, asRuns
	}
	low, high := riceRange(len(entries), length-uint64(len(entries)))
	for try := low; try <= high; try++ {
		gapBits := uint64(len(entries)) * uint64(try+1)
		eachGap(frontier, entries, func(gap uint64) { gapBits += gap >> try })
		if gapBits < bestBits {
			best, bestBits, k = codingGaps, gapBits, try
		}
	}
	return best, k
}

// writePositions appends the coding byte and the bits. entries is not empty.
func writePositions(b []byte, frontier int64, entries []entry) []byte {
	c, k := bestCoding(frontier, entries)
	w := writer{b: append(b, byte(c)|byte(k<<2))}
	switch c {
	case codingGaps:
		eachGap(frontier, entries, func(gap uint64) {
			w.ones(gap >> k)
			w.put(gap, k)
		})
	case codingBitmap:
		eachGap(frontier, entries, func(gap uint64) {
			for ; gap > 63; gap -= 63 {
				w.put(0, 63)
			}
			w.put(1, uint(gap)+1)
		})
	case codingRuns:
		eachRun(frontier, entries, func(settled, unsettled uint64) {
			w.gamma(settled + 1)
			w.gamma(unsettled)
		})
	}
	return w.b
}

// readPositions reads n entries that lie in [frontier, end). The result is nil
// when the bytes do not say so; known is false for a coding that only a later
// version knows.
func readPositions(b []byte, frontier, end int64, n int) (entries []entry, known bool) {
	if len(b) == 0 {
		return nil, true
	}
	p := positionReader{r: reader{b: b[1:]}, next: frontier, end: end}
	c, k := coding(b[0]&3), uint(b[0]>>2)
	// Bits that all are read: an honest count of gaps or bits is no higher. Runs
	// are bounded by maxEntries.
	if c != codingRuns && n > p.r.left() {
		return nil, true
	}
	p.entries = make([]entry, 0, n)
	for len(p.entries) < n && !p.r.failed {
		switch c {
		case codingGaps:
			q := p.r.ones()
			if q > 1<<62>>k {
				return nil, true
			}
			p.add(q<<k|p.r.get(k), 1, n)
		case codingBitmap:
			zeros := uint64(0)
			for p.r.get(1) == 0 && !p.r.failed {
				zeros++
			}
			p.add(zeros, 1, n)
		case codingRuns:
			settled := p.r.gamma() - 1
			p.add(settled, p.r.gamma(), n)
		default:
			return nil, false
		}
	}
	if p.r.failed {
		return nil, true
	}
	return p.entries, true
}

// positionReader collects entries and refuses those outside of the map.
type positionReader struct {
	r         reader
	next, end int64
	entries   []entry
}

// add skips settled offsets and appends unsettled ones, n in all at most.
func (p *positionReader) add(settled, unsettled uint64, n int) {
	room := uint64(p.end - p.next)
	if p.r.failed || settled > room || unsettled > room-settled || unsettled > uint64(n-len(p.entries)) {
		p.r.failed = true
		return
	}
	p.next += int64(settled)
	for range unsettled {
		p.entries = append(p.entries, entry{offset: p.next})
		p.next++
	}
}
