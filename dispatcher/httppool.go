package dispatcher

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// pool keeps the idle connections to one host, the one used last on top, so
// that those not needed grow old. A timer runs only while something is idle; no
// goroutine does. fasthttp's own pool is not used: it cannot be cancelled while
// it dials, nor look at a connection before it is used again.
type pool struct {
	dialer *net.Dialer
	addr   string
	tls    *tls.Config // nil: plain

	mu     sync.Mutex
	idle   []*conn // oldest first
	timer  *time.Timer
	closed bool
}

// conn is one connection. It is used by one attempt at a time.
type conn struct {
	net.Conn         // what is spoken to: TLS or plain
	socket   *socket // beneath; nil: none that can be looked at
	plain    bool    // Conn is the socket's

	created, idleSince time.Time
	deadline           time.Time // that is set
	reused             bool
	written            int  // bytes of the current attempt
	place              int  // in the cutoff of the current attempt
	ended              bool // the server has ended its side
}

// Read notices the end of what the server sends.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.ended = true
	}
	return n, err
}

// Write counts what left for the server, or may have.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written += n
	return n, err
}

// ask writes the last of a request. It may wait until there is something to read.
func (c *conn) ask(b []byte) error {
	if c.plain && c.socket != nil {
		n, err := c.socket.ask(b)
		c.written += n
		if b = b[n:]; err != nil || len(b) == 0 {
			return err
		}
	}
	_, err := c.Write(b)
	return err
}

// expire makes an attempt end at its deadline, or up to a 64th of its timeout later:
// so a connection that is used all the time need not be told each time.
func (c *conn) expire(deadline time.Time, timeout time.Duration) {
	slack := timeout / 64
	if left := c.deadline.Sub(deadline); c.deadline.IsZero() || left < 0 || left > slack {
		c.deadline = deadline.Add(slack)
		_ = c.SetDeadline(c.deadline)
	}
}

// get returns an idle connection that the server has not closed, or a new one.
// fresh forces a new one. The deadline bounds dialling and the TLS handshake.
func (p *pool) get(ctx context.Context, now, deadline time.Time, fresh bool) (*conn, error) {
	for !fresh {
		c := p.pop()
		if c == nil {
			break
		}
		// The server closes c after its answer; the FIN arrives while c is idle.
		// Without this look the request would be written into a dead connection
		// and its failure could not be told from a server that read it and died.
		// A moment after the answer the FIN would be under way, and no look finds it.
		if now.Sub(c.created) < maxAge && (now.Sub(c.idleSince) < warm || c.socket.quiet()) {
			c.reused = true
			return c, nil
		}
		_ = c.Close()
	}
	return p.dial(ctx, deadline)
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return c
}

func (p *pool) dial(ctx context.Context, deadline time.Time) (*conn, error) {
	dialer := *p.dialer
	dialer.Deadline = deadline
	socket, err := dialer.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: socket, socket: newSocket(socket), created: time.Now(), plain: p.tls == nil}
	if c.plain {
		return c, nil
	}
	secure := tls.Client(socket, p.tls)
	_ = socket.SetDeadline(deadline)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, err
	}
	c.Conn = secure
	return c, nil
}

// put takes a connection back whose response was read to its end now.
func (p *pool) put(c *conn, now time.Time) {
	c.idleSince = now
	if !p.keep(c, now) {
		_ = c.Close()
	}
}

func (p *pool) keep(c *conn, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || now.Sub(c.created) >= maxAge {
		return false
	}
	p.idle = append(p.idle, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(maxIdle, p.expire)
	} else if len(p.idle) == 1 {
		p.timer.Reset(maxIdle)
	}
	return true
}

// expire closes what has been idle for too long and looks again when the next
// one is due.
func (p *pool) expire() {
	now := time.Now()
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= maxIdle {
		n++
	}
	expired := p.idle[:n:n]
	p.idle = append([]*conn(nil), p.idle[n:]...)
	if len(p.idle) > 0 && !p.closed {
		p.timer.Reset(maxIdle - now.Sub(p.idle[0].idleSince))
	}
	p.mu.Unlock()
	closeAll(expired)
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	closeAll(idle)
}

// closeAll is called without the lock: closing a TLS connection writes.
func closeAll(conns []*conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

// errUnsent marks an attempt of which no byte left, over a connection that was
// used before: it may be sent again over a new one, uncounted.
var errUnsent = errors.New("the connection was closed before anything was sent")
