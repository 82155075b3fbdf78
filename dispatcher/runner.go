package dispatcher

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"kurier.dev/kurier/consumer"
)

// restartWait is the pause before a consumer that ended by itself is made anew.
// It is a last resort: a consumer joins again by itself.
const restartWait = 5 * time.Second

// runner is one life of a subscription's consumer, from start to stop, and the
// pipeline it feeds. A subscription that has to read another topic gets a new
// runner with the same pipeline.
type runner struct {
	key    key
	cfg    *Config
	logger *slog.Logger
	pipe   *pipeline
	http   *HTTPSender
	reads  *reads

	mu       sync.Mutex // guards what follows
	consumer *consumer.Consumer
	err      error // why it does not run

	cancel context.CancelFunc // ends the consumer
	done   chan struct{}      // closed when it has ended, or was not started
}

// start makes the consumer and runs it once after is closed (nil: at once): two
// members of one group in one process would share its partitions. On an error
// nothing runs.
func (r *runner) start(after <-chan struct{}) error {
	r.done = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	c, err := r.newConsumer()
	r.set(c, err)
	if err != nil {
		cancel()
		close(r.done)
		return err
	}
	go r.run(ctx, c, after)
	return nil
}

func (r *runner) set(c *consumer.Consumer, err error) {
	r.mu.Lock()
	r.consumer, r.err = c, err
	r.mu.Unlock()
}

// started reports whether there is a consumer.
func (r *runner) started() bool {
	c, _ := r.get()
	return c != nil
}

func (r *runner) get() (*consumer.Consumer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.consumer, r.err
}

func (r *runner) run(ctx context.Context, c *consumer.Consumer, after <-chan struct{}) {
	defer close(r.done)
	if after != nil {
		<-after // bounded: it was told to stop, and is cut
	}
	for ctx.Err() == nil {
		err := c.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		r.logger.Error("the consumer ended by itself and is started again", "error", err)
		if pause(ctx, restartWait, nil) != nil {
			return
		}
		if next, err := r.newConsumer(); err == nil {
			c = next
			r.set(c, nil)
		}
	}
}

func (r *runner) newConsumer() (*consumer.Consumer, error) {
	s := r.pipe.settings.Load()
	conn, err := r.cfg.Clusters(s.Cluster)
	if err != nil {
		return nil, err
	}
	return consumer.New(consumer.Config{
		Brokers:      conn.Brokers,
		Sarama:       conn.Sarama,
		Commits:      conn.Commits,
		Group:        s.Group,
		Topic:        s.Topic,
		Order:        s.Order,
		Concurrency:  s.concurrency(),
		DrainTimeout: r.cfg.DrainTimeout,
		Buffer:       r.cfg.Buffer,
		Streams:      r.reads.of(&conn),
		Wants:        r.pipe.wants,
		Prepare:      r.pipe.prepare,
		Logger:       r.logger,
	}, r.pipe.handle)
}

// change takes over new settings without leaving the group: what waits or is
// held is called at once and finds them (section 6.2).
func (r *runner) change(s *settings) {
	old := r.pipe.change(s)
	r.http.Retain(s.destinations()...)
	c, _ := r.get()
	if c == nil {
		return
	}
	if old.Order != s.Order {
		c.SetOrder(s.Order)
	}
	if old.concurrency() != s.concurrency() {
		c.SetConcurrency(s.concurrency())
	}
	c.Wake()
}

// stop ends the consumer and returns when it has ended: nothing new is started,
// what is in flight is cut when the drain time is over or ctx ends.
func (r *runner) stop(ctx context.Context, drain time.Duration) {
	r.cancel()
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-r.done:
		return
	case <-timer.C:
	case <-ctx.Done():
	}
	if c, _ := r.get(); c != nil {
		c.Cut()
	}
	<-r.done
}

// close gives back what outlives a consumer.
func (r *runner) close() {
	r.http.Close()
	r.pipe.health.close()
}

func (r *runner) status() Status {
	s := Status{Kind: r.key.kind, Namespace: r.key.namespace, Name: r.key.name}
	c, err := r.get()
	if err != nil {
		s.Error = err.Error()
	}
	if c != nil {
		s.Consumer = c.Stats()
	}
	s.Counters = r.pipe.metrics.counters()
	r.pipe.health.describe(&s)
	return s
}
