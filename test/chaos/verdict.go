package chaos

import (
	"fmt"
	"time"
)

// Violation is a kind of what must not happen.
type Violation string

// The violations that Check finds.
const (
	Lost           Violation = "lost"
	Ghost          Violation = "never sent"
	Corrupt        Violation = "data changed"
	OutOfOrder     Violation = "sent before an earlier event was settled"
	Overlap        Violation = "two requests at once in one lane"
	Stale          Violation = "sent by a former owner"
	AfterCommit    Violation = "repeated although its end was committed"
	WithoutCause   Violation = "repeated without a fault"
	TooManyTries   Violation = "more attempts than the budget"
	StoredOutOrder Violation = "stored in another order than acknowledged"
)

// Finding is one violation, or one excused case.
type Finding struct {
	Violation Violation
	Trigger   string
	Event     int
	Partition int32
	Offset    int64
	At        Instant
	Fault     int           // index of the fault that excuses it; -1: none
	Age       time.Duration // of a repeat: how long before that fault the event was settled
	Detail    string
}

// String says it in one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: trigger %s, event %d at %d/%d, %s: %s", f.Violation, f.Trigger, f.Event,
		f.Partition, f.Offset, f.At.Round(time.Millisecond), f.Detail)
}

// Outcome is what became of one event at one trigger.
type Outcome struct {
	Lost         bool
	Delivered    int // requests answered 2xx
	DeadLettered int // dead letters, at a sink or in the topic
	OutOfOrder   bool
	Attempts     int // requests at the subscriber, whatever the answer
}

// Verdict is what Check states.
type Verdict struct {
	Outcomes [][]Outcome // by trigger and event
	// Violations must be empty.
	Violations []Finding
	// Excused are the overlaps of requests that were on the wire at a stop.
	Excused []Finding
	// Repeats are the requests for events that were settled already, each with the
	// fault that it is put down to. They are no violations.
	Repeats []Finding
	// Moves counts the changes of owner, by trigger.
	Moves []int
}

// Count is the number of violations of a kind.
func (v *Verdict) Count(kind Violation) int {
	n := 0
	for i := range v.Violations {
		if v.Violations[i].Violation == kind {
			n++
		}
	}
	return n
}

// check is a Check under way.
type check struct {
	h       *History
	v       *Verdict
	records []map[int32][]*record // by trigger and partition, in offset order
	owners  map[place][]epoch
	excused map[excuse]int
	now     Instant
}

// excuse is where at most one request may be excused.
type excuse struct {
	lane  lane
	fault int
}

// Check states what became of each event, and what must not be. It does not change h.
func Check(h *History) *Verdict {
	c := &check{h: h, v: &Verdict{}, excused: map[excuse]int{}, now: h.Now()}
	c.gather()
	c.cover()
	c.own()
	c.outcomes()
	for trigger := range h.Triggers {
		for _, records := range c.records[trigger] {
			c.order(trigger, records)
			c.repeats(trigger, records)
			c.attempts(trigger, records)
		}
	}
	c.stored()
	return c.v
}

func (c *check) report(kind Violation, trigger int, r *record, at Instant, format string, args ...any) {
	f := c.finding(kind, trigger, r, at, -1, format, args...)
	c.v.Violations = append(c.v.Violations, f)
	switch kind {
	case OutOfOrder, Overlap, Stale:
		if r.event >= 0 {
			c.v.Outcomes[trigger][r.event].OutOfOrder = true
		}
	default:
	}
}

func (c *check) finding(kind Violation, trigger int, r *record, at Instant, fault int, format string, args ...any) Finding {
	return Finding{
		Violation: kind, Trigger: c.h.Triggers[trigger].Name, Event: r.event, Partition: r.partition,
		Offset: r.offset, At: at, Fault: fault, Detail: fmt.Sprintf(format, args...),
	}
}
