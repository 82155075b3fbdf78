package consumer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	commitBackoff    = 50 * time.Millisecond
	maxCommitBackoff = 2 * time.Second
	trimInterval     = 5 * time.Second
)

// committer tells Kafka what is settled: every second while there is something
// new, at once for records whose attempt count must be written before the next
// attempt, and when a partition is released. What Kafka acknowledges is also
// the lease to begin calls; with nothing to tell, a heartbeat renews it.
type committer struct {
	engine  *engine
	coord   *coordinator
	member  func() (member, bool) // of the current session
	healthy func()                // Kafka acknowledged something
	logger  *slog.Logger
	kicked  chan struct{} // one token

	sending sync.Mutex // one request at a time, so that positions never go back
	limit   atomic.Int64

	commits, failures atomic.Int64
}

// kick makes run look at once. It never blocks.
func (c *committer) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// run commits until ctx ends.
func (c *committer) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var pace pace
	for {
		c.engine.regulateAll()
		wait, do := pace.next(c.engine.need(), time.Now())
		if do {
			pace.done(c.step(), time.Now())
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-c.kicked:
		case <-timer.C:
			c.engine.trim()
		}
	}
}

// pace decides when the next commit is due.
type pace struct {
	last     time.Time // of the last try
	failures int
}

// next says to commit now, or how long to wait if nothing is kicked.
func (p *pace) next(n need, now time.Time) (wait time.Duration, do bool) {
	var due time.Time
	switch {
	case !n.urgent && !n.dirty && !n.work:
		if n.rest {
			return trimInterval, false
		}
		return time.Hour, false
	case p.failures > 0:
		due = p.last.Add(backoff(p.failures, commitBackoff, maxCommitBackoff))
	case n.urgent:
		return 0, true
	default:
		due = p.last.Add(commitInterval)
	}
	wait = due.Sub(now)
	return wait, wait <= 0
}

func (p *pace) done(err error, now time.Time) {
	p.last = now
	p.failures++
	if err == nil {
		p.failures = 0
	}
}

// step sends what there is to tell, or a heartbeat.
func (c *committer) step() error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.send(nil)
}

// flush commits one partition that is about to be released, trying again until
// the time is over; what could not be committed is repeated by the next owner.
func (c *committer) flush(ctx context.Context, p *partition) error {
	for failures := 1; ; failures++ {
		c.sending.Lock()
		err := c.send(p)
		c.sending.Unlock()
		if err == nil || judge(err) == gone {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff(failures, commitBackoff, maxCommitBackoff)):
		}
	}
}

// send tells Kafka of one partition, or of all (nil), in one request. The error
// is the first refusal. Locked by sending.
//
// The member is asked for before the positions are taken, because of this
// sequence: the positions are taken, a partition is released and given to
// another member in a new generation, the member is asked for: the commit would
// carry that generation and set the new owner's position back.
func (c *committer) send(only *partition) error {
	m, ok := c.member()
	if !ok {
		return errNoMember
	}
	b := c.engine.takeBatch(only)
	sent := time.Now()
	if len(b.told) == 0 {
		if only != nil {
			return nil
		}
		if err := c.coord.heartbeat(m); err != nil {
			c.fail(b, err)
			return err
		}
		c.engine.acked(b, sent, func(*partition) bool { return true })
		c.healthy()
		return nil
	}
	refused, err := c.coord.commit(m, b.told, true)
	if err == nil && len(refused) > 0 {
		refused, err = c.shorten(m, &b, refused)
	}
	if err == nil && len(refused) == len(b.told) {
		err = first(refused)
	}
	if err != nil {
		c.fail(b, err)
		return err
	}
	c.commits.Add(1)
	c.healthy()
	c.engine.acked(b, sent, func(p *partition) bool { return refused[p.id] == nil })
	return first(refused)
}

// fail notes a batch of which nothing was acknowledged.
func (c *committer) fail(b batch, err error) {
	c.failures.Add(1)
	if v := judge(err); v == gone {
		c.engine.expire()
	} else if v == refresh {
		c.coord.refresh()
	}
	c.logger.Debug("a commit was not acknowledged", slog.String("group", c.coord.group), slog.Any("error", err))
	c.engine.failed(b)
}

// shorten deals with partitions whose metadata was too long: the limit is halved
// for good, and their frontier alone is committed. Records of theirs whose
// attempt count was to be written wait for the next commit, with a shorter map.
func (c *committer) shorten(m member, b *batch, refused map[int32]error) (map[int32]error, error) {
	var long []told
	limit := c.limit.Load()
	for _, t := range b.told {
		if err := refused[t.part.id]; err != nil && judge(err) == tooLong {
			long = append(long, t)
			limit = min(limit, int64(len(t.position.Metadata)))
		}
	}
	if len(long) == 0 {
		return refused, nil
	}
	if limit /= 2; limit < minMetadataLimit {
		limit = 0 // no map at all
	}
	c.limit.Store(limit)
	c.logger.Warn("Kafka takes less metadata in a commit than expected; "+
		"raise offset.metadata.max.bytes on the brokers, or more events are repeated after a crash",
		slog.String("group", c.coord.group), slog.Int64("limit", limit))
	again, err := c.coord.commit(m, long, false)
	if err != nil {
		return nil, err
	}
	c.engine.limitMetadata(int(limit))
	for _, t := range long {
		delete(refused, t.part.id)
		if err := again[t.part.id]; err != nil {
			refused[t.part.id] = err
		}
	}
	if limit > 0 {
		c.engine.failed(batch{ahead: b.withhold(long)})
	}
	return refused, nil
}

// withhold takes the waiting records of those partitions out of the batch.
func (b *batch) withhold(from []told) (withheld []aheadLane) {
	b.ahead = slices.DeleteFunc(b.ahead, func(a aheadLane) bool {
		of := slices.ContainsFunc(from, func(t told) bool { return t.part == a.lane.part })
		if of {
			withheld = append(withheld, a)
		}
		return of
	})
	return withheld
}

func first(refused map[int32]error) error {
	for _, err := range refused {
		return err
	}
	return nil
}
