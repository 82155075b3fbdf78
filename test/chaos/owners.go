package chaos

import (
	"cmp"
	"slices"
	"time"
)

// epoch is the time from which one owner had a partition.
type epoch struct {
	owner string
	from  Instant
	over  bool // it gave the partition up
}

// moveSlack is how long before its log line a change of owner can have been felt.
const moveSlack = time.Second

// own finds out who had each partition when.
func (c *check) own() {
	c.owners = map[place][]epoch{}
	all := slices.SortedFunc(slices.Values(c.h.Assignments), func(a, b Assignment) int {
		return cmp.Or(cmp.Compare(a.Trigger, b.Trigger), cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.At, b.At))
	})
	for _, a := range all {
		c.gaveUp(a)
		for _, p := range a.Partitions {
			at := place{a.Trigger, p}
			had := c.owners[at]
			if n := len(had); n > 0 && !had[n-1].over && had[n-1].owner == a.Owner && !c.left(a.Trigger, a.Owner, had[n-1].from, a.At) {
				continue
			}
			c.owners[at] = append(had, epoch{owner: a.Owner, from: a.At})
		}
	}
	c.v.Moves = make([]int, len(c.h.Triggers))
	for at, epochs := range c.owners {
		c.v.Moves[at.trigger] += len(epochs) - 1
	}
}

// gaveUp ends the epochs of the partitions that a member has no more.
func (c *check) gaveUp(a Assignment) {
	for at, had := range c.owners {
		if at.trigger == a.Trigger && had[len(had)-1].owner == a.Owner && !slices.Contains(a.Partitions, at.partition) {
			had[len(had)-1].over = true
		}
	}
}

// left tells whether a member's session ended between two moments.
func (c *check) left(trigger int, owner string, from, to Instant) bool {
	return slices.ContainsFunc(c.h.Lefts, func(l Left) bool {
		return l.Trigger == trigger && l.Owner == owner && l.At > from && l.At < to
	})
}

// changes counts the changes of a partition's owner between two moments.
func (c *check) changes(at place, from, to Instant) int {
	n := 0
	for _, e := range c.owners[at] {
		if e.from >= from-moveSlack && e.from <= to+moveSlack {
			n++
		}
	}
	return n
}
