package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// errClosed is what connecting to a closed broker gets.
var errClosed = errors.New("the embedded broker is closed")

// network is the broker's listener: connections from inside the process, and
// from a TCP port when there is one. Every connection is guarded.
type network struct {
	tcp      net.Listener // nil: no port
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	accepter sync.WaitGroup

	budget *budget // for produce requests
}

var _ net.Listener = (*network)(nil)

func listen(port int, b *budget) (*network, error) {
	n := &network{conns: make(chan net.Conn), closed: make(chan struct{}), budget: b}
	if port == 0 {
		return n, nil
	}
	var err error
	if n.tcp, err = new(net.ListenConfig).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		return nil, fmt.Errorf("embedded broker: port %d: %w: choose another port or none", port, err)
	}
	n.accepter.Go(n.acceptTCP)
	return n, nil
}

func (n *network) acceptTCP() {
	for {
		conn, err := n.tcp.Accept()
		if err != nil {
			return
		}
		select {
		case n.conns <- conn:
		case <-n.closed:
			conn.Close()
			return
		}
	}
}

func (n *network) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.conns <- server:
		return client, nil
	case <-n.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (n *network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return &guard{Conn: conn, onProduce: n.budget.take}, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *network) Close() error {
	n.once.Do(func() {
		close(n.closed)
		n.budget.close()
		if n.tcp != nil {
			n.tcp.Close()
		}
		n.accepter.Wait()
	})
	return nil
}

// Addr implements net.Listener; it is what clients are told.
func (n *network) Addr() net.Addr {
	if n.tcp != nil {
		return n.tcp.Addr()
	}
	return insideAddr{}
}

type insideAddr struct{}

func (insideAddr) Network() string { return "inside" }
func (insideAddr) String() string  { return address }
