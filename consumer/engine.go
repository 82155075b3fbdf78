package consumer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kurier.dev/kurier/offsets"
)

// engine schedules the records of all partitions of one consumer. It knows no
// Kafka: records come in through arrive, positions go out through takeCommit.
//
//	arrive -> backlog --admit--> lane --ready--> worker -> Handler -> settled
//	              (per partition)  ^                          |
//	                               +-- waiting, ahead <-------+ Later, error
//
// One mutex guards all of it; each record takes it twice, on arrival (many
// records at once) and when a worker has settled it and takes its next.
type engine struct {
	handler Handler
	// wants says whether a record needs the Handler at all; nil: each does.
	wants   func(*Record) bool
	account *account
	logger  *slog.Logger
	// kick wakes the committer, without blocking: something changed that it has
	// to look at.
	kick func()
	// backlogLimit is the most fetched records, all partitions together, before
	// reading pauses.
	backlogLimit int

	mu       sync.Mutex
	order    Order
	limit    int
	lease    lease
	mayStart func() bool // leased, for all Deliveries
	parts    map[int32]*partition
	behind   int // partitions that have a backlog
	ready    laneQueue
	feed     feedQueue // partitions with an admissible record, in turn
	fresh    bool      // the last lane taken came from feed, not from ready
	ahead    []aheadLane
	telling  []aheadLane // those of ahead whose commit is under way
	waiting  waitHeap
	held     int
	running  int
	resting  bool // the committer found nothing to do
	// Bytes of parked records, and whether a partition may wait for fewer.
	parkedBytes int64
	parkedFull  bool
	workers     workers
	timer       *time.Timer
	timerDue    time.Time // zero: not set
	wakes       uint64
	closed      bool

	settled, skipped, handlerErrors atomic.Int64
}

// aheadLane is a lane whose head waits until its attempt count is committed. It
// counts only while the lane's epoch is the same.
type aheadLane struct {
	lane  *lane
	epoch uint32
}

func newEngine(h Handler, order Order, limit int, logger *slog.Logger, kick func()) *engine {
	e := &engine{
		handler: h, order: order, limit: limit, logger: logger, kick: kick,
		backlogLimit: defaultBacklogLimit, parts: map[int32]*partition{},
	}
	e.lease.origin = time.Now()
	e.mayStart = e.lease.valid
	e.timer = time.AfterFunc(time.Hour, e.onTimer)
	e.timer.Stop()
	return e
}

// open begins an assignment. ctx is the parent of the calls' ctx.
func (e *engine) open(ctx context.Context, p *partition) {
	p.ctx, p.cancel = context.WithCancel(ctx)
	p.drained = make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.parts[p.id] = p
}

// arrive takes records of an assignment in offset order. Those below the
// position are left out.
func (e *engine) arrive(p *partition, records []*Record) {
	for len(records) > 0 && records[0].Offset < p.position { // written by the caller's goroutine alone
		records = records[1:]
	}
	if len(records) == 0 {
		return
	}
	bytes := sizeOf(records)
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.stopping {
		return
	}
	e.charge(p, bytes)
	if p.backlog.n == 0 {
		e.behind++
	}
	p.backlog.push(records, bytes)
	p.position = records[len(records)-1].Offset + 1
	e.offer(p)
	e.dispatch()
	e.regulate(p)
}

// pass moves the position over offsets that hold no record.
func (e *engine) pass(p *partition, to int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.stopping || to <= p.position {
		return
	}
	p.position = to
	if p.backlog.n > 0 {
		return // admit tells the tracker
	}
	p.tracker.Skip(to)
	if p.changes++; p.changes == p.committed+1 {
		e.kick()
	}
}

// offer puts a partition in the feed when its next record may be admitted.
func (e *engine) offer(p *partition) {
	if !p.inFeed && e.admissible(p) {
		e.feed.push(p)
	}
}

// admit moves records from the backlog into lanes until one of them can run.
// What needs no Handler is settled here, at the cost of little more than a look.
func (e *engine) admit(p *partition) *lane {
	var freed, skipped, refused int64
	defer func() { e.passedBy(p, freed, skipped, refused) }()
	for e.admissible(p) {
		rec := p.backlog.pop()
		standing, wanted := e.track(p, rec)
		if p.backlog.n == 0 {
			e.behind--
			p.tracker.Skip(p.position)
		}
		if standing == offsets.Settled {
			freed += rec.size
			skipped++
			continue
		}
		if !wanted {
			freed += rec.size
			refused++
			continue
		}
		en := newEntry(rec)
		en.d.Attempts = p.tracker.Attempts(rec.Offset)
		en.d.Leased = e.mayStart
		p.link(en)
		l := p.lane(e.order, en)
		l.push(en)
		if standing == offsets.Parked {
			e.park(l, en)
		}
		if l.state == laneIdle {
			e.comeUp(l)
			return l
		}
	}
	return nil
}

// passedBy notes records that were settled without a call: done before a
// restart, or refused.
func (e *engine) passedBy(p *partition, freed, skipped, refused int64) {
	if skipped+refused == 0 {
		return
	}
	e.charge(p, -freed)
	e.skipped.Add(skipped)
	e.settled.Add(refused)
	clean := p.changes == p.committed
	p.changes++
	if clean {
		e.kick()
	}
}

// take finds the next lane to run, or nil. Retries and new records take turns,
// so that neither holds up the other.
func (e *engine) take() *lane {
	if e.running >= e.limit || (e.ready.head == nil && e.feed.head == nil) || e.closed {
		return nil
	}
	if !e.lease.valid() {
		if !e.lease.wanted {
			e.lease.wanted = true
			e.kick()
		}
		return nil
	}
	if e.fresh && e.ready.head != nil {
		e.fresh = false
		return e.ready.pop()
	}
	for e.feed.head != nil {
		p := e.feed.pop()
		l := e.admit(p)
		e.offer(p)
		e.regulate(p)
		if l == nil {
			continue
		}
		if l.head.needsAhead() {
			e.schedule(l)
			continue
		}
		e.fresh = true
		return l
	}
	return e.ready.pop()
}

