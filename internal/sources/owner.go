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

// own fires ticks until ctx ends or the lease is lost; firings holds what is on
// its way then. Each tick is committed before it is fired, so a tick whose
// commit is in doubt is committed again, and given up when it is too old.
func (s *Sources) own(ctx context.Context, l lease, firings *firings) error {
	last, err := s.lastTick(ctx, l)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		entries, changed := s.plan.current()
		now := time.Now()
		list := due(entries, last, now, s.late)
		if len(list) == 0 {
			wait(ctx, changed, nextTick(entries, now))
			continue
		}
		upTo := latest(list)
		switch err := l.Commit(ctx, upTo); {
		case err == nil:
			last = upTo
			s.setTick(upTo)
			for _, f := range list {
				firings.start(f)
			}
		case errors.Is(err, kafka.ErrFenced):
			return err
		default:
			s.setState(Owner, err)
			s.logger.Warn("PingSource tick is not committed yet", "tick", upTo, "error", err)
			wait(ctx, nil, now.Add(commitPause))
		}
	}
	return ctx.Err()
}

// lastTick asks until there is an answer. Without an owner before us ticks begin
// now.
func (s *Sources) lastTick(ctx context.Context, l lease) (time.Time, error) {
	for {
		last, err := l.Last(ctx)
		switch {
		case ctx.Err() != nil:
			return time.Time{}, ctx.Err()
		case err == nil && last.IsZero():
			return time.Now(), nil
		case err == nil:
			return last, nil
		}
		s.setState(Owner, err)
		wait(ctx, nil, time.Now().Add(commitPause))
	}
}

func latest(list []firing) time.Time {
	var last time.Time
	for _, f := range list {
		if f.tick.After(last) {
			last = f.tick
		}
	}
	return last
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
