package consumer

import (
	"slices"
	"sync/atomic"
)

// riderBatches is how far a rider may be behind its stream. It needs no more: it
// takes what comes, and pauses when it wants to read no further.
const riderBatches = 4

// rider is one assignment's seat in a stream. Its methods do not block.
type rider struct {
	log     *partitionLog
	batches chan []*Record // in offset order; shared, not to be changed
	lost    chan struct{}  // a token: the next offset is not in the log, see moveTo
	passed  chan struct{}  // a token: see beyond
	failed  func(error)
	prepare func(*Record) // may be nil; set before the first Resume
	end     atomic.Int64  // the log's
	short   atomic.Bool   // had no room for something
	// beyond is where the stream went on from what is in batches: what lies between
	// holds no record. Whoever reads it takes the batches after that and before it
	// acts on it: those that come later may lie below a later value.
	beyond atomic.Int64

	// Guarded by log.mu.
	next   int64   // the offset after the last record in batches
	on     *stream // nil: in none
	wants  bool
	astray bool // lost, and not moved yet
	closed bool
}

var _ source = (*rider)(nil)

// HighWaterMarkOffset is the end of the log when it was last read.
func (r *rider) HighWaterMarkOffset() int64 { return r.end.Load() }

// Pause stops the reading. What is in batches stays there.
func (r *rider) Pause() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.wants = false
	switch st := r.on; {
	case st == nil:
	case len(st.riders) > 1:
		r.leave()
	default:
		st.look() // it waits for a while
	}
}

// Resume goes on where the reading stopped.
func (r *rider) Resume() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.wants = true
	if r.on != nil {
		r.on.look()
	}
	r.board()
}

// moveTo goes on at another offset.
func (r *rider) moveTo(offset int64) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.leave()
	r.next, r.astray = offset, false
	r.beyond.Store(0) // told of the place before
	r.board()
}

// taken is called after a batch was received: a rider that had no room goes on.
func (r *rider) taken() {
	if !r.short.Load() || len(r.batches) > 0 {
		return
	}
	r.short.Store(false)
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if r.on != nil {
		r.on.look()
	}
	r.board()
}

// close ends the reading for good.
func (r *rider) close() {
	r.log.mu.Lock()
	already := r.closed
	r.closed, r.wants = true, false
	r.leave()
	r.log.mu.Unlock()
	if !already {
		r.log.streamsOf.leave(r.log)
	}
}

// full says that there is no room for a batch; locked, like all that follow. Only
// those who hold the lock put batches in.
func (r *rider) full() bool { return len(r.batches) == cap(r.batches) }

// give hands records to the rider if there is room.
func (r *rider) give(records []*Record) bool {
	if r.full() {
		r.short.Store(true)
		return false
	}
	r.batches <- records
	r.next = records[len(records)-1].Offset + 1
	return true
}

// pass moves the rider over offsets that hold no record.
func (r *rider) pass(to int64) {
	r.next = to
	r.beyond.Store(to)
	select {
	case r.passed <- struct{}{}:
	default:
	}
}

// leave takes the rider off its stream, and ends one that has no other.
func (r *rider) leave() {
	st := r.on
	if st == nil {
		return
	}
	r.on = nil
	st.riders = slices.DeleteFunc(st.riders, func(o *rider) bool { return o == r })
	if len(st.riders) == 0 {
		st.stop()
	}
}

// board takes a seat in a stream that is where the rider is, or starts one there.
func (r *rider) board() {
	if r.on != nil || !r.wants || r.astray || r.closed {
		return
	}
	for _, st := range r.log.streams {
		if st.reaches(r.next) {
			st.seat(r)
			return
		}
	}
	if !r.log.streamsOf.begin() {
		return
	}
	st := &stream{
		log: r.log, next: r.next, riders: []*rider{r},
		stopped: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	r.on = st
	r.log.streams = append(r.log.streams, st)
	go st.run()
}
