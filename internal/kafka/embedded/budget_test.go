package embedded

import (
	"sync"
	"testing"
	"testing/synctest"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		b.take(500) // larger than all: passes alone
		var passed sync.WaitGroup
		var mu sync.Mutex
		n := 0
		for range 5 {
			passed.Go(func() {
				b.take(40)
				mu.Lock()
				defer mu.Unlock()
				n++
			})
		}
		count := func() int {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return n
		}
		if got := count(); got != 0 {
			t.Errorf("%d passed a used-up budget", got)
		}
		select {
		case <-b.wake:
		default:
			t.Error("no check was asked for")
		}
		taken := b.taken()
		b.checked(taken)
		if got := count(); got != 2 {
			t.Errorf("%d passed, 2 have room", got)
		}
		b.checked(b.taken())
		if got := count(); got != 4 {
			t.Errorf("%d passed, 4 have room", got)
		}
		b.close()
		if got := count(); got != 5 {
			t.Errorf("%d passed after close", got)
		}
		passed.Wait()
		unbounded := newBudget(0)
		unbounded.take(1 << 40)
		unbounded.take(1)
	})
}
