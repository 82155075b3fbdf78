package consumer

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// workers are the goroutines that call the Handler. They are made on demand,
// kept warm while they are needed, and ended by trim and close. Guarded by
// engine.mu.
type workers struct {
	idle    []*worker // the one that rested last is used first
	lowest  int       // fewest idle ones since the last trim
	running sync.WaitGroup
}

// worker rests in workers.idle until a lane comes; a closed channel ends it.
type worker struct{ next chan *lane }

// run gives a started lane to a worker.
func (ws *workers) run(e *engine, l *lane) {
	if n := len(ws.idle); n > 0 {
		w := ws.idle[n-1]
		ws.idle = ws.idle[:n-1]
		ws.lowest = min(ws.lowest, n-1)
		w.next <- l // has room: an idle worker waits for exactly one lane
		return
	}
	ws.lowest = 0
	ws.running.Go(func() { e.work(l) })
}

// trim ends the workers that nobody needed since the last trim, and says
// whether any are left to rest.
func (ws *workers) trim() bool {
	for range ws.lowest {
		w := ws.idle[0]
		ws.idle = ws.idle[1:]
		close(w.next)
	}
	ws.lowest = len(ws.idle)
	return len(ws.idle) > 0
}

// close ends all idle workers.
func (ws *workers) close() {
	for _, w := range ws.idle {
		close(w.next)
	}
	ws.idle, ws.lowest = nil, 0
}

// work is one worker's life.
func (e *engine) work(l *lane) {
	w := &worker{next: make(chan *lane, 1)}
	for l != nil {
		err := call(l.part.ctx, e.handler, &l.head.d)
		if l = e.finish(l, err, w); l == nil {
			l = <-w.next
		}
	}
}

// call makes one call and turns a panic into an error.
func call(ctx context.Context, h Handler, d *Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return h(ctx, d)
}

// close ends the engine once all partitions are released: all workers ended.
func (e *engine) close() {
	e.mu.Lock()
	e.closed = true
	e.timer.Stop()
	e.workers.close()
	e.mu.Unlock()
	e.workers.running.Wait()
}
