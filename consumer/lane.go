package consumer

import "time"

// entry is one record from its admission until it is settled. It is linked into
// a lane (next) and into the partition's list of unsettled records (older,
// newer).
type entry struct {
	d            Delivery
	size         int64  // bytes accounted to the Buffer
	parked       bool   // the Tracker keeps its offset out of the map
	next         *entry // in the lane
	older, newer *entry

	ahead    int  // attempts that an acknowledged commit knows of
	failures int  // errors in a row that were no *Later
	resume   bool // the next call makes no new attempt at the subscriber

	alone lane // used when the record is a lane of its own
}

// newEntry makes the entry of a record that is admitted.
func newEntry(rec *Record) *entry {
	return &entry{d: Delivery{Record: rec.ConsumerMessage, Shared: rec}, size: rec.size}
}

// offset is the record's.
func (en *entry) offset() int64 { return en.d.Record.Offset }

// needsAhead says whether the count of the attempt to come must be in an
// acknowledged commit first. The first attempt needs none.
func (en *entry) needsAhead() bool {
	return en.d.Attempts > 0 && !en.resume && en.ahead <= en.d.Attempts
}

// laneState says which of the scheduler's lists a lane is in.
type laneState uint8

const (
	laneIdle    laneState = iota // in none: empty, or its partition starts nothing
	laneReady                    // in engine.ready
	laneAhead                    // its head's attempt count waits for a commit
	laneRunning                  // its head is in the Handler's hands
	laneWaiting                  // in engine.waiting until due
)

// lane is a FIFO of records of one partition of which one at a time is in the
// Handler's hands: all of a partition (Ordered), those of a key (OrderedByKey),
// or one (Unordered, and records without key).
type lane struct {
	part       *partition
	head, tail *entry
	n          int
	parked     int // of n
	key        string
	keyed      bool // in partition.keys

	state laneState
	epoch uint32 // changes when the lane is taken out of all lists
	held  bool   // waits with Later.Held
	due   time.Time
	index int    // in engine.waiting
	next  *lane  // in engine.ready
	wakes uint64 // engine.wakes when the call in flight began
}

// push appends a record.
func (l *lane) push(en *entry) {
	en.next = nil
	if l.tail == nil {
		l.head = en
	} else {
		l.tail.next = en
	}
	l.tail = en
	l.n++
}

// pop removes the head.
func (l *lane) pop() {
	en := l.head
	l.head = en.next
	if l.head == nil {
		l.tail = nil
	}
	en.next = nil
	l.n--
}

// laneQueue is a FIFO of lanes that are ready to run.
type laneQueue struct {
	head, tail *lane
	n          int
}

func (q *laneQueue) push(l *lane) {
	l.next = nil
	if q.tail == nil {
		q.head = l
	} else {
		q.tail.next = l
	}
	q.tail = l
	q.n++
}

func (q *laneQueue) pop() *lane {
	l := q.head
	if l == nil {
		return nil
	}
	q.head = l.next
	if q.head == nil {
		q.tail = nil
	}
	l.next = nil
	q.n--
	return l
}

// filter keeps the lanes for which keep says yes, in order.
func (q *laneQueue) filter(keep func(*lane) bool) {
	old := *q
	*q = laneQueue{}
	for l := old.pop(); l != nil; l = old.pop() {
		if keep(l) {
			q.push(l)
		}
	}
}

// waitHeap orders waiting lanes by when they are due; see container/heap.
type waitHeap []*lane

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends a *lane.
func (h *waitHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop removes the last lane.
func (h *waitHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
