package consumer

import (
	"sync/atomic"
	"time"
)

const (
	// leaseTime: no call begins when Kafka last confirmed this member's place in
	// the group longer ago. Half of the session timeout, so that a process that
	// was stopped and continued calls nothing after another one took over.
	leaseTime = 5 * time.Second
	// commitInterval is between two commits, and between two renewals of the
	// lease, while there is work.
	commitInterval = time.Second
)

// lease is the right to begin calls. It runs from the moment the confirmed
// request was sent, on the monotonic clock.
type lease struct {
	from   time.Time    // zero: none; guarded by engine.mu
	wanted bool         // something waits for it; guarded by engine.mu
	origin time.Time    // any fixed moment
	until  atomic.Int64 // nanoseconds after origin; 0: none
}

// set begins the lease anew, or ends it with the zero time.
func (l *lease) set(from time.Time) {
	l.from = from
	if from.IsZero() {
		l.until.Store(0)
	} else {
		l.until.Store(int64(from.Add(leaseTime).Sub(l.origin)))
	}
}

// valid tells whether a call or a further send may begin now. It takes no lock:
// each send asks.
func (l *lease) valid() bool { return int64(time.Since(l.origin)) < l.until.Load() }
