package offsets

import (
	"math"
	"math/bits"
)

// How the counts of attempts are written, in the order of the positions.
//
//	widths  a fixed count of bits each; all ones stand for a higher count, which
//	        follows in Elias gamma coding
//	runs    for equal counts in a row: length and count + 1 in gamma coding
const (
	attemptWidths = 1
	attemptRuns   = 2
)

// maxWidth is the highest width: no count of attempts needs more.
const maxWidth = 32

// escapeBits is what a count takes beyond its width.
func escapeBits(attempts int32, width int) int {
	if top := int64(1)<<width - 1; int64(attempts) >= top {
		return gammaBits(uint64(int64(attempts)-top) + 1)
	}
	return 0
}

// equalRuns calls f with each run of equal counts.
func equalRuns(entries []entry, f func(length uint64, attempts int32)) {
	for i := 0; i < len(entries); {
		j := i + 1
		for j < len(entries) && entries[j].attempts == entries[i].attempts {
			j++
		}
		f(uint64(j-i), entries[i].attempts)
		i = j
	}
}

// bestWidth finds the width with the fewest bits.
func bestWidth(entries []entry) (width, total int) {
	highest := int32(0)
	for _, e := range entries {
		highest = max(highest, e.attempts)
	}
	total = math.MaxInt
	for w := 1; w <= bits.Len64(uint64(highest)+1); w++ {
		sum := w * len(entries)
		for _, e := range entries {
			sum += escapeBits(e.attempts, w)
		}
		if sum < total {
			width, total = w, sum
		}
	}
	return width, total
}

// writeAttempts appends the counts; nothing when all are 0.
func writeAttempts(b []byte, entries []entry) []byte {
	asRuns, some := 0, false
	equalRuns(entries, func(length uint64, attempts int32) {
		asRuns += gammaBits(length) + gammaBits(uint64(attempts)+1)
		some = some || attempts > 0
	})
	if !some {
		return b
	}
	width, widthBits := bestWidth(entries)
	if asRuns < widthBits {
		w := writer{b: append(b, attemptRuns)}
		equalRuns(entries, func(length uint64, attempts int32) {
			w.gamma(length)
			w.gamma(uint64(attempts) + 1)
		})
		return w.b
	}
	w := writer{b: append(b, attemptWidths|byte(width<<2))}
	top := int64(1)<<width - 1
	for _, e := range entries {
		w.put(uint64(min(int64(e.attempts), top)), uint(width))
		if int64(e.attempts) >= top {
			w.gamma(uint64(int64(e.attempts)-top) + 1)
		}
	}
	return w.b
}

// readAttempts sets the counts of the entries, or none of them: then ok is
// false. known is false for a coding that only a later version knows.
func readAttempts(b []byte, entries []entry) (ok, known bool) {
	if len(b) == 0 {
		return false, true
	}
	r := reader{b: b[1:]}
	counts := make([]int32, 0, len(entries))
	switch width := uint(b[0] >> 2); {
	case b[0]&3 == attemptWidths && 0 < width && width <= maxWidth:
		counts = readWidths(&r, counts, width)
	case b[0] == attemptRuns:
		counts = readRuns(&r, counts)
	default:
		return false, false
	}
	if r.failed || len(counts) != len(entries) {
		return false, true
	}
	for i := range entries {
		entries[i].attempts = counts[i]
	}
	return true, true
}

// readWidths fills counts up to its capacity.
func readWidths(r *reader, counts []int32, width uint) []int32 {
	top := uint64(1)<<width - 1
	for len(counts) < cap(counts) && !r.failed {
		v := r.get(width)
		if v == top {
			more := r.gamma() - 1
			if more > math.MaxInt32 {
				r.failed = true
			}
			v += more
		}
		counts = appendCount(r, counts, v)
	}
	return counts
}

// readRuns fills counts up to its capacity.
func readRuns(r *reader, counts []int32) []int32 {
	for len(counts) < cap(counts) && !r.failed {
		length, v := r.gamma(), r.gamma()-1
		if length > uint64(cap(counts)-len(counts)) {
			r.failed = true
			break
		}
		for range length {
			counts = appendCount(r, counts, v)
		}
	}
	return counts
}

func appendCount(r *reader, counts []int32, v uint64) []int32 {
	if v > math.MaxInt32 {
		r.failed = true
		return counts
	}
	return append(counts, int32(v))
}
