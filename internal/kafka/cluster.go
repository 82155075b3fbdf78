package kafka

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Cluster is Kurier's connection to one set of bootstrap servers. It makes its
// clients on first use and makes them anew when they died. Safe for concurrent
// use. Calls that take a context return when it ends; what they asked Kafka may
// still be on its way then, for at most a few network timeouts.
type Cluster struct {
	o        Options
	logger   *slog.Logger
	admin    *lazyAdmin
	commits  *lazyClient
	producer *producer

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	calls  sync.WaitGroup // goroutines that ask Kafka something
	mu     sync.Mutex     // closed, and adding to calls
	closed bool
}

// Open returns the connection to a cluster. It does no I/O and cannot fail;
// what is wrong shows in the first call. Close it.
func Open(o Options) *Cluster {
	o.Logger = orDiscard(o.Logger)
	if o.TopicQueueRecords <= 0 {
		o.TopicQueueRecords = 1024
	}
	if o.UnavailableFor <= 0 {
		o.UnavailableFor = time.Second
	}
	o.Brokers = slices.Clone(o.Brokers)
	c := &Cluster{o: o, logger: o.Logger}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.admin = &lazyAdmin{lazyClient: newLazyClient(func() (sarama.Client, error) {
		return sarama.NewClient(o.Brokers, adminConfig(o))
	})}
	c.commits = newLazyClient(func() (sarama.Client, error) {
		cfg := NewConfig(o)
		cfg.Net.ReadTimeout = commitReadTimeout
		return sarama.NewClient(o.Brokers, cfg)
	})
	c.producer = newProducer(c)
	return c
}

// Brokers returns the bootstrap servers.
func (c *Cluster) Brokers() []string { return slices.Clone(c.o.Brokers) }

// ConsumerConfig returns settings for one consumer group's client; the caller
// owns them. Call it for each group: the strategy inside is stateful.
func (c *Cluster) ConsumerConfig() *sarama.Config {
	cfg := NewConfig(c.o)
	cfg.Net.ReadTimeout = joinReadTimeout
	return cfg
}

// CommitClient returns the client for fenced commits and for reading committed
// offsets, shared by all groups of the process. It is made without I/O; callers
// do not close it, and ask again when they find it closed.
func (c *Cluster) CommitClient() (sarama.Client, error) { return c.commits.get(c.ctx) }

// Close flushes what the producer holds, for at most as long as its own
// timeouts, and closes all clients. Calls under way end with an error. It may
// be called more than once.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	err := c.producer.close()
	c.cancel()
	err = errors.Join(err, c.admin.close(), c.commits.close())
	c.calls.Wait()
	return err
}

// start runs fn in a goroutine that Close waits for.
func (c *Cluster) start(fn func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.calls.Go(fn)
	return nil
}

// ask runs fn, which talks to Kafka without knowing contexts, and returns its
// error or, when it ends first, the context's. In the second case fn still runs
// to its end: it must not touch what belongs to the caller.
func ask[T any](ctx context.Context, c *Cluster, fn func(*adminConn) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	out := make(chan result, 1)
	err := c.start(func() {
		conn, err := c.admin.conn(c.ctx)
		if err != nil {
			out <- result{err: err}
			return
		}
		value, err := fn(conn)
		if unreachable(err) {
			c.admin.drop(conn.client) // the next call starts from the bootstrap servers
		}
		out <- result{value, err}
	})
	if err != nil {
		return none, err
	}
	select {
	case r := <-out:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-c.ctx.Done():
		return none, ErrClosed
	}
}
