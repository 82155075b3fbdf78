package kafka

import (
	"context"
	"net"
	"sync"
)

// conns makes the connections of a Cluster's own clients and can cut them all:
// the client itself waits out its timeouts, whatever happens, and a Close must
// not take as long as a Kafka that does not answer. Safe for concurrent use.
type conns struct {
	dial DialFunc

	mu   sync.Mutex
	open map[*trackedConn]struct{} // nil once cut
}

func newConns(dial DialFunc) *conns {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &conns{dial: dial, open: map[*trackedConn]struct{}{}}
}

func (c *conns) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.isCut() {
		return nil, ErrClosed
	}
	conn, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{Conn: conn, owner: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		conn.Close()
		return nil, ErrClosed
	}
	c.open[tracked] = struct{}{}
	return tracked, nil
}

func (c *conns) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open == nil
}

// cut closes all connections and refuses new ones.
func (c *conns) cut() {
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for conn := range open {
		conn.Conn.Close()
	}
}

type trackedConn struct {
	net.Conn
	owner *conns
}

// Close implements net.Conn.
func (t *trackedConn) Close() error {
	t.owner.mu.Lock()
	delete(t.owner.open, t)
	t.owner.mu.Unlock()
	return t.Conn.Close()
}
