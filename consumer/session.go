package consumer

import (
	"context"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
)

// flushTime is what the last commit of a partition that is taken away gets.
const flushTime = time.Second

// session is the Consumer as the Kafka client's group sees it.
type session struct{ c *Consumer }

var _ sarama.ConsumerGroupHandler = session{}

// Setup begins a session; it lives on across cooperative rebalances.
func (h session) Setup(s sarama.ConsumerGroupSession) error {
	h.c.session.Store(&s)
	h.c.engine.expire()
	h.c.state.set(StateAssigned, nil)
	return nil
}

// Cleanup ends it; all claims have returned.
func (h session) Cleanup(sarama.ConsumerGroupSession) error {
	h.c.session.Store(nil)
	h.c.engine.expire()
	return nil
}

// ConsumeClaim runs one assignment of one partition, from the committed
// position to the last commit. It must return only when the partition is taken
// away or the session is over: returning ends the whole session otherwise.
//
// The claim itself reads nothing: it is paused, and what it may have fetched
// before that is thrown away. Records come through the Streams.
func (h session) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if c, ok := claim.(interface{ Pause() }); ok {
		c.Pause()
	}
	revoked := h.c.claims.begin(claim.Partition())
	defer h.c.claims.end(claim.Partition(), revoked)
	a := &assignment{c: h.c, session: s, claim: claim, revoked: revoked}
	err := a.read()
	if a.part != nil {
		h.c.drain(a.part)
		h.c.flush(a.part)
		h.c.engine.release(a.part)
	}
	return err
}

// assignment is a claim being read.
type assignment struct {
	c       *Consumer
	session sarama.ConsumerGroupSession
	claim   sarama.ConsumerGroupClaim
	revoked <-chan struct{}

	part  *partition // nil until the position is known
	rider *rider     // as long as part
}

// read hands records to the engine until the partition is taken away (nil), the
// session ends (nil), or only joining again can help.
func (a *assignment) read() error {
	ctx, cancel := context.WithCancel(a.session.Context())
	found := make(chan located, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		found <- a.c.locate(ctx, a.claim)
	}()
	defer func() { cancel(); <-ended }()
	unread := a.claim.Messages()
	var batches <-chan []*Record
	var lost, passed <-chan struct{}
	defer func() {
		if a.rider != nil {
			a.rider.close()
		}
	}()
	for {
		select {
		case records := <-batches:
			a.c.engine.arrive(a.part, records)
			a.rider.taken()
		case <-passed:
			to := a.rider.beyond.Load()
			a.takeAll()
			a.c.engine.pass(a.part, to)
		case <-lost:
			a.takeAll() // what was read before belongs before the place that is found now
			if err := a.find(); err != nil {
				return err
			}
		case l := <-found:
			if l.err != nil {
				return l.err
			}
			a.rider = a.c.streams.ride(a.c.cfg.Topic, a.claim.Partition(), l.tracker.Next(), a.c.state.failed)
			a.rider.prepare = a.c.cfg.Prepare
			a.rider.end.Store(a.claim.HighWaterMarkOffset())
			batches, lost, passed = a.rider.batches, a.rider.lost, a.rider.passed
			a.open(l)
			a.rider.Resume()
		case _, ok := <-unread:
			if !ok {
				unread = nil // the end of a claim is told by revoked, or by the session
			}
		case <-a.revoked:
			return nil
		case <-a.session.Context().Done():
			return nil
		}
	}
}

// takeAll hands on what has been read so far.
func (a *assignment) takeAll() {
	for {
		select {
		case records := <-a.rider.batches:
			a.c.engine.arrive(a.part, records)
			a.rider.taken()
		default:
			return
		}
	}
}

// open begins the assignment at the position that was found.
func (a *assignment) open(l located) {
	l.tracker.SetLimit(int(a.c.committer.limit.Load()))
	a.part = &partition{
		id: a.claim.Partition(), source: a.rider, tracker: l.tracker,
		topic: l.topic, position: l.tracker.Next(),
	}
	if l.repaired {
		a.part.changes = 1
		a.c.committer.kick()
	}
	a.c.engine.open(a.c.cut, a.part)
}

// drain lets a partition go: nothing new starts, and what is in flight gets its
// time and is then cut off.
func (c *Consumer) drain(p *partition) {
	c.engine.stop(p)
	if !c.stopping() {
		timer := time.NewTimer(c.cfg.DrainTimeout)
		defer timer.Stop()
		select {
		case <-p.drained:
		case <-timer.C:
			p.cancel()
		case <-c.stop.Done(): // the process stops: drain until Cut
		}
	}
	<-p.drained
}

// flush commits the last position of a partition, for a bounded time: with
// Kafka away the release is not held up, and what was not committed is repeated.
func (c *Consumer) flush(p *partition) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	done := make(chan struct{})
	c.flushes.Go(func() {
		defer close(done)
		defer cancel()
		if err := c.committer.flush(ctx, p); err != nil {
			c.log.Warn("the last position of a partition was not committed; the next owner repeats what was settled since",
				slog.Int("partition", int(p.id)), slog.Any("error", err))
		}
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}
