package sources

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"
)

// entry is one PingSource that is watched.
type entry struct {
	ping     Ping
	schedule schedule
	since    time.Time // ticks up to here are not its own
	slots    chan struct{}
}

// maxPending bounds the events of one PingSource that are on their way: a sink
// slower than the schedule must not fill the memory.
const maxPending = 10

// plan is the current set of PingSources. Safe for concurrent use.
type plan struct {
	mu      sync.Mutex
	entries []*entry
	applied bool
	changed chan struct{} // closed and replaced when the set changes
}

func newPlan() *plan { return &plan{changed: make(chan struct{})} }

// set replaces the set. A source that did not change keeps what it has; one that
// is new or has another schedule begins now, but those of the first set begin
// wherever the last owner stopped. Bad schedules are left out and reported.
func (p *plan) set(pings []Ping, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := map[[2]string]*entry{}
	for _, e := range p.entries {
		old[[2]string{e.ping.Namespace, e.ping.Name}] = e
	}
	var entries []*entry
	var errs []error
	for _, ping := range pings {
		was := old[[2]string{ping.Namespace, ping.Name}]
		if was != nil && reflect.DeepEqual(was.ping, ping) {
			entries = append(entries, was)
			continue
		}
		parsed, err := parseSchedule(ping.Schedule, ping.Timezone)
		if err != nil {
			errs = append(errs, fmt.Errorf("PingSource %s/%s: %w", ping.Namespace, ping.Name, err))
			continue
		}
		e := &entry{ping: ping, schedule: parsed, slots: make(chan struct{}, maxPending)}
		switch {
		case was != nil && was.ping.Schedule == ping.Schedule && was.ping.Timezone == ping.Timezone:
			e.since, e.slots = was.since, was.slots
		case p.applied:
			e.since = now
		}
		entries = append(entries, e)
	}
	p.entries, p.applied = entries, true
	close(p.changed)
	p.changed = make(chan struct{})
	return errors.Join(errs...)
}

// current returns the set, which is not changed any more, and what is closed
// when another takes its place.
func (p *plan) current() ([]*entry, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.entries), p.changed
}

// firing is one tick of one source.
type firing struct {
	*entry
	tick time.Time
}

// due returns for each source its last tick in (after, now], if any, that is not
// older than late.
func due(entries []*entry, after, now time.Time, late time.Duration) []firing {
	if oldest := now.Add(-late); after.Before(oldest) {
		after = oldest
	}
	var list []firing
	for _, e := range entries {
		from := after
		if e.since.After(from) {
			from = e.since
		}
		if tick, ok := e.schedule.last(from, now); ok {
			list = append(list, firing{e, tick})
		}
	}
	return list
}

// nextTick returns the first tick of all sources after t; zero when there is
// none.
func nextTick(entries []*entry, t time.Time) time.Time {
	var first time.Time
	for _, e := range entries {
		if tick := e.schedule.next(t); !tick.IsZero() && (first.IsZero() || tick.Before(first)) {
			first = tick
		}
	}
	return first
}
