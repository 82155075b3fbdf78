package consumer

import "time"

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
// request was sent, on the monotonic clock. Guarded by engine.mu.
type lease struct {
	from   time.Time // zero: none
	wanted bool      // something waits for it
}

// leased tells whether a call or a further send may begin now.
func (e *engine) leased() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lease.valid(time.Now())
}

func (l *lease) valid(now time.Time) bool {
	return !l.from.IsZero() && now.Sub(l.from) < leaseTime
}
