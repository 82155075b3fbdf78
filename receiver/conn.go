package receiver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is one client's connection. Between requests it holds no buffer: what
// wakes it is read into a pooled one, so that ten thousand idle connections
// cost little more than their goroutines.
type conn struct {
	net.Conn
	raw   syscall.RawConn // nil when the connection has no file descriptor
	idle  atomic.Bool     // waiting for a request; whoever clears it owns what happens next
	woken *[]byte         // pooled, nil when nothing of it is left
	first []byte          // the part of woken that Read has not handed out
	one   [1]byte
	wait  func(fd uintptr) bool // readReady, bound once; nil without raw
	err   error                 // of readReady

	produce               deadline
	readUntil, writeUntil time.Time // the deadlines that are set; zero: another one
}

// Read hands out what ended the idle wait, then reads on.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	c.first = c.first[n:]
	if len(c.first) == 0 {
		c.dropWoken()
	}
	return n, nil
}

func (c *conn) dropWoken() {
	c.first = nil
	if c.woken != nil {
		smallBuffers.Put(c.woken)
		c.woken = nil
	}
}

// awaitRequest waits for the first bytes of the next request. False means that
// the connection is over.
func (c *conn) awaitRequest(r *Receiver) bool {
	if c.readWithin(r.cfg.IdleTimeout) != nil {
		return false
	}
	c.idle.Store(true)
	if r.closing.Load() {
		// Shutdown may have looked at this connection before it was idle.
		return false
	}
	err := c.readFirst()
	return c.idle.CompareAndSwap(true, false) && err == nil
}

// readByte waits with room for one byte; readFirst uses it where the file
// descriptor cannot be waited for.
func (c *conn) readByte() error {
	n, err := c.Conn.Read(c.one[:])
	c.first = c.one[:n]
	if n > 0 {
		return nil
	}
	return err
}

// accept serves connections until the listener fails or is closed.
func (r *Receiver) accept(ln net.Listener) error {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			wait = shortest
			r.start(nc)
			continue
		case errors.Is(err, net.ErrClosed) || !isTemporary(err):
			return err
		}
		r.cfg.Logger.Warn("cannot accept connections, trying again", "error", err, "wait", wait)
		select {
		case <-r.ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

// isTemporary tells what goes away by itself, such as too many open files.
func isTemporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECONNRESET)
}

func (r *Receiver) start(nc net.Conn) {
	c := &conn{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw, c.wait = raw, c.readReady
		}
	}
	r.mu.Lock()
	full, closing := len(r.conns) >= r.cfg.MaxConnections, r.closing.Load()
	if !closing {
		r.running.Add(1)
		if !full {
			r.conns[c] = struct{}{}
		}
	}
	r.mu.Unlock()
	switch {
	case closing:
		_ = nc.Close()
	case full:
		go r.refuse(c)
	default:
		go r.serveConn(c)
	}
}

// refuse answers a connection above the limit without reading from it.
func (r *Receiver) refuse(c *conn) {
	defer r.running.Done()
	a := busy(503, retryBusy, fmt.Sprintf("all %d connections are in use, try again later", r.cfg.MaxConnections))
	r.metrics.answered(&a)
	x := acquireExchange(c)
	x.http11 = true
	_ = x.write(r, &a, false)
	x.release()
	_ = c.Close()
}

func (r *Receiver) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// serveConn answers the requests of a connection, one after the other.
func (r *Receiver) serveConn(c *conn) {
	defer r.running.Done()
	defer func() {
		if p := recover(); p != nil {
			r.bug(p)
		}
		_ = c.Close()
		c.dropWoken()
		c.produce.end()
		r.mu.Lock()
		delete(r.conns, c)
		r.mu.Unlock()
	}()
	for c.awaitRequest(r) {
		x := acquireExchange(c)
		keep := true
		for keep && x.pending() {
			keep = r.exchange(x)
		}
		x.release()
		if !keep {
			return
		}
	}
}

// exchange answers one request; false means that the connection must close.
func (r *Receiver) exchange(x *exchange) bool {
	if a, ok := x.readHead(r); !ok {
		if a.status == 0 {
			return false
		}
		r.metrics.answered(&a)
		_ = x.write(r, &a, false)
		x.linger()
		return false
	}
	a := r.answerSafely(&x.req)
	r.metrics.answered(&a)
	keep := !x.close && !a.close && !r.draining.Load() && x.body.mayDiscard()
	if x.write(r, &a, keep) != nil {
		return false
	}
	if !keep {
		x.linger()
		return false
	}
	return x.body.discard() == nil
}

// bug logs a panic that one connection survives instead of ending the process.
func (r *Receiver) bug(p any) {
	r.cfg.Logger.Error("bug: panic while handling a request", "panic", p, "stack", string(debug.Stack()))
}

// answerSafely answers even where handling the request panics.
func (r *Receiver) answerSafely(req *request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			r.bug(p)
			a = busy(503, retryKafka, "an internal error, see the log of this instance")
			a.close = true
		}
	}()
	return r.handle(req)
}

// lingerFor and lingerBytes bound how long a closed connection is still read.
const (
	lingerFor   = 2 * time.Second
	lingerBytes = 64 << 20
)

// linger lets the client read the answer before the connection goes: closing
// while its body is still on the way would reset the connection, and the answer
// might be lost with it.
func (x *exchange) linger() {
	if x.body.done && x.br.Buffered() == 0 {
		return
	}
	half, ok := x.conn.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || x.conn.SetReadDeadline(time.Now().Add(lingerFor)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, x.conn, lingerBytes)
}
