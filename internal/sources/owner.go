package sources

import (
	"context"
	"errors"
	"sync"
	"time"

	"kurier.dev/kurier/internal/kafka"
)

// commitPause is the pause after a commit that was neither acknowledged nor
// refused for good.
const commitPause = 200 * time.Millisecond

// lease is what the election gives to the one owner: where the owner before it
// stopped, and commits that fail once another took over.
type lease interface {
	// Last returns the last tick that any owner took; zero when there was none.
	Last(ctx context.Context) (time.Time, error)
	// Commit takes all ticks up to tick. nil: they are this owner's alone.
	// kafka.ErrFenced: they are not.
	Commit(ctx context.Context, tick time.Time) error
}

// own fires the source's ticks until ctx ends or the lease is lost. Each tick is
// committed before it is fired, so a tick whose commit is in doubt is committed
// again, and given up when it is too old.
func (c *candidate) own(ctx context.Context, l lease) error {
	last, err := c.lastTick(ctx, l)
	if err != nil {
		return err
	}
	c.setState(Owner, nil)
	c.logger.Info("this process fires the PingSource")
	for ctx.Err() == nil {
		e, changed := c.plan.of(c.key)
		if e == nil { // taken away: ctx ends soon
			wait(ctx, changed, time.Time{})
			continue
		}
		now := time.Now()
		tick, ok := e.due(last, now, c.late)
		if !ok {
			wait(ctx, changed, e.schedule.next(now))
			continue
		}
		switch err := l.Commit(ctx, tick); {
		case err == nil:
			last = tick
			c.took(tick)
			c.firings.start(firing{e, tick})
		case errors.Is(err, kafka.ErrFenced):
			return err
		default:
			c.setState(Owner, err)
			c.complain("commit", "a PingSource's tick is not committed yet", err)
			wait(ctx, nil, now.Add(commitPause))
		}
	}
	return ctx.Err()
}

// lastTick asks until there is an answer. Without an owner before us ticks begin
// when the source came, which was before its group was joined; those of the
// first set begin now.
func (c *candidate) lastTick(ctx context.Context, l lease) (time.Time, error) {
	for {
		last, err := l.Last(ctx)
		switch {
		case ctx.Err() != nil:
			return time.Time{}, ctx.Err()
		case err == nil && last.IsZero():
			if e, _ := c.plan.of(c.key); e != nil && !e.since.IsZero() {
				return e.since, nil
			}
			return time.Now(), nil
		case err == nil:
			return last, nil
		}
		c.setState(Owner, err)
		wait(ctx, nil, time.Now().Add(commitPause))
	}
}

// wait returns when ctx ends, changed is closed, or the time has come; the zero
// time never comes.
func wait(ctx context.Context, changed <-chan struct{}, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-due:
	}
}

// firings are the events on their way. They outlive the session that started
// them: their ticks are committed, nobody else will send them.
type firings struct {
	s      *Sources
	ctx    context.Context // ends when they must end at once
	soon   <-chan struct{} // closed when they should hurry: no jitter, no retry
	active sync.WaitGroup
}

func (f *firings) start(tick firing) {
	select {
	case tick.slots <- struct{}{}:
	default:
		f.s.metrics.count(tick.ping, skipped)
		f.s.logger.Warn("PingSource tick is skipped: its sink is slower than its schedule",
			"namespace", tick.ping.Namespace, "name", tick.ping.Name, "tick", tick.tick)
		return
	}
	if f.s.fired != nil {
		f.s.fired(tick.entry, tick.tick)
	}
	f.active.Go(func() {
		defer func() { <-tick.slots }()
		f.send(tick)
	})
}
