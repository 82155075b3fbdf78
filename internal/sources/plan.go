package sources

import (
	"errors"
	"fmt"
	"reflect"
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
	entries map[key]*entry
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
	entries := make(map[key]*entry, len(pings))
	var errs []error
	for _, ping := range pings {
		k := ping.key()
		was := p.entries[k]
		if was != nil && reflect.DeepEqual(was.ping, ping) {
			entries[k] = was
			continue
		}
		parsed, err := parseSchedule(ping.Schedule, ping.Timezone)
		if err != nil {
			errs = append(errs, fmt.Errorf("PingSource %s: %w", k, err))
			continue
		}
		e := &entry{ping: ping, schedule: parsed, slots: make(chan struct{}, maxPending)}
		switch {
		case was != nil && was.ping.Schedule == ping.Schedule && was.ping.Timezone == ping.Timezone:
			e.since, e.slots = was.since, was.slots
		case p.applied:
			e.since = now
		}
		entries[k] = e
	}
	p.entries, p.applied = entries, true
	close(p.changed)
	p.changed = make(chan struct{})
	return errors.Join(errs...)
}

// current returns the set, which nobody changes any more, and what is closed
// when another takes its place.
func (p *plan) current() (map[key]*entry, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.entries, p.changed
}

// of returns one source, nil when it is not in the set, and what is closed when
// another set takes the place of this one.
func (p *plan) of(k key) (*entry, <-chan struct{}) {
	entries, changed := p.current()
	return entries[k], changed
}

// firing is one tick of one source.
type firing struct {
	*entry
	tick time.Time
}

// due returns the last tick in (after, now], if any, that is the source's own
// and not older than late.
func (e *entry) due(after, now time.Time, late time.Duration) (tick time.Time, ok bool) {
	from := now.Add(-late)
	for _, t := range []time.Time{after, e.since} {
		if t.After(from) {
			from = t
		}
	}
	return e.schedule.last(from, now)
}
