package kafka

import (
	"context"
	"errors"

	"github.com/IBM/sarama"
)

// lazyClient makes one client on first use, and another when that one was
// closed or dropped. Safe for concurrent use.
type lazyClient struct {
	make   func() (sarama.Client, error)
	lock   chan struct{} // holds one token; a mutex that a context can leave
	client sarama.Client
	closed bool
}

func newLazyClient(make_ func() (sarama.Client, error)) *lazyClient {
	l := &lazyClient{make: make_, lock: make(chan struct{}, 1)}
	l.lock <- struct{}{}
	return l
}

// get returns the client. It waits while another call makes one.
func (l *lazyClient) get(ctx context.Context) (sarama.Client, error) {
	select {
	case <-l.lock:
		defer func() { l.lock <- struct{}{} }()
	case <-ctx.Done():
		return nil, ErrClosed
	}
	if l.closed {
		return nil, ErrClosed
	}
	if l.client != nil && !l.client.Closed() {
		return l.client, nil
	}
	client, err := l.make()
	if err != nil {
		return nil, err
	}
	l.client = client
	return client, nil
}

// drop closes the client if it is still the current one.
func (l *lazyClient) drop(client sarama.Client) {
	<-l.lock
	defer func() { l.lock <- struct{}{} }()
	if l.client == client {
		l.client = nil
		_ = closeClient(client) // it died: that it cannot say good-bye is no news
	}
}

func (l *lazyClient) close() error {
	<-l.lock
	defer func() { l.lock <- struct{}{} }()
	l.closed = true
	if l.client == nil {
		return nil
	}
	client := l.client
	l.client = nil
	return closeClient(client)
}

func closeClient(client sarama.Client) error {
	if err := client.Close(); err != nil && !errors.Is(err, sarama.ErrClosedClient) {
		return err
	}
	return nil
}

// lazyAdmin is a lazyClient with the administration calls on top.
type lazyAdmin struct{ *lazyClient }

// adminConn is what administration needs of one client.
type adminConn struct {
	client sarama.Client
	sarama.ClusterAdmin
}

func (l *lazyAdmin) conn(ctx context.Context) (*adminConn, error) {
	client, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		l.drop(client)
		return nil, err
	}
	return &adminConn{client: client, ClusterAdmin: admin}, nil
}

// anyBroker calls fn with one broker after the other until one answers. A
// connection that Kafka closed meanwhile is opened once more.
func (a *adminConn) anyBroker(fn func(*sarama.Broker) error) error {
	var failures []error
	for _, broker := range a.client.Brokers() {
		var err error
		for range 2 {
			_ = broker.Open(a.client.Config()) // already open is fine
			if err = fn(broker); err == nil || answered(err) {
				return err
			}
			_ = broker.Close()
		}
		failures = append(failures, err)
	}
	return sarama.Wrap(sarama.ErrOutOfBrokers, failures...)
}

// answered reports whether the error is Kafka's own answer.
func answered(err error) bool {
	var answer sarama.KError
	return errors.As(err, &answer)
}
