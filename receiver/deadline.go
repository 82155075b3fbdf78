package receiver

import (
	"context"
	"errors"
	"time"
)

// deadline is the context of a connection's produces, one after the other. It
// is made once and armed for each: a context of its own for every event cost
// more than reading the event's headers. Not safe for concurrent use, but for
// the context itself.
type deadline struct {
	ctx    context.Context // a produceContext
	cancel context.CancelCauseFunc
	timer  *time.Timer // nil: there is no context that can be used
}

// errLate is the cause that ends a produce which took too long.
var errLate = errors.New("produce timeout")

// produceContext tells a timeout as contexts with a deadline do.
type produceContext struct{ context.Context }

// Err implements context.Context.
func (c produceContext) Err() error {
	err := c.Context.Err()
	if err != nil && errors.Is(context.Cause(c.Context), errLate) {
		return context.DeadlineExceeded
	}
	return err
}

// start returns a context that ends after timeout, or with parent. The one who
// called calls stop when the produce is over.
func (d *deadline) start(parent context.Context, timeout time.Duration) context.Context {
	if d.timer != nil {
		d.timer.Reset(timeout)
		return d.ctx
	}
	ctx, cancel := context.WithCancelCause(parent)
	d.ctx, d.cancel = produceContext{ctx}, cancel
	d.timer = time.AfterFunc(timeout, func() { cancel(errLate) })
	return d.ctx
}

// stop ends the watch. A context whose time was over is not used again: the
// timer may be about to end it.
func (d *deadline) stop() {
	if !d.timer.Stop() {
		d.timer = nil
	}
}

// end gives the context back to its parent, when there is one.
func (d *deadline) end() {
	if d.timer != nil {
		d.timer = nil
		d.cancel(nil)
	}
}
