package dispatcher

import (
	"context"
	"sync"
	"time"
)

// cutoffs has one cutoff for each context under which attempts are made. All attempts of a
// partition have the same one, so what waits for its end is registered once, not once for
// each event.
type cutoffs struct {
	byDone sync.Map // of the context's Done channel, which tells contexts apart
}

// of returns the cutoff of a context; nil for one that never ends.
func (cs *cutoffs) of(ctx context.Context) *cutoff {
	done := ctx.Done()
	if done == nil {
		return nil
	}
	found, ok := cs.byDone.Load(done)
	if !ok {
		if found, ok = cs.byDone.LoadOrStore(done, &cutoff{}); !ok {
			context.AfterFunc(ctx, func() {
				cs.byDone.Delete(done)
				found.(*cutoff).end() //nolint:forcetypeassert // the map holds nothing else
			})
		}
	}
	return found.(*cutoff) //nolint:forcetypeassert // the map holds nothing else
}

// cutoff ends the attempts of a context when it ends: a blocked read or write returns when
// its connection's deadline is moved into the past. nil never ends any.
type cutoff struct {
	mu    sync.Mutex
	over  bool
	conns []*conn // in use; conn.place is the index
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// add begins an attempt on a connection. Once the context has ended it ends at once.
func (c *cutoff) add(in *conn) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		_ = in.SetDeadline(past)
		return
	}
	in.place = len(c.conns)
	c.conns = append(c.conns, in)
}

// remove ends the attempt. It is false when the context has ended: the connection's
// deadline is over, and it must not serve another attempt.
func (c *cutoff) remove(in *conn) bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	last := len(c.conns) - 1
	moved := c.conns[last]
	c.conns[in.place], c.conns[last] = moved, nil
	moved.place = in.place
	c.conns = c.conns[:last]
	return true
}

func (c *cutoff) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, in := range c.conns {
		_ = in.SetDeadline(past)
	}
	c.conns = nil
}
