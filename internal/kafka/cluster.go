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
	conns    *conns
	own      Options // o with the connections that Close can cut
	admin    *lazyAdmin
	commits  *lazyClient
	producer *producer
	pings    pings

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
	c := &Cluster{o: o, own: o, logger: o.Logger, conns: newConns(o.Dial)}
	c.own.Dial = c.conns.connect
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.admin = &lazyAdmin{lazyClient: newLazyClient(func() (sarama.Client, error) {
		return sarama.NewClient(o.Brokers, adminConfig(c.own))
	})}
	c.commits = newLazyClient(func() (sarama.Client, error) {
		cfg := NewConfig(c.own)
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

// flushTime is how long Close lets the producer finish.
const flushTime = 5 * time.Second

// Close flushes what the producer holds, for at most a few seconds, then cuts
// all connections and ends all calls under way with an error. It may be called
// more than once.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	hurry := time.AfterFunc(flushTime, c.cut)
	c.producer.close()
	hurry.Stop()
	c.cut()
	err := errors.Join(c.admin.close(), c.commits.close())
	c.calls.Wait()
	return err
}

// cut makes everything under way fail soon.
func (c *Cluster) cut() {
	c.cancel()
	c.conns.cut()
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
