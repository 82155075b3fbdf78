package consumer

import (
	"log/slog"
	"time"

	"kurier.dev/kurier/offsets"
)

// find goes on reading after the position was found to be outside the log:
// retention took the records that came next, or the log was cut. The other
// partitions of the group do not notice. An error means that the partition was
// taken away, or the session ended, before Kafka told where the log is.
func (a *assignment) find() error {
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
		a.rider.Resume() // the one before may have paused it
		position = start
	}
	a.rider.end.Store(end)
	a.rider.moveTo(position)
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

// skip moves a partition past records that are no more.
func (e *engine) skip(p *partition, to int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.position = to
	if p.oldest == nil && p.backlog.n == 0 {
		p.tracker = offsets.New(to)
		p.tracker.SetTopic(p.topic)
		p.changes++
		e.kick()
	}
}
