package receiver

import (
	"sync"
	"sync/atomic"

	"kurier.dev/kurier/internal/event"
)

// budget bounds the requests and bytes between a request's headers and the
// return of its records from Kafka's client. It never blocks.
type budget struct {
	maxRequests, maxBytes int64
	requests, bytes       atomic.Int64
}

func newBudget(requests, bytes int64) *budget {
	return &budget{maxRequests: requests, maxBytes: bytes}
}

// take reserves a request and its bytes, or nothing.
func (b *budget) take(bytes int64) (*lease, bool) {
	if !reserve(&b.requests, 1, b.maxRequests) {
		return nil, false
	}
	if !reserve(&b.bytes, bytes, b.maxBytes) {
		b.requests.Add(-1)
		return nil, false
	}
	l, _ := leases.Get().(*lease)
	if l == nil {
		l = &lease{}
		l.done = l.release
	}
	l.budget, l.bytes = b, bytes
	l.holders.Store(1)
	return l, true
}

func reserve(used *atomic.Int64, n, most int64) bool {
	if used.Add(n) > most {
		used.Add(-n)
		return false
	}
	return true
}

// lease is one request's share of the budget. It is held by the request and by
// each of its records, and given back by the last of them: a produce that timed
// out still costs memory after its client was answered.
type lease struct {
	budget  *budget
	bytes   int64 // grows only while the request alone holds the lease
	holders atomic.Int64
	done    func() // release, bound once
}

// leases are used again: a lease belongs to nobody once its last holder has
// released it.
var leases sync.Pool

// grow reserves more bytes for the lease. Only the request may call it, before
// it handed out its first record.
func (l *lease) grow(bytes int64) bool {
	if !reserve(&l.budget.bytes, bytes, l.budget.maxBytes) {
		return false
	}
	l.bytes += bytes
	return true
}

// hold adds a holder, who must call release once.
func (l *lease) hold() { l.holders.Add(1) }

func (l *lease) release() {
	if l.holders.Add(-1) == 0 {
		l.budget.bytes.Add(-l.bytes)
		l.budget.requests.Add(-1)
		l.budget = nil
		leases.Put(l)
	}
}

const (
	// headBytes is what a request costs beside its body: its record's headers,
	// the structures around it.
	headBytes = 4 << 10
	// unknownRoom is reserved at first for a body of unknown length,
	// announcedRoom at most for one whose length is declared.
	unknownRoom   = 4 << 10
	announcedRoom = 64 << 10
)

// memoryOf is what a body of so many bytes costs while it is handled. A
// structured event may exist as envelope and as decoded data, a batch as body
// and as records with headers of their own.
func memoryOf(body int, mode event.Mode) int64 {
	switch mode {
	case event.Structured:
		return 2 * int64(body)
	case event.Batch:
		return 3 * int64(body)
	default:
		return int64(body)
	}
}

// structuredLimit is how large the body of a structured event may be whose
// record has at most limit bytes: base64 makes four bytes of three.
func structuredLimit(limit int) int { return limit + limit/3 + 4 }

// bodyLimit is the largest body that is read.
func (r *Receiver) bodyLimit(e *entry, mode event.Mode) int {
	switch mode {
	case event.Batch:
		return r.cfg.MaxBatchBytes
	case event.Structured:
		return structuredLimit(e.limit)
	default:
		return e.limit
	}
}
