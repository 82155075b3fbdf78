package embedded

import "sync"

// budget bounds the bytes that are written between two checks of the stored
// data, so that the bound on those data holds however slowly a check comes.
// Safe for concurrent use.
type budget struct {
	mu     sync.Mutex
	more   sync.Cond
	size   int64 // 0: no bound
	used   int64 // since the last check
	closed bool
	wake   chan struct{} // one token when a check should come soon
}

func newBudget(size int64) *budget {
	b := &budget{size: size, wake: make(chan struct{}, 1)}
	b.more.L = &b.mu
	return b
}

// take waits until there is room for n bytes. A piece larger than the budget
// passes when nothing else was taken.
func (b *budget) take(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.size > 0 && b.used > 0 && b.used+int64(n) > b.size && !b.closed {
		b.checkSoon()
		b.more.Wait()
	}
	b.used += int64(n)
	if b.size > 0 && b.used > b.size/4 {
		b.checkSoon()
	}
}

func (b *budget) checkSoon() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// taken returns what was taken since the last check.
func (b *budget) taken() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// checked gives back what was taken when the check began.
func (b *budget) checked(taken int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= taken
	b.more.Broadcast()
}

// close lets everybody pass.
func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.more.Broadcast()
}
