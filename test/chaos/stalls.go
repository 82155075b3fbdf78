package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stall is a time in which a partition of a trigger settled nothing although something
// was there to settle.
type Stall struct {
	Trigger   string
	Partition int32
	From, To  Instant
}

// Stalls are the longest ones of each trigger.
func Stalls(h *History, each int) (all []Stall) {
	c := &check{h: h, v: &Verdict{}}
	c.gather()
	byTrigger := make([][]Stall, len(h.Triggers))
	split := map[place]lives{}
	for _, l := range c.lives() {
		split[l.place] = append(split[l.place], l)
	}
	for at, lives := range split {
		for _, s := range lives.stalls() {
			s.Trigger, s.Partition = h.Triggers[at.trigger].Name, at.partition
			byTrigger[at.trigger] = append(byTrigger[at.trigger], s)
		}
	}
	for _, stalls := range byTrigger {
		slices.SortFunc(stalls, func(a, b Stall) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
		all = append(all, stalls[:min(each, len(stalls))]...)
	}
	return all
}

// stalls are the times of one partition between two ends, or between an acknowledgement
// and the next end when nothing else was open.
func (l lives) stalls() (all []Stall) {
	slices.SortFunc(l, func(a, b life) int { return cmp.Compare(a.settled, b.settled) })
	first := make([]Instant, len(l)+1) // the first acknowledgement of those that end from here on
	first[len(l)] = Never
	for i := len(l) - 1; i >= 0; i-- {
		first[i] = min(first[i+1], l[i].acked)
	}
	var last Instant
	for i := range l {
		if l[i].settled == Never {
			break
		}
		if from := max(last, first[i]); l[i].settled > from {
			all = append(all, Stall{From: from, To: l[i].settled})
		}
		last = l[i].settled
	}
	return all
}

// table is the stalls for people, with the faults of that time.
func table(stalls []Stall, faults []Fault) string {
	var b strings.Builder
	for _, s := range stalls {
		fmt.Fprintf(&b, "\n  %s/%d: %s, from %s:", s.Trigger, s.Partition,
			(s.To - s.From).Round(10*time.Millisecond), s.From.Round(10*time.Millisecond))
		for _, f := range faults {
			if f.Begin < s.To && f.End > s.From {
				fmt.Fprintf(&b, " [%s %s %s-%s]", f.Kind, f.Target, f.Begin.Round(10*time.Millisecond), f.End.Round(10*time.Millisecond))
			}
		}
	}
	return b.String()
}
