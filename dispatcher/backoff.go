package dispatcher

import (
	"math"
	"time"
)

// backoff computes the wait before a retry (section 4.6). It is pure; Rand is
// asked once per call that has jitter.
type backoff struct {
	minimum time.Duration // RETRY_MIN_BACKOFF
	jitter  float64       // RETRY_JITTER, a share: 0.2 adds up to 20 %
	rand    func() float64
}

// before returns the wait before retry k, counted from 1:
//
//	max(minimum, min(cap, base(k) * (1 + r*jitter)))
func (b backoff) before(k int, d *Delivery) time.Duration {
	return b.bound(base(d.Policy, d.Delay, k), d)
}

// holding returns the wait before the k-th further attempt, counted from 1, at
// a dead letter that is held: 1 s, 2 s, 4 s ... up to the cap.
func (b backoff) holding(k int, d *Delivery) time.Duration {
	return b.bound(shift(time.Second, k-1), d)
}

func (b backoff) bound(wait time.Duration, d *Delivery) time.Duration {
	if b.jitter > 0 && wait > 0 {
		wait = scale(wait, 1+b.rand()*b.jitter)
	}
	limit := d.BackoffMax
	if limit <= 0 {
		limit = DefaultBackoffMax
	}
	return max(b.minimum, min(limit, wait))
}

// base is k*delay for linear (C4) and 2^k*delay for exponential (C5), saturated
// at the largest duration.
func base(policy Policy, delay time.Duration, k int) time.Duration {
	if delay <= 0 || k <= 0 {
		return 0
	}
	switch policy {
	case Linear:
		if delay > math.MaxInt64/time.Duration(k) {
			return math.MaxInt64
		}
		return delay * time.Duration(k)
	case Exponential:
		return shift(delay, k)
	}
	return 0
}

// shift is d * 2^k, saturated. d is positive.
func shift(d time.Duration, k int) time.Duration {
	if k >= 63 || d > math.MaxInt64>>k {
		return math.MaxInt64
	}
	return d << k
}

// scale is d * f, saturated; f is at least 1.
func scale(d time.Duration, f float64) time.Duration {
	if x := float64(d) * f; x < math.MaxInt64 {
		return time.Duration(x)
	}
	return math.MaxInt64
}