// dispatch starts what may start.
func (e *engine) dispatch() {
	for l := e.take(); l != nil; l = e.take() {
		e.start(l)
		e.workers.run(e, l)
	}
}

// start puts a lane's head in the Handler's hands.
func (e *engine) start(l *lane) {
	l.state = laneRunning
	l.wakes = e.wakes
	l.part.inFlight++
	e.running++
	if e.resting { // the committer renews the lease while calls run, and tells what comes of them
		e.resting = false
		e.kick()
	}
}

// schedule makes a lane run as soon as a worker is free, or as soon as the
// count of the coming attempt is committed.
func (e *engine) schedule(l *lane) {
	en := l.head
	if !en.needsAhead() {
		l.state = laneReady
		e.ready.push(l)
		return
	}
	p := l.part
	p.tracker.SetAttempts(en.offset(), en.d.Attempts+1)
	p.changes++
	l.state = laneAhead
	e.ahead = append(e.ahead, aheadLane{l, l.epoch})
	e.kick()
}

// finish takes the outcome of the call for a lane's head and gives the worker
// its next lane. nil: the worker rests until its channel has one, or is closed.
func (e *engine) finish(l *lane, err error, w *worker) *lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := l.part
	e.running--
	p.inFlight--
	l.state = laneIdle
	if err == nil {
		e.settle(l)
	} else {
		e.unsettled(l, err)
	}
	switch {
	case p.stopping:
		if p.inFlight == 0 {
			close(p.drained)
		}
	case p.relane:
		if p.inFlight == 0 {
			e.rebuild(p)
		}
	case err != nil:
		e.postpone(l, err)
	case l.head != nil:
		e.schedule(l)
	}
	if !p.stopping {
		e.offer(p)
		e.regulate(p)
	}
	next := e.take()
	switch {
	case next != nil:
		e.start(next)
		e.dispatch()
	case e.closed:
		close(w.next)
	default:
		e.workers.idle = append(e.workers.idle, w)
	}
	return next
}

// settle is the end of a lane's head.
func (e *engine) settle(l *lane) {
	p, en := l.part, l.head
	p.tracker.Done(en.offset())
	p.changes++
	if p.changes == p.committed+1 {
		e.kick()
	}
	p.unlink(en)
	l.pop()
	e.comeUp(l)
	if l.keyed && l.head == nil {
		delete(p.keys, l.key)
	}
	e.charge(p, -en.size)
	e.settled.Add(1)
}

// setOrder changes the order. What is in flight ends first; then the unsettled
// records of its partition form new lanes, in offset order, due at once.
func (e *engine) setOrder(o Order) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o == e.order {
		return
	}
	e.order = o
	e.wakes++
	for _, p := range e.parts {
		if p.stopping {
			continue
		}
		p.relane = true
		e.unschedule(p)
		if p.inFlight == 0 {
			e.rebuild(p)
		}
	}
	e.dispatch()
}

// rebuild forms the lanes of a partition anew.
func (e *engine) rebuild(p *partition) {
	p.relane = false
	p.keys, p.line = nil, nil
	e.comeUpAll(p)
	var lanes []*lane
	for en := p.oldest; en != nil; en = en.newer {
		l := p.lane(e.order, en)
		if l.head == nil {
			lanes = append(lanes, l)
		}
		l.push(en)
	}
	for _, l := range lanes {
		e.schedule(l)
	}
	e.offer(p)
}

// setLimit changes how many Handlers may run at once.
func (e *engine) setLimit(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.limit = max(n, 1)
	e.dispatch()
}

// stop ends an assignment: nothing of it starts any more, and its backlog is
// forgotten. p.drained closes when nothing of it is in flight.
func (e *engine) stop(p *partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.stopping {
		return
	}
	p.stopping = true
	e.unschedule(p)
	e.feed.remove(p)
	e.charge(p, -p.backlog.bytes)
	if p.backlog.n > 0 {
		e.behind--
	}
	p.backlog, p.position = recordQueue{}, p.tracker.Next()
	if p.inFlight == 0 {
		close(p.drained)
	}
}

// release forgets a partition that stopped and drained. Nothing of it is
// committed afterwards.
func (e *engine) release(p *partition) {
	p.cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.parts[p.id] == p {
		delete(e.parts, p.id)
	}
	e.charge(p, -p.bytes)
	e.countParked(p, -p.parkedBytes)
	p.oldest, p.newest, p.keys, p.line = nil, nil, nil, nil
	e.dispatch()
}

// unschedule takes all lanes of a partition out of the lists, but for those in
// flight. Attempts that were written ahead and not made count no more.
func (e *engine) unschedule(p *partition) {
	remove := func(l *lane) bool {
		if l.part != p {
			return false
		}
		l.epoch++
		l.state = laneIdle
		p.tracker.SetAttempts(l.head.offset(), l.head.d.Attempts)
		l.head.ahead = min(l.head.ahead, l.head.d.Attempts)
		p.changes++
		return true
	}
	e.ready.filter(func(l *lane) bool { return !remove(l) })
	// A commit may be under way: were its lanes left alone, its acknowledgement
	// would start them after the partition has stopped and drained.
	for _, a := range slices.Concat(e.ahead, e.telling) {
		if a.epoch == a.lane.epoch && a.lane.state == laneAhead {
			remove(a.lane)
		}
	}
	e.unwait(remove)
}
