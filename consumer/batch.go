package consumer

import (
	"slices"
	"time"

	"kurier.dev/kurier/offsets"
)

// batch is what one commit tells Kafka, and who waits for it.
type batch struct {
	told  []told
	ahead []aheadLane
}

// told is one partition's part of a commit.
type told struct {
	part     *partition
	changes  uint64 // of the partition when the position was taken
	position offsets.Position
}

// need is what the committer has to know to decide when to act.
type need struct {
	urgent bool // records wait for a commit, or for the lease
	dirty  bool // there is something to commit
	work   bool // records are in flight or could be: keep the lease
	rest   bool // idle workers could be ended
}

// need is asked for by the committer alone: when it tells of nothing, the next call that
// begins kicks.
func (e *engine) need() need {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := need{
		urgent: len(e.ahead) > 0 || e.lease.wanted,
		work:   e.running > 0 || e.ready.head != nil || e.feed.head != nil,
		rest:   len(e.workers.idle) > 0,
	}
	for _, p := range e.parts {
		n.dirty = n.dirty || p.changes != p.committed
	}
	e.resting = !n.urgent && !n.dirty && !n.work
	return n
}

// takeBatch collects everything that Kafka does not know yet, of one partition
// or of all (nil). The batch must be handed back to acked or failed.
func (e *engine) takeBatch(only *partition) batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b batch
	for _, p := range e.parts {
		if p.changes != p.committed && (only == nil || only == p) {
			b.told = append(b.told, told{p, p.changes, p.tracker.Snapshot()})
		}
	}
	if only == nil {
		b.ahead, e.ahead = e.ahead, nil
		e.telling = slices.Clone(b.ahead)
	}
	return b
}

// acked notes what Kafka acknowledged. sent is when the request went out; ok
// says which partitions were accepted. A batch without partitions is a
// heartbeat.
func (e *engine) acked(b batch, sent time.Time, ok func(*partition) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.set(sent)
	e.lease.wanted = false
	e.telling = nil // one batch is under way at a time
	for _, t := range b.told {
		if ok(t.part) {
			t.part.committed = max(t.part.committed, t.changes)
		}
	}
	for _, a := range b.ahead {
		l := a.lane
		switch {
		case l.epoch != a.epoch || l.state != laneAhead: // its partition stopped, or its order changed
		case !ok(l.part):
			e.ahead = append(e.ahead, a)
		default:
			l.head.ahead = l.head.d.Attempts + 1
			l.state = laneIdle
			e.schedule(l)
		}
	}
	e.dispatch()
}

// failed puts back a batch that Kafka did not acknowledge.
func (e *engine) failed(b batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ahead = append(e.ahead, b.ahead...)
}

// expire ends the lease: the place in the group is lost, or it is a new one.
func (e *engine) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.set(time.Time{})
	if len(e.parts) == 0 {
		e.lease.wanted, e.ahead = false, nil
	}
}

// limitMetadata sets the longest metadata for all partitions.
func (e *engine) limitMetadata(bytes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.parts {
		p.tracker.SetLimit(bytes)
		p.changes++
	}
}

// trim ends idle workers that nobody needed since the last trim.
func (e *engine) trim() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.workers.trim()
}
