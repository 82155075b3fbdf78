package consumer

import (
	"net"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/net/proxy"
)

// conns are the connections of one group's client. The client has no context:
// a broker that accepts and never answers would hold it for its read timeout,
// unless its connections are closed below it.
type conns struct {
	dial proxy.Dialer

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

// trackConns puts itself between the client and the network.
func trackConns(cfg *sarama.Config) *conns {
	c := &conns{open: map[net.Conn]struct{}{}}
	c.dial = &net.Dialer{Timeout: cfg.Net.DialTimeout, KeepAlive: cfg.Net.KeepAlive, LocalAddr: cfg.Net.LocalAddr}
	if cfg.Net.Proxy.Enable {
		c.dial = cfg.Net.Proxy.Dialer
	}
	cfg.Net.Proxy.Enable, cfg.Net.Proxy.Dialer = true, c
	return c
}

// Dial makes a connection that close reaches.
func (c *conns) Dial(network, addr string) (net.Conn, error) {
	inner, err := c.dial.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	tracked := &conn{inner, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = inner.Close()
		return nil, net.ErrClosed
	}
	c.open[tracked] = struct{}{}
	return tracked, nil
}

// close ends all connections and makes no new ones.
func (c *conns) close() {
	c.mu.Lock()
	open := c.open
	c.open, c.closed = nil, true
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Close() // takes the lock
	}
}

// conn leaves the set when it is closed.
type conn struct {
	net.Conn
	set *conns
}

func (c *conn) Close() error {
	c.set.mu.Lock()
	delete(c.set.open, c)
	c.set.mu.Unlock()
	return c.Conn.Close()
}
