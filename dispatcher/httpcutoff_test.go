package dispatcher

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
)

// The attempts of one context share a cutoff, whatever values were added to it; it goes
// with the context.
func TestCutoffs(t *testing.T) {
	var cs cutoffs
	if cs.of(context.Background()) != nil {
		t.Error("a context that never ends has a cutoff")
	}
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		other, end := context.WithCancel(ctx)
		defer end()
		first := cs.of(ctx)
		if cs.of(context.WithValue(ctx, key{}, 1)) != first || cs.of(other) == first {
			t.Error("want one cutoff for each end")
		}
		cancel()
		synctest.Wait()
		cs.byDone.Range(func(any, any) bool {
			t.Error("a cutoff outlives its context")
			return false
		})
	})
}

// A connection is cut off when the context ends, also when it came later, and not once its
// attempt is over.
func TestCutoff(t *testing.T) {
	c := &cutoff{}
	conns := make([]*conn, 4)
	for i := range conns {
		socket, far := net.Pipe()
		conns[i] = &conn{Conn: socket}
		t.Cleanup(func() { _ = socket.Close(); _ = far.Close() })
		if i < 3 {
			c.add(conns[i])
		}
	}
	if !c.remove(conns[0]) { // the last one takes its place
		t.Error("cut off before the end")
	}
	c.end()
	c.add(conns[3])
	_ = conns[0].Close() // or its Read would wait
	for i, want := range []error{io.ErrClosedPipe, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded} {
		if _, err := conns[i].Read(make([]byte, 1)); !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
		if i > 0 && c.remove(conns[i]) {
			t.Errorf("connection %d may serve another attempt", i)
		}
	}
}
