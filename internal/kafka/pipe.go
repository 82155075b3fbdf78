package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/eapache/go-resiliency/breaker"
)

// retireEvery bounds how often a producer is made anew because of what it
// answered.
const retireEvery = time.Second

// pipe keeps one sarama producer running for one kind of records. It makes it on
// first use, and another when that one can no longer be used. Safe for
// concurrent use.
type pipe struct {
	c    *Cluster
	kind kind

	mu      sync.Mutex
	current *running
	making  chan struct{} // closed when the attempt under way has ended
	failed  error         // why the last attempt failed
	until   time.Time     // when it may be tried again
	retired time.Time     // when the last one was given up
	old     sync.WaitGroup
	closed  bool
}

// running is one sarama producer with the goroutines that collect its results.
type running struct {
	client sarama.Client
	async  sarama.AsyncProducer
	stop   chan struct{} // closed: send no more
	once   sync.Once
	sends  sync.RWMutex // held for reading around each send into async.Input
	ended  bool
	done   chan struct{} // closed when everything has ended
}

// errRetired is returned by running.send when another producer took its place.
var errRetired = errors.New("the producer was replaced")

func (p *pipe) send(ctx context.Context, rec *sarama.ProducerMessage) error {
	for {
		r, err := p.get(ctx)
		if err != nil {
			return err
		}
		if err = r.send(ctx, rec); !errors.Is(err, errRetired) {
			return err
		}
	}
}

// get returns the running producer, making it when there is none.
func (p *pipe) get(ctx context.Context) (*running, error) {
	for {
		r, making, err := p.state()
		if r != nil || err != nil {
			return r, err
		}
		select {
		case <-making:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *pipe) state() (*running, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, nil, ErrClosed
	case p.current != nil:
		return p.current, nil, nil
	case p.making != nil:
		return nil, p.making, nil
	case p.failed != nil && time.Now().Before(p.until):
		return nil, nil, p.failed
	}
	making := make(chan struct{})
	if err := p.c.start(func() { p.make(making) }); err != nil {
		return nil, nil, err
	}
	p.making = making
	return nil, making, nil
}

func (p *pipe) make(making chan struct{}) {
	r, err := p.connect()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(making) // last of all: close waits for it
	p.making = nil
	if err != nil {
		p.failed, p.until = err, time.Now().Add(notNow)
		return
	}
	p.failed, p.current = nil, r
	p.old.Go(func() { p.collect(r) })
	if p.closed {
		r.retire()
	}
}

func (p *pipe) connect() (*running, error) {
	client, err := sarama.NewClient(p.c.o.Brokers, producerConfig(p.c.ctx, p.c.own, p.kind))
	if err != nil {
		return nil, err
	}
	async, err := sarama.NewAsyncProducerFromClient(client)
	if err != nil {
		return nil, errors.Join(err, closeClient(client))
	}
	return &running{client: client, async: async, stop: make(chan struct{}), done: make(chan struct{})}, nil
}

// collect hands each result to its slot until the producer has ended.
func (p *pipe) collect(r *running) {
	defer close(r.done)
	var results sync.WaitGroup
	results.Go(func() {
		for rec := range r.async.Successes() {
			finish(rec, nil)
		}
	})
	results.Go(func() {
		for failure := range r.async.Errors() {
			p.judge(r, failure.Err)
			finish(failure.Msg, failure.Err)
		}
	})
	results.Wait()
	if err := closeClient(r.client); err != nil {
		p.c.logger.Debug("closing the producer's client", "error", err)
	}
}

func finish(rec *sarama.ProducerMessage, err error) {
	s := rec.Metadata.(*slot)
	rec.Metadata = nil
	s.finish(err)
}

// judge replaces the producer when the error says that it is of no more use:
// its client is closed, Kafka no longer knows it, or a breaker in it refuses to
// try again for 10 s although Kafka may be back long before.
func (p *pipe) judge(r *running, err error) {
	for _, fatal := range []error{
		sarama.ErrClosedClient, breaker.ErrBreakerOpen, sarama.ErrProducerFenced,
		sarama.ErrInvalidProducerEpoch, sarama.ErrUnknownProducerID, sarama.ErrInvalidProducerIDMapping,
	} {
		if !errors.Is(err, fatal) {
			continue
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.current == r && time.Since(p.retired) > retireEvery {
			p.c.logger.Debug("making a new producer", "reason", err)
			p.current, p.retired = nil, time.Now()
			r.retire()
		}
		return
	}
}

// close flushes the producer and waits for it and those it replaced.
func (p *pipe) close() {
	p.mu.Lock()
	p.closed = true
	if p.current != nil {
		p.current.retire()
	}
	making := p.making
	p.mu.Unlock()
	if making != nil {
		<-making
	}
	p.old.Wait()
}

func (r *running) send(ctx context.Context, rec *sarama.ProducerMessage) error {
	r.sends.RLock()
	defer r.sends.RUnlock()
	if r.ended {
		return errRetired
	}
	select {
	case r.async.Input() <- rec: // nearly always: the gate keeps the queue from filling
		return nil
	default:
	}
	select {
	case r.async.Input() <- rec:
		return nil
	case <-r.stop:
		return errRetired
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retire lets what is in the producer finish and takes nothing new. It returns
// at once. The client closes its input channel, so no send may be under way.
func (r *running) retire() {
	r.once.Do(func() {
		close(r.stop)
		go func() {
			r.sends.Lock()
			r.ended = true
			r.sends.Unlock()
			r.async.AsyncClose()
		}()
	})
}
