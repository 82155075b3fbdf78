package consumer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const (
	// arrivals is the most records handed to the engine at once.
	arrivals = 128
	// flushTime is what the last commit of a partition that is taken away gets.
	flushTime = time.Second
	// early is the most records taken while the position is not known yet.
	early = 1 << 10
)

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
func (h session) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	revoked := h.c.claims.begin(claim.Partition())
	defer h.c.claims.end(claim.Partition(), revoked)
	a := &assignment{c: h.c, session: s, claim: claim, revoked: revoked}
	a.messages = claim.Messages()
	err := a.read()
	if a.part != nil {
		h.c.drain(a.part)
		h.c.flush(a.part)
		h.c.engine.release(a.part)
	}
	a.close()
	return err
}

// assignment is a claim being read.
type assignment struct {
	c       *Consumer
	session sarama.ConsumerGroupSession
	claim   sarama.ConsumerGroupClaim
	revoked <-chan struct{}

	part     *partition // nil until the position is known
	messages <-chan *sarama.ConsumerMessage
	early    []*sarama.ConsumerMessage // read before that
	batch    []*sarama.ConsumerMessage

	own    sarama.PartitionConsumer // see reopen
	errors sync.WaitGroup
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
	for {
		select {
		case rec, ok := <-a.messages:
			if ok {
				a.arrive(rec)
			} else if again, err := a.ended(); !again {
				return err
			}
		case l := <-found:
			if l.err != nil {
				return l.err
			}
			a.open(l)
		case <-a.revoked:
			return nil
		case <-a.session.Context().Done():
			return nil
		}
	}
}

// ended deals with the end of the records: the partition was taken away or the
// session is over (false), or they go on from another source.
func (a *assignment) ended() (again bool, err error) {
	select {
	case <-a.revoked:
		return false, nil
	case <-a.session.Context().Done():
		return false, nil
	default:
	}
	if a.part == nil {
		return false, errSourceEnded
	}
	err = a.reopen()
	return err == nil, err
}

// arrive takes a record and what else is there.
func (a *assignment) arrive(rec *sarama.ConsumerMessage) {
	a.batch = append(a.batch[:0], rec)
	for more := true; more && len(a.batch) < arrivals; {
		select {
		case rec, ok := <-a.messages:
			if more = ok; ok {
				a.batch = append(a.batch, rec)
			}
		default:
			more = false
		}
	}
	if a.part != nil {
		a.deliver(a.batch)
		return
	}
	a.early = append(a.early, a.batch...)
	if len(a.early) >= early {
		pausable(a.claim).Pause()
	}
}

// deliver hands records to the engine.
func (a *assignment) deliver(records []*sarama.ConsumerMessage) {
	entries := make([]*entry, 0, len(records))
	position := a.part.position // written by this goroutine alone
	for _, rec := range records {
		if rec.Offset < position {
			continue // below what is committed
		}
		entries = append(entries, newEntry(rec, position))
		position = rec.Offset + 1
	}
	clear(records)
	a.c.engine.arrive(a.part, entries)
}

// open begins the assignment at the position that was found.
func (a *assignment) open(l located) {
	src := pausable(a.claim)
	l.tracker.SetLimit(int(a.c.committer.limit.Load()))
	a.part = &partition{
		id: a.claim.Partition(), source: src, tracker: l.tracker,
		topic: l.topic, position: l.tracker.Next(),
	}
	if l.repaired {
		a.part.changes = 1
		a.c.committer.kick()
	}
	a.c.engine.open(a.c.cut, a.part)
	early := a.early
	a.early = nil
	if len(early) > 0 {
		a.deliver(early)
	}
	src.Resume()
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

// pausable is the claim with the methods that the interface leaves out.
func pausable(claim sarama.ConsumerGroupClaim) source {
	if src, ok := claim.(source); ok {
		return src
	}
	return endless{claim}
}

// endless is a claim that cannot be paused.
type endless struct{ sarama.ConsumerGroupClaim }

func (endless) Pause()  {}
func (endless) Resume() {}
