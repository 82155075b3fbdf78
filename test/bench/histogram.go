package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// subBuckets is the number of steps per power of two: a latency is known to 3 %.
const (
	subBits    = 5
	subBuckets = 1 << subBits
)

// histogram counts durations. Safe for concurrent use.
type histogram struct {
	buckets [64 * subBuckets]atomic.Int64
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// upperEnd is the longest duration of a bucket.
func upperEnd(bucket int) time.Duration {
	if bucket < subBuckets {
		return time.Duration(bucket)
	}
	shift := bucket/subBuckets - 1
	return time.Duration((uint64(bucket%subBuckets+subBuckets)+1)<<shift - 1)
}

func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

func (h *histogram) snapshot() counts {
	c := counts{}
	for i := range h.buckets {
		if n := h.buckets[i].Load(); n > 0 {
			c[i] = n
		}
	}
	return c
}

// counts is a snapshot: how many durations each bucket has.
type counts map[int]int64

// since returns what came after an earlier snapshot.
func (c counts) since(earlier counts) counts {
	d := counts{}
	for bucket, n := range c {
		if n -= earlier[bucket]; n > 0 {
			d[bucket] = n
		}
	}
	return d
}

// quantile is the duration that the share q of all stays within; 0 when there is none.
func (c counts) quantile(q float64) time.Duration {
	var all, seen int64
	for _, n := range c {
		all += n
	}
	for bucket := range 64 * subBuckets {
		seen += c[bucket]
		if seen > 0 && float64(seen) >= q*float64(all) {
			return upperEnd(bucket)
		}
	}
	return 0
}
