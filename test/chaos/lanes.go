package chaos

import (
	"cmp"
	"slices"
	"time"
)

// The slacks of the checker; each is a property of the protocol or of the measuring, not
// of a run.
const (
	// Echo is how long a fault goes on moving partitions after its end: a session times
	// out after 10 s, a drain takes 3 s, joining takes the rest.
	Echo = 25 * time.Second
	// GoneSlack is how late a subscriber on a busy machine notices that its caller hung
	// up, which is when the caller goes on.
	GoneSlack = 500 * time.Millisecond
)

// lane is where one request at a time is promised.
type lane struct {
	trigger   int
	partition int32
	key       int // ByKey; NoKey for Ordered
}

// lanes splits the records of one partition, in offset order each.
func (c *check) lanes(trigger int, records []*record) map[lane][]*record {
	all := map[lane][]*record{}
	for _, r := range records {
		l := lane{trigger, r.partition, NoKey}
		switch c.h.Triggers[trigger].Order {
		case Unordered:
			continue
		case ByKey:
			if r.key == NoKey {
				continue // free
			}
			l.key = r.key
		case Ordered:
		}
		all[l] = append(all[l], r)
	}
	return all
}

// step is a request of a lane, with the place of its record in the lane.
type step struct {
	*Request
	record *record
	index  int
}

// order checks the lanes of one partition.
func (c *check) order(trigger int, records []*record) {
	for l, records := range c.lanes(trigger, records) {
		c.lane(l, records)
	}
}

// lane goes through a lane's requests in the order in which they came.
func (c *check) lane(l lane, records []*record) {
	var steps []step
	unsettled := make([]Instant, len(records)+1) // until when one of the first i was unsettled
	for i, r := range records {
		unsettled[i+1] = max(unsettled[i], c.ended(r))
		for _, q := range slices.Concat(r.requests, r.sunk) {
			steps = append(steps, step{q, r, i})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.Begin, b.Begin) })
	var open, last *step
	var known *Request // an open one that was excused or reported: it is one case, whatever comes meanwhile
	for i := range steps {
		s := &steps[i]
		early := unsettled[s.index] > s.Begin
		if early {
			c.report(OutOfOrder, l.trigger, s.record, s.Begin, "an earlier one of its lane was settled at %s", moment(unsettled[s.index]))
		}
		if open != nil && open.End > s.Begin && open.Request != known {
			c.overlap(l, open, s)
			known = open.Request
		}
		if !early && last != nil && c.skips(records, last.index, s.index) {
			c.stale(l, last, s)
		}
		if open == nil || s.End > open.End {
			open = s
		}
		last = s
	}
}

// ended is when a record was settled. One that only the dead letter topic shows was
// settled after its last attempt.
func (c *check) ended(r *record) Instant {
	if r.settled != Never || len(r.requests) == 0 {
		return r.settled
	}
	trigger := r.requests[0].Trigger
	if c.h.Buried[trigger][r.event] > 0 {
		return r.requests[len(r.requests)-1].End
	}
	return Never
}

// skips tells whether going from one record to a later one leaves out any between.
func (c *check) skips(records []*record, from, to int) bool {
	for i := from + 1; i < to; i++ {
		if len(records[i].requests)+len(records[i].sunk) > 0 {
			return true
		}
	}
	return false
}

// overlap deals with a request that came while the one before was not answered.
func (c *check) overlap(l lane, open, s *step) {
	if open.Status == 0 && open.End-s.Begin < GoneSlack {
		return // the caller had hung up; the subscriber noticed late
	}
	if f := c.excuse(l, open.Begin, s.Begin); f >= 0 {
		c.v.Excused = append(c.v.Excused, c.finding(Overlap, l.trigger, open.record, s.Begin, f,
			"it was on the wire when %s began", c.h.Faults[f].Kind))
		return
	}
	c.report(Overlap, l.trigger, s.record, s.Begin, "offset %d was in flight from %s to %s",
		open.record.offset, moment(open.Begin), moment(open.End))
}

// stale deals with a request that belongs neither before nor behind its neighbours: the
// lane had gone on, and goes on behind it as if it had not been.
func (c *check) stale(l lane, stray, s *step) {
	if f := c.excuse(l, stray.Begin, stray.Begin); f >= 0 {
		c.v.Excused = append(c.v.Excused, c.finding(Stale, l.trigger, stray.record, stray.Begin, f,
			"it arrived after %s", c.h.Faults[f].Kind))
		return
	}
	c.report(Stale, l.trigger, stray.record, stray.Begin, "the lane went on at offset %d", s.record.offset)
}

// excuse finds a fault between two moments that has not yet excused a request of that
// lane, and uses it up; -1 when there is none.
func (c *check) excuse(l lane, from, to Instant) int {
	for f := range c.h.Faults {
		if e := (excuse{l, f}); c.lasts(f, from, to) && c.excused[e] == 0 {
			c.excused[e]++
			return f
		}
	}
	return -1
}

// lasts tells whether a fault, or its echo, was felt between two moments.
func (c *check) lasts(fault int, from, to Instant) bool {
	f := &c.h.Faults[fault]
	return f.Begin <= to && (f.End == Never || f.End+Echo >= from)
}

// moment is an Instant for people.
func moment(i Instant) string {
	if i == Never {
		return "no time"
	}
	return i.Round(time.Millisecond).String()
}
