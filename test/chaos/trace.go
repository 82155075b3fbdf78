package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// traced is how many requests before and behind a finding are shown.
const traced = 12

// Trace is what the subscriber saw of one event's partition around a finding: the event's
// own requests, the requests that were open, and those just before and behind.
func Trace(h *History, f *Finding) string {
	trigger := slices.IndexFunc(h.Triggers, func(t Trigger) bool { return t.Name == f.Trigger })
	var all []*Request
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Trigger == trigger && r.Partition == f.Partition {
			all = append(all, r)
		}
	}
	at := slices.IndexFunc(all, func(r *Request) bool { return r.Begin >= f.At })
	if at < 0 {
		at = len(all)
	}
	var b strings.Builder
	for i, r := range all {
		near := i >= at-traced && i <= at+traced
		if !near && r.Offset != f.Offset && (r.Begin > f.At || r.End < f.At) {
			continue
		}
		what := "event"
		if r.DeadLetter {
			what = "dead letter"
		}
		fmt.Fprintf(&b, "\n  %-11s offset %d, %s to %s: %d", what, r.Offset, moment(r.Begin), moment(r.End), r.Status)
	}
	for _, a := range h.Assignments {
		if a.Trigger == trigger && a.At > f.At-time.Minute && a.At < f.At+time.Minute {
			fmt.Fprintf(&b, "\n  generation %d at %s: %s has %v", a.Generation, moment(a.At), a.Owner, a.Partitions)
		}
	}
	for _, l := range h.Lefts {
		if l.Trigger == trigger && l.At > f.At-time.Minute && l.At < f.At+time.Minute {
			fmt.Fprintf(&b, "\n  %s left at %s", l.Owner, moment(l.At))
		}
	}
	for _, c := range h.Commits {
		if c.Trigger == trigger && c.Partition == f.Partition && c.Seen > f.At-30*time.Second && c.Seen < f.At+5*time.Second {
			fmt.Fprintf(&b, "\n  position %d seen at %s", c.Offset, moment(c.Seen))
		}
	}
	for _, fault := range h.Faults {
		if fault.Begin < f.At+time.Second && (fault.End == Never || fault.End > f.At-time.Minute) {
			fmt.Fprintf(&b, "\n  %s %s, %s to %s", fault.Kind, fault.Target, moment(fault.Begin), moment(fault.End))
		}
	}
	return b.String()
}
