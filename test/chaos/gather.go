package chaos

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"kurier.dev/kurier/offsets"
)

// record is one record of a partition, as one trigger's requests show it. An event that
// was stored twice is two records.
type record struct {
	event     int
	key       int
	partition int32
	offset    int64
	requests  []*Request // at the subscriber, by begin
	sunk      []*Request // at the dead letter sink, by begin
	settled   Instant    // the first 2xx of either; Never
	covered   Instant    // when a commit was seen that knows of its end; Never
}

// first is when it was first sent.
func (r *record) first() Instant {
	if len(r.requests) == 0 {
		return Never
	}
	return r.requests[0].Begin
}

// gather sorts the requests into records.
func (c *check) gather() {
	all := map[place]map[int64]*record{}
	for i := range c.h.Requests {
		q := &c.h.Requests[i]
		if !c.genuine(q) {
			continue
		}
		at := place{q.Trigger, q.Partition}
		if all[at] == nil {
			all[at] = map[int64]*record{}
		}
		r := all[at][q.Offset]
		if r == nil {
			r = &record{
				event: q.Event, key: c.h.Events[q.Event].Key, partition: q.Partition, offset: q.Offset,
				settled: Never, covered: Never,
			}
			all[at][q.Offset] = r
		}
		r.add(q)
	}
	c.records = make([]map[int32][]*record, len(c.h.Triggers))
	for i := range c.records {
		c.records[i] = map[int32][]*record{}
	}
	for at, byOffset := range all {
		c.records[at.trigger][at.partition] = slices.SortedFunc(maps.Values(byOffset), func(a, b *record) int {
			return cmp.Compare(a.offset, b.offset)
		})
	}
}

// genuine reports what no producer sent.
func (c *check) genuine(q *Request) bool {
	r := &record{event: q.Event, partition: q.Partition, offset: q.Offset}
	switch {
	case q.Event < 0:
		c.report(Ghost, q.Trigger, r, q.Begin, "no producer sent it")
		return false
	case q.Corrupt:
		c.v.Violations = append(c.v.Violations, c.finding(Corrupt, q.Trigger, r, q.Begin, -1, "the data differs"))
	}
	return true
}

// add appends a request; requests come in the order of their begins.
func (r *record) add(q *Request) {
	if q.DeadLetter {
		r.sunk = append(r.sunk, q)
	} else {
		r.requests = append(r.requests, q)
	}
	if q.accepted() {
		r.settled = min(r.settled, q.End)
	}
}

// cover finds for each record the first commit that knows of its end.
func (c *check) cover() {
	lowest := map[place]int{} // all records below are covered
	for i := range c.h.Commits {
		commit := &c.h.Commits[i]
		at := place{commit.Trigger, commit.Partition}
		records := c.records[commit.Trigger][commit.Partition]
		done := beyond(commit, c.h.Topics[commit.Trigger])
		for j := lowest[at]; j < len(records) && records[j].offset < done.Known(); j++ {
			r := records[j]
			if (r.offset < commit.Offset || done.Track(r.offset, c.h.Events[r.event].key()) == offsets.Settled) && r.covered == Never {
				r.covered = commit.Seen
			}
		}
		for lowest[at] < len(records) && records[lowest[at]].covered != Never {
			lowest[at]++
		}
	}
}

// beyond is the map in a commit's metadata, or an empty one.
func beyond(c *Commit, topic offsets.TopicHash) *offsets.Tracker {
	t, err := offsets.Decode(c.Offset, c.Metadata, topic)
	if err != nil {
		return offsets.New(c.Offset)
	}
	return t
}

// outcomes states what became of each event, and which are lost.
func (c *check) outcomes() {
	for trigger := range c.h.Triggers {
		all := make([]Outcome, len(c.h.Events))
		for _, records := range c.records[trigger] {
			for _, r := range records {
				o := &all[r.event]
				o.Attempts += len(r.requests)
				o.Delivered += count(r.requests)
				o.DeadLettered += count(r.sunk)
			}
		}
		for event, n := range c.h.Buried[trigger] {
			if event >= 0 {
				all[event].DeadLettered += n
			}
		}
		c.v.Outcomes = append(c.v.Outcomes, all)
		c.lost(trigger, all)
	}
}

func (c *check) lost(trigger int, all []Outcome) {
	for event := range all {
		o, e := &all[event], &c.h.Events[event]
		if e.Acked == Never || o.Delivered+o.DeadLettered > 0 {
			continue
		}
		o.Lost = true
		c.report(Lost, trigger, &record{event: event, partition: -1, offset: -1}, e.Acked,
			"acknowledged at %s, %d attempts, delivered never", e.Acked.Round(time.Millisecond), o.Attempts)
	}
}

func count(requests []*Request) (accepted int) {
	for _, q := range requests {
		if q.accepted() {
			accepted++
		}
	}
	return accepted
}

// stored checks that events of one key stand in the log in the order in which one
// producer was told that they do. Those that were sent twice may have been stored late.
func (c *check) stored() {
	if len(c.records) == 0 {
		return
	}
	type stored struct {
		event  int
		offset int64
	}
	last := map[int]map[int32]stored{}
	at := map[int]*record{}
	for _, records := range c.records[0] {
		for _, r := range records {
			if at[r.event] == nil {
				at[r.event] = r
			}
		}
	}
	for event := range c.h.Events {
		e, r := &c.h.Events[event], at[event]
		if r == nil || e.Key == NoKey || e.Tries != 1 || e.Acked == Never {
			continue
		}
		if last[e.Key] == nil {
			last[e.Key] = map[int32]stored{}
		}
		if before, ok := last[e.Key][r.partition]; ok && before.offset > r.offset {
			c.report(StoredOutOrder, 0, r, e.Acked, "event %d of the same key was acknowledged before it was sent and stands at %d",
				before.event, before.offset)
		}
		last[e.Key][r.partition] = stored{event, r.offset}
	}
}
