package receiver

import (
	"sync/atomic"
	"time"
)

// warnings bounds the log: Kafka being away fails every request in the same way.
type warnings struct {
	last    atomic.Int64 // Unix nanoseconds of the last line
	skipped atomic.Int64
}

// warn logs a failed produce, at most once per second over all routes; the next
// line tells how many were left out. Counters are exact.
func (r *Receiver) warn(e *entry, err error) {
	now, last := time.Now().UnixNano(), r.quiet.last.Load()
	if now-last < int64(time.Second) || !r.quiet.last.CompareAndSwap(last, now) {
		r.quiet.skipped.Add(1)
		return
	}
	r.cfg.Logger.Warn("event not stored", "kind", e.Kind.String(), "namespace", e.Namespace, "name", e.Name,
		"topic", e.Topic, "error", err, "leftOut", r.quiet.skipped.Swap(0))
}
