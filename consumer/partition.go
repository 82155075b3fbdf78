package consumer

import (
	"context"

	"kurier.dev/kurier/offsets"
)

// source is where an assignment's records come from: a claim of the group.
type source interface {
	HighWaterMarkOffset() int64
	Pause()
	Resume()
}

// partition is one assignment of one partition: everything between the claim
// and the release. All fields are guarded by engine.mu; a Tracker has no lock
// of its own.
type partition struct {
	id      int32
	source  source
	topic   offsets.TopicHash
	tracker *offsets.Tracker
	ctx     context.Context // of the calls in flight
	cancel  context.CancelFunc

	position int64 // the next offset expected from Kafka
	backlog  recordQueue
	paused   bool
	full     bool // the next record may not be admitted

	oldest, newest *entry           // unsettled records, in offset order
	keys           map[string]*lane // OrderedByKey
	line           *lane            // Ordered
	inFlight       int
	waiting        int
	bytes          int64 // of all records held
	parkedBytes    int64 // of those that are parked
	inFeed         bool
	nextFed        *partition // in engine.feed
	relane         bool       // an order was changed: start nothing until what is in flight ended

	changes   uint64 // counts what a commit would tell; committed is the last one told
	committed uint64

	stopping bool
	drained  chan struct{} // closed when stopping and nothing is in flight
}

// feedQueue is a FIFO of partitions, each in it at most once.
type feedQueue struct{ head, tail *partition }

func (q *feedQueue) push(p *partition) {
	p.inFeed, p.nextFed = true, nil
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.nextFed = p
	}
	q.tail = p
}

func (q *feedQueue) pop() *partition {
	p := q.head
	q.head = p.nextFed
	if q.head == nil {
		q.tail = nil
	}
	p.inFeed, p.nextFed = false, nil
	return p
}

// remove takes p out, wherever it is.
func (q *feedQueue) remove(p *partition) {
	old := *q
	*q = feedQueue{}
	for old.head != nil {
		if o := old.pop(); o != p {
			q.push(o)
		}
	}
}

// link appends a record to the unsettled ones.
func (p *partition) link(en *entry) {
	en.older = p.newest
	if p.newest == nil {
		p.oldest = en
	} else {
		p.newest.newer = en
	}
	p.newest = en
}

// unlink removes a settled record.
func (p *partition) unlink(en *entry) {
	if en.older == nil {
		p.oldest = en.newer
	} else {
		en.older.newer = en.newer
	}
	if en.newer == nil {
		p.newest = en.older
	} else {
		en.newer.older = en.older
	}
	en.older, en.newer = nil, nil
}

// lane is where a record belongs in that order.
func (p *partition) lane(order Order, en *entry) *lane {
	switch {
	case order == Ordered:
		if p.line == nil {
			p.line = &lane{part: p}
		}
		return p.line
	case order == OrderedByKey && en.d.Record.Key != nil:
		if l := p.keys[string(en.d.Record.Key)]; l != nil {
			return l
		}
		l := &lane{part: p, key: string(en.d.Record.Key), keyed: true}
		if p.keys == nil {
			p.keys = map[string]*lane{}
		}
		p.keys[l.key] = l
		return l
	}
	en.alone = lane{part: p}
	return &en.alone
}

// leastKeyLimit is half of the smallest window that a Tracker has: where a key's
// records cannot be parked it takes at most half of the window, and that much in
// any case.
const leastKeyLimit = 64

// admissible says whether the next record of the backlog may become part of the
// window, and notes in full when only the window forbids it.
func (e *engine) admissible(p *partition) bool {
	p.full = false
	next := p.backlog.head()
	if next == nil || p.stopping || p.relane {
		return false
	}
	if e.order == Ordered {
		// Behind a record in flight or waiting nothing can start, so the rest
		// stays in the backlog and the commit needs no map.
		return p.oldest == nil
	}
	if e.parks(p, next) {
		return true
	}
	p.full = !p.tracker.Fits(next.Offset) || (e.order == OrderedByKey && p.keyHasHalf(next.Key))
	return !p.full
}

// keyHasHalf says whether the records of a key fill half of the window.
func (p *partition) keyHasHalf(key []byte) bool {
	l := p.keys[string(key)]
	return key != nil && l != nil && l.n-l.parked >= leastKeyLimit && l.n-l.parked >= p.tracker.Capacity()/2
}

// lag counts the partition's records that are not settled. Offsets that are
// missing in the backlog hold none.
func (p *partition) lag() int64 {
	end := max(p.source.HighWaterMarkOffset(), p.position)
	holes := max(p.position-p.tracker.Next()-int64(p.backlog.n), 0)
	return max(p.tracker.Backlog(end)-holes, 0)
}
