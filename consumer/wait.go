package consumer

import (
	"container/heap"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Backoff after an error that is no *Later.
const (
	errorBackoff    = 100 * time.Millisecond
	maxErrorBackoff = 30 * time.Second
)

// unsettled notes the outcome of a call that did not settle a lane's head.
func (e *engine) unsettled(l *lane, err error) {
	en := l.head
	l.part.tracker.SetAttempts(en.offset(), en.d.Attempts)
	l.part.changes++
	en.ahead = min(en.ahead, en.d.Attempts) // one that was cut off is written ahead again
	var later *Later
	switch {
	case errors.As(err, &later):
		en.resume = later.Resume || later.Held
		en.failures = 0
	case l.part.ctx.Err() != nil: // cut off; says nothing about the record
	default:
		en.resume = false
		en.failures++
		e.handlerErrors.Add(1)
		e.logger.Error("handling a record failed; it is tried again",
			slog.String("topic", en.d.Record.Topic), slog.Int("partition", int(l.part.id)),
			slog.Int64("offset", en.offset()), slog.Int("failures", en.failures), slog.Any("error", err))
	}
}

// postpone makes a lane wait for the next call of its head.
func (e *engine) postpone(l *lane, err error) {
	after := backoff(l.head.failures, errorBackoff, maxErrorBackoff)
	held := false
	var later *Later
	if errors.As(err, &later) {
		after, held = later.After, later.Held
	}
	// The call may have begun before Wake and decided by settings that are gone.
	if l.wakes != e.wakes {
		after = 0
	}
	if after <= 0 && !held {
		e.schedule(l)
		return
	}
	l.state, l.held = laneWaiting, held
	l.due = time.Now().Add(max(after, 0))
	l.part.waiting++
	if held {
		e.held++
	}
	heap.Push(&e.waiting, l)
	e.setTimer()
}

// backoff is the wait after that many failures in a row: doubling, capped, with
// up to a fifth of jitter so that many do not come back at once.
func backoff(failures int, first, most time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	d := most
	if failures < 20 {
		d = min(first<<(failures-1), most)
	}
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// setTimer makes the timer fire when the first waiting lane is due.
func (e *engine) setTimer() {
	if len(e.waiting) == 0 {
		return
	}
	due := e.waiting[0].due
	if !e.timerDue.IsZero() && !due.Before(e.timerDue) {
		return
	}
	e.timerDue = due
	e.timer.Reset(time.Until(due))
}

// onTimer schedules what is due.
func (e *engine) onTimer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timerDue = time.Time{}
	now := time.Now()
	for len(e.waiting) > 0 && !e.waiting[0].due.After(now) {
		l := e.waiting[0]
		e.leaveWait(l)
		e.schedule(l)
	}
	e.setTimer()
	e.dispatch()
}

// leaveWait takes one lane out of the waiting ones.
func (e *engine) leaveWait(l *lane) {
	heap.Remove(&e.waiting, l.index)
	e.leftWait(l)
}

// leftWait counts.
func (e *engine) leftWait(l *lane) {
	l.part.waiting--
	if l.held {
		e.held--
		l.held = false
	}
}

// unwait takes those lanes out of the waiting ones for which pick says yes.
func (e *engine) unwait(pick func(*lane) bool) {
	var rest waitHeap
	for _, l := range e.waiting {
		if pick(l) {
			e.leftWait(l)
			continue
		}
		l.index = len(rest)
		rest = append(rest, l)
	}
	e.waiting = rest
	heap.Init(&e.waiting)
}

// wake makes everything that waits due now.
func (e *engine) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wakes++
	lanes := e.waiting
	e.waiting = nil
	for _, l := range lanes {
		e.leftWait(l)
		l.state = laneIdle
		e.schedule(l)
	}
	e.dispatch()
}
