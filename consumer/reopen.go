package consumer

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/offsets"
)

// reopen goes on reading after the claim's records ended although the partition
// stays: its position left the log while it was read, because retention took
// the records that came next, or the log was cut. Returning from the claim
// would end the session for all partitions, so the rest of this assignment
// reads through a consumer beside the group's. The error means that joining
// again has to do it.
func (a *assignment) reopen() error {
	start, end, err := a.logRange()
	if err != nil {
		return err
	}
	position := a.part.position
	switch {
	case position < start:
		a.c.outOfRange.Add(1)
		a.c.log.Warn("records were deleted before they were read; going on at the log's start",
			slog.Int("partition", int(a.part.id)), slog.Int64("position", position), slog.Int64("start", start))
		a.c.engine.skip(a.part, start)
		position = start
	case position > end:
		a.c.outOfRange.Add(1)
		a.c.log.Warn("a partition's log ends before the position that was reached; reading it from its start",
			slog.Int("partition", int(a.part.id)), slog.Int64("position", position), slog.Int64("start", start))
		a.abandon()
		a.c.forgetTopic() // it may have been made anew
		topic := a.c.topicHash(a.session.Context())
		t := offsets.New(start)
		t.SetTopic(topic)
		a.open(located{tracker: t, topic: topic, repaired: true})
		position = start
	}
	beside := a.c.beside.Load()
	if beside == nil {
		return errSourceEnded
	}
	pc, err := (*beside).ConsumePartition(a.c.cfg.Topic, a.claim.Partition(), position)
	if err != nil {
		return fmt.Errorf("reading partition %d at %d: %w", a.claim.Partition(), position, err)
	}
	a.close()
	a.own = pc
	a.errors.Go(func() {
		for err := range pc.Errors() {
			a.c.state.failed(err)
		}
	})
	a.messages = pc.Messages()
	a.c.engine.attach(a.part, pc)
	return nil
}

// logRange asks for the partition's first offset and its end, until Kafka
// answers, the partition is taken away or the session ends.
func (a *assignment) logRange() (start, end int64, err error) {
	for failures := 1; ; failures++ {
		if start, end, err = a.c.coord.logRange(a.claim.Partition()); err == nil {
			return start, end, nil
		}
		select {
		case <-a.revoked:
			return 0, 0, err
		case <-a.session.Context().Done():
			return 0, 0, err
		case <-time.After(backoff(failures, locateBackoff, maxLocateBackoff)):
		}
	}
}

// abandon lets go of what was read of a log that is no more. Its position is
// not committed.
func (a *assignment) abandon() {
	a.c.drain(a.part)
	a.c.engine.release(a.part)
}

// close ends the own source, if there is one.
func (a *assignment) close() {
	if a.own != nil {
		a.own.AsyncClose()
		for range a.own.Messages() { // the client waits for its reader
		}
		a.errors.Wait()
		a.own = nil
	}
}

// skip moves a partition past records that are no more.
func (e *engine) skip(p *partition, to int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.position = to
	if p.oldest == nil && p.backlog.head == nil {
		p.tracker = offsets.New(to)
		p.tracker.SetTopic(p.topic)
		p.changes++
		e.kick()
	}
}

// attach gives a partition another source.
func (e *engine) attach(p *partition, s sarama.PartitionConsumer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.source = s
	if p.paused {
		s.Pause()
	}
}
