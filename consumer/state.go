package consumer

import (
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// state is the group's side of Stats.
type state struct {
	mu    sync.Mutex
	name  string
	since time.Time
	err   string
}

// set enters a state. Being assigned clears the last error.
func (s *state) set(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != s.name {
		s.name, s.since = name, time.Now()
	}
	switch {
	case err != nil:
		s.err = err.Error()
	case name == StateAssigned:
		s.err = ""
	}
}

// failed notes an error.
func (s *state) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err.Error()
}

// recovered forgets the last error of a member that Kafka answers again.
func (s *state) recovered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.name == StateAssigned {
		s.err = ""
	}
}

// Stats tells what the consumer is doing. It takes the scheduler's lock for a
// moment and asks nobody.
func (c *Consumer) Stats() Stats {
	var s Stats
	c.state.mu.Lock()
	s.State, s.Since, s.LastError = c.state.name, c.state.since, c.state.err
	c.state.mu.Unlock()
	if m, ok := c.member(); ok {
		s.Generation = m.generation
	}
	c.engine.stats(&s)
	s.Commits, s.CommitFailures = c.committer.commits.Load(), c.committer.failures.Load()
	s.OutOfRange, s.Replays = c.outOfRange.Load(), c.replays.Load()
	s.Rebalances = c.rebalances.Load()
	return s
}

// stats fills in the scheduler's side.
func (e *engine) stats(s *Stats) {
	s.Settled, s.Skipped = e.settled.Load(), e.skipped.Load()
	s.HandlerErrors = e.handlerErrors.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	s.InFlight, s.Waiting, s.Held = e.running, len(e.waiting), e.held
	s.LastCommit = e.lease.from
	for id, p := range e.parts {
		s.Partitions = append(s.Partitions, id)
		s.Buffered += p.backlog.n + p.tracker.Unsettled()
		s.BufferedBytes += p.bytes
		s.WindowFull = s.WindowFull || p.full || (p.paused && p.waiting > 0)
		s.Lag += p.lag()
		if t := p.oldestRecord(); t != nil && (s.OldestUnsettled.IsZero() || t.Timestamp.Before(s.OldestUnsettled)) {
			s.OldestUnsettled = t.Timestamp
		}
	}
	s.Buffered -= s.InFlight + s.Waiting
	slices.Sort(s.Partitions)
}

// oldestRecord is the unsettled record with the lowest offset, or nil.
func (p *partition) oldestRecord() *sarama.ConsumerMessage {
	switch {
	case p.oldest != nil:
		return p.oldest.d.Record
	case p.backlog.n > 0:
		return p.backlog.head().ConsumerMessage
	}
	return nil
}
