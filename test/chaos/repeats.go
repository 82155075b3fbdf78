package chaos

import "time"

// RepeatLag is how old the end of an event may be, at the begin of the fault that makes
// it repeat: the lease stops new requests when no commit was acknowledged for 5 s, and a
// request that was begun until then takes its time.
const RepeatLag = 8 * time.Second

// repeats checks each request for an event that was settled before.
func (c *check) repeats(trigger int, records []*record) {
	for _, r := range records {
		for i, q := range r.requests {
			switch {
			case q.Begin > r.settled:
				c.repeat(trigger, r, q)
			case i > 0 && c.h.Triggers[trigger].Order == Unordered:
				c.doubled(trigger, r, r.requests[:i], q)
			}
		}
	}
}

// repeat deals with one of them.
func (c *check) repeat(trigger int, r *record, q *Request) {
	if q.Begin > r.covered {
		if f := c.wire(r.settled, q.Begin); f >= 0 {
			c.v.Excused = append(c.v.Excused, c.finding(AfterCommit, trigger, r, q.Begin, f,
				"it was on the wire when %s began", c.h.Faults[f].Kind))
			return
		}
		c.report(AfterCommit, trigger, r, q.Begin, "settled at %s, and a commit that says so was seen at %s",
			moment(r.settled), moment(r.covered))
		return
	}
	f := c.cause(place{trigger, r.partition}, r.settled, q.Begin)
	if f < 0 {
		c.report(WithoutCause, trigger, r, q.Begin, "settled at %s, not committed", moment(r.settled))
		return
	}
	repeat := c.finding(WithoutCause, trigger, r, q.Begin, f, "settled at %s, not committed before %s", moment(r.settled), c.h.Faults[f].Kind)
	repeat.Age = c.h.Faults[f].Begin - r.settled
	c.v.Repeats = append(c.v.Repeats, repeat)
}

// doubled looks for an earlier request of the same record that was not answered when q
// began.
func (c *check) doubled(trigger int, r *record, before []*Request, q *Request) {
	for _, o := range before {
		if o.End <= q.Begin || o.Status == 0 && o.End-q.Begin < GoneSlack {
			continue
		}
		if f := c.cause(place{trigger, r.partition}, o.Begin, q.Begin); f >= 0 {
			c.v.Repeats = append(c.v.Repeats, c.finding(Overlap, trigger, r, q.Begin, f, "it was in flight at %s", c.h.Faults[f].Kind))
		} else {
			c.report(WithoutCause, trigger, r, q.Begin, "the request of %s was not answered", moment(o.Begin))
		}
		return
	}
}

// cause finds the latest fault that explains why an event that was settled then is sent
// now: it began at most RepeatLag after the event's end, or was felt then; and either it
// is still felt, or the partition has got another owner since, however late.
func (c *check) cause(at place, settled, now Instant) int {
	moved := c.changes(at, settled, now) > 0
	for f := len(c.h.Faults) - 1; f >= 0; f-- {
		fault := &c.h.Faults[f]
		felt := fault.End == Never || fault.End+Echo >= now
		if c.lasts(f, settled, now) && (felt || moved) && settled >= fault.Begin-RepeatLag {
			return f
		}
	}
	return -1
}

// wire finds a fault that can keep a request on its way, unseen, for longer than a commit
// takes.
func (c *check) wire(from, to Instant) int {
	for f := len(c.h.Faults) - 1; f >= 0; f-- {
		if c.h.Faults[f].Kind.keepsWire() && c.lasts(f, from, to) {
			return f
		}
	}
	return -1
}

// attempts checks the budgets: retry+1 attempts until an event is settled, and one more
// for each change of owner meanwhile, and for each other address that the trigger's
// subscriber gets when they are used up.
func (c *check) attempts(trigger int, records []*record) {
	budget := c.h.Triggers[trigger].Retry + 1
	for _, r := range records {
		n, moves, until := 0, 0, r.first()
		for i, q := range r.requests {
			if q.Begin > r.settled {
				continue
			}
			if n++; n > budget && q.Path != r.requests[i-1].Path {
				moves++
			}
			until = q.Begin
		}
		cycles := max(1, c.h.Buried[trigger][r.event])
		if n <= budget*cycles+moves {
			continue
		}
		changes := c.changes(place{trigger, r.partition}, r.first(), until)
		if n > budget*cycles+changes+moves {
			c.report(TooManyTries, trigger, r, until, "%d attempts, the budget is %d, and %d changes of owner and %d of the address since %s",
				n, budget*cycles, changes, moves, moment(r.first()))
		}
	}
}
