package consumer

import (
	"sync"
	"sync/atomic"
)

// Bounds of the share of a Buffer that each consumer has for itself.
const (
	minShare = 64 << 10
	maxShare = 4 << 20
)

// Buffer bounds the memory of unsettled records (fetched, waiting, in flight)
// of all consumers of a process. Each consumer has a small share for itself
// that the others cannot take; what is left goes to who needs it.
//
// The bound is soft by what is on its way when reading pauses: about one fetch
// response per consumer and broker.
type Buffer struct {
	limit int64
	used  atomic.Int64

	accounts atomic.Int64

	mu       sync.Mutex
	blocked  map[*account]struct{}
	nBlocked atomic.Int32 // len(blocked), read without mu
}

// NewBuffer makes a Buffer for that many bytes, at least 1 MiB.
func NewBuffer(bytes int64) *Buffer {
	return &Buffer{limit: max(bytes, 1<<20), blocked: map[*account]struct{}{}}
}

// Used is the memory accounted now, in bytes.
func (b *Buffer) Used() int64 { return b.used.Load() }

// account is what one consumer holds of a Buffer. Its methods are safe for
// concurrent use.
type account struct {
	buffer *Buffer
	freed  func()
	used   atomic.Int64
}

// open adds a consumer. freed is called from any goroutine when memory is free
// again after over said no; it must not block and may be called under any lock
// of another consumer.
func (b *Buffer) open(freed func()) *account {
	b.accounts.Add(1)
	return &account{buffer: b, freed: freed}
}

// close gives everything back.
func (a *account) close() {
	a.add(-a.used.Load())
	b := a.buffer
	b.accounts.Add(-1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unblock(a)
}

// most is the Buffer's bound.
func (a *account) most() int64 { return a.buffer.limit }

// add accounts for n bytes, or gives them back when n is negative.
func (a *account) add(n int64) {
	a.used.Add(n)
	a.buffer.used.Add(n)
	if n < 0 && a.buffer.nBlocked.Load() > 0 {
		a.buffer.wake()
	}
}

// over says whether this consumer must stop reading. If so, freed is called
// once when it may go on.
//
// It enters itself before it looks, because of this sequence: over sees a full
// Buffer, add gives memory back and finds nobody blocked, over enters itself:
// nobody would ever wake it.
func (a *account) over() bool {
	b := a.buffer
	if !b.over(a, b.limit) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked[a] = struct{}{}
	b.nBlocked.Store(int32(len(b.blocked)))
	if b.over(a, b.limit) {
		return true
	}
	b.unblock(a)
	return false
}

// wake tells those that may read again. They may do so below a lower limit than
// the one that stopped them, so that reading does not flap.
func (b *Buffer) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for a := range b.blocked {
		if !b.over(a, b.limit-b.limit/8) {
			b.unblock(a)
			a.freed()
		}
	}
}

// unblock forgets a; locked.
func (b *Buffer) unblock(a *account) {
	delete(b.blocked, a)
	b.nBlocked.Store(int32(len(b.blocked)))
}

// over compares with a limit of the caller's choice.
func (b *Buffer) over(a *account, limit int64) bool {
	return b.used.Load() >= limit && a.used.Load() >= b.share()
}

// share is what each consumer may hold whatever the others do.
func (b *Buffer) share() int64 {
	return min(max(b.limit/4/max(b.accounts.Load(), 1), minShare), maxShare)
}
