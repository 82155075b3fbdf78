package consumer

import (
	"context"
	"time"

	"github.com/IBM/sarama"
)

// Delivery is one record in the Handler's hands. The consumer keeps the same
// *Delivery between calls for the same record; nobody else touches it, so the
// Handler needs no lock. A restart or a change of owner makes a new one.
type Delivery struct {
	// Record must not be changed. It stays as it is until the record is settled.
	Record *sarama.ConsumerMessage
	// Shared is the same record as other consumers of the process share it; nil
	// in tests that make a Delivery by hand.
	Shared *Record
	// Attempts counts the attempts made at the subscriber so far, also before a
	// restart. The Handler increments it when an attempt counts; one that was
	// cut off by its ctx does not.
	Attempts int
	// State is the Handler's own and lost on a restart.
	State any
	// Leased tells whether another send may begin now; nil means yes. A call
	// begins with that right, and a Handler that sends more than once in a call
	// (an attempt, then a reply or a dead letter) asks before each further send.
	// When it may not it returns a *Later with Resume: the call is repeated with
	// the right to send, or not at all when another owner has the partition.
	Leased func() bool
}

// Handler makes one attempt and returns.
//
// nil settles the record: its offset may be committed. A *Later means "call
// again when due". Any other error leaves the record unsettled too; the
// consumer logs it and calls again after a capped backoff. A panic counts as
// such an error.
//
// ctx ends when the partition is taken away or the process stops and the time
// to drain is over; the Handler then returns soon, with ctx.Err().
//
// Handlers of different lanes are called concurrently; for one *Delivery there
// is never more than one call at a time.
type Handler func(ctx context.Context, d *Delivery) error

// Later is the error of a Handler that wants to be called again. A record that
// waits costs no goroutine and no place among the concurrent calls.
type Later struct {
	// After is the time to wait; zero or less means at once.
	After time.Duration
	// Held marks a record that cannot be settled for now: its dead letter could
	// not be written. It is counted apart in Stats. It implies Resume.
	Held bool
	// Resume says that the next call makes no new attempt at the subscriber but
	// goes on with what Delivery.State holds (a reply, a dead letter). Without
	// it the count of the attempt to come is committed before the call.
	Resume bool
	// Err is the reason; nil is allowed.
	Err error
}

// Error is the reason's text.
func (l *Later) Error() string {
	if l.Err == nil {
		return "to be called again after " + l.After.String()
	}
	return l.Err.Error()
}

// Unwrap is the reason.
func (l *Later) Unwrap() error { return l.Err }
