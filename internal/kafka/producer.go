package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
)

const (
	// bulkBytes bounds a batch. A batch above the topic's max.message.bytes is
	// refused whole although each of its records would do; Kafka's default is
	// 1,048,588.
	bulkBytes = 1_000_000
	// batchRoom is what a batch's own header may take.
	batchRoom = 128
	// single is the batch of the pipe whose requests hold one record each: small
	// ones of topics that allow little more, and those too large for any topic.
	single = 0
	// largeFrom is the least size of a record that is about as large as its topic
	// allows and shares requests with others, in batches of its own.
	largeFrom = 64 << 10
	// largeRequest bounds a request of such records, or else it holds one.
	largeRequest = 8 << 20
)

// producer sends records with idempotent producers and acks=all. Records that
// fit share batches; large ones travel alone. Safe for concurrent use.
//
//	Produce -> gate (per topic) -> pipe (per kind) -> sarama -> collectors -> slot -> Produce
type producer struct {
	c     *Cluster
	gates sync.Map // topic -> *gate
	slots sync.Pool

	mu     sync.Mutex
	pipes  map[kind]*pipe
	closed bool
}

// kind is what the records of one pipe have in common.
type kind struct {
	batch  int  // bytes of a batch, single, or negative, see aloneBytes
	gather bool // they are of a crowd
}

func newProducer(c *Cluster) *producer {
	p := &producer{c: c, pipes: map[kind]*pipe{}}
	p.slots.New = func() any { return &slot{ack: make(chan error, 1)} }
	return p
}

// Produce sends the record and returns nil when all in-sync replicas have it.
// It returns earlier when ctx ends; the record may still be stored then.
//
// done (may be nil) runs exactly once: when Kafka's client gave the record
// back, which may be after Produce returned, or before Produce returns when the
// record never reached the client. It must not block.
//
// Errors: ErrTopicUnavailable, ErrTopicBusy, ErrStorageFull,
// sarama.ErrMessageSizeTooLarge, ErrClosed, the context's, or the client's; all
// are found with errors.Is. A record must not be used again before done ran.
func (c *Cluster) Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error {
	return c.producer.produce(ctx, rec, done)
}

func (p *producer) produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error {
	if done == nil {
		done = func() {}
	}
	g := p.gate(rec.Topic)
	if err := g.enter(ctx); err != nil {
		done()
		return err
	}
	s := p.slots.Get().(*slot)
	s.prepare(p, g, done)
	rec.Metadata = s
	if err := p.send(ctx, g, rec); err != nil {
		rec.Metadata = nil
		g.leave()
		s.recycle()
		done()
		return err
	}
	select {
	case err := <-s.ack:
		s.recycle()
		return wrap(g.topic, err)
	case <-ctx.Done():
	}
	if s.abandon() {
		return fmt.Errorf("topic %s: no acknowledgement from Kafka: %w", g.topic, ctx.Err())
	}
	err := <-s.ack // it came at the same moment
	s.recycle()
	return wrap(g.topic, err)
}

func (p *producer) gate(topic string) *gate {
	if g, ok := p.gates.Load(topic); ok {
		return g.(*gate)
	}
	g, _ := p.gates.LoadOrStore(topic, &gate{
		topic:   topic,
		permits: make(chan struct{}, p.c.o.TopicQueueRecords),
		look:    p.look,
		start:   p.c.start,
		hold:    p.c.o.UnavailableFor,
	})
	return g.(*gate)
}

// look asks Kafka for the topic with the client whose metadata the producer
// uses, so that the producer itself need not ask.
func (p *producer) look(topic string) error {
	pipe, err := p.pipe(kind{batch: bulkBytes})
	if err != nil {
		return err
	}
	r, err := pipe.get(p.c.ctx)
	if err != nil {
		return err
	}
	return r.client.RefreshMetadata(topic)
}

// send hands the record to the client. Nothing waits here for long: the gate
// keeps the producer's queue from filling.
func (p *producer) send(ctx context.Context, g *gate, rec *sarama.ProducerMessage) error {
	k := kind{batch: batchBytes(g.maxMessageBytes(), rec.ByteSize(2))}
	k.gather = k.batch > 0 && g.crowded()
	pipe, err := p.pipe(k)
	if err != nil {
		return err
	}
	return pipe.send(ctx, rec)
}

// batchBytes chooses the pipe for a record of size bytes in a topic that takes
// limit bytes (0: not known): the largest batches that the topic surely takes.
// Limits below Kafka's default are rounded down, so that pipes stay few.
func batchBytes(limit, size int) int {
	batch := bulkBytes
	if limit > 0 && limit-batchRoom < bulkBytes {
		batch = 0
		if limit > 2*batchRoom {
			batch = 1 << (bits.Len(uint(limit-batchRoom)) - 1)
		}
	}
	if size+batchRoom > batch {
		return aloneBytes(size)
	}
	return batch
}

// aloneBytes chooses the pipe for a record that must be alone in its batch. Its
// batch is negative: the power of two above the record. All records of that pipe
// have more than half of it, so that no two fit into one batch, while a request
// carries one for each of several partitions.
func aloneBytes(size int) int {
	if size < largeFrom || size >= maxRecordBytes {
		return single
	}
	return -1 << bits.Len(uint(size))
}

func (p *producer) pipe(k kind) (*pipe, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if p.pipes[k] == nil {
		p.pipes[k] = &pipe{c: p.c, kind: k}
	}
	return p.pipes[k], nil
}

// close flushes all pipes.
func (p *producer) close() {
	p.mu.Lock()
	p.closed = true
	pipes := p.pipes
	p.pipes = nil
	p.mu.Unlock()
	var flushed sync.WaitGroup
	for _, pipe := range pipes {
		flushed.Go(pipe.close)
	}
	flushed.Wait()
}

// slot is what a record carries through the client. It is pooled: whoever wins
// the change of state away from waiting is not the one who recycles it.
type slot struct {
	p     *producer
	gate  *gate
	done  func()
	ack   chan error // room for one
	state atomic.Int32
}

const (
	waiting int32 = iota
	finished
	abandoned
)

func (s *slot) prepare(p *producer, g *gate, done func()) {
	s.p, s.gate, s.done = p, g, done
	s.state.Store(waiting)
}

// finish is called once, when the client gave the record back.
func (s *slot) finish(err error) {
	s.gate.learn(err)
	s.gate.leave()
	s.done()
	if s.state.CompareAndSwap(waiting, finished) {
		s.ack <- err // from here on the slot is Produce's
		return
	}
	s.recycle()
}

// abandon reports whether nobody will read the ack; finish recycles then.
func (s *slot) abandon() bool { return s.state.CompareAndSwap(waiting, abandoned) }

func (s *slot) recycle() {
	p := s.p
	s.p, s.gate, s.done = nil, nil, nil
	p.slots.Put(s)
}

// wrap makes the client's error one that callers can tell apart.
func wrap(topic string, err error) error {
	var tooLarge sarama.ConfigurationError
	switch {
	case err == nil:
		return nil
	case unavailable(err):
		return fmt.Errorf("topic %s: %w: %w", topic, ErrTopicUnavailable, err)
	case errors.Is(err, sarama.ErrPolicyViolation):
		return fmt.Errorf("topic %s: %w: %w", topic, ErrStorageFull, err)
	case errors.As(err, &tooLarge): // the only one that the client raises for a record
		return fmt.Errorf("topic %s: %w: %w", topic, sarama.ErrMessageSizeTooLarge, err)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}
