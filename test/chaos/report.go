package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// faultsEach is how often a long run plays each kind of fault, at least; eventsLong how
// many events it has acknowledged, and movesLong how many partitions change hands.
const (
	faultsEach = 3
	eventsLong = 300_000
	movesLong  = 20
	underWay   = 50
	// stallsShown is how many of the longest stalls of each trigger are told.
	stallsShown = 2
)

// Felt is what one fault did.
type Felt struct {
	Fault
	InFlight int // events acknowledged and not settled at its begin, over all triggers
	Repeats  int // put down to it
	// Working is the time from its end until every partition of every trigger that had
	// something to do had settled something; Recovery until each had settled an event that
	// was acknowledged after the fault's end. Faults that follow count in, and a backlog.
	Working, Recovery time.Duration
}

// Report is what a run tells.
type Report struct {
	Events, Acked, Requests int
	Felt                    []Felt
	Stalls                  []Stall
	Verdict                 *Verdict
}

// NewReport measures each fault.
func NewReport(h *History, v *Verdict) *Report {
	r := &Report{Events: len(h.Events), Requests: len(h.Requests), Verdict: v}
	for i := range h.Events {
		if h.Events[i].Acked != Never {
			r.Acked++
		}
	}
	r.Stalls = Stalls(h, stallsShown)
	c := &check{h: h, v: &Verdict{}}
	c.gather()
	lives := c.lives()
	for i, f := range h.Faults {
		felt := Felt{Fault: f, InFlight: lives.at(f.Begin), Working: lives.working(f.End), Recovery: lives.recovery(f.End)}
		for _, repeat := range v.Repeats {
			if repeat.Fault == i {
				felt.Repeats++
			}
		}
		r.Felt = append(r.Felt, felt)
	}
	return r
}

// life is one record of one trigger from its acknowledgement to its end.
type life struct {
	place
	acked, settled Instant
}

type lives []life

func (c *check) lives() (all lives) {
	for trigger, partitions := range c.records {
		for partition, records := range partitions {
			for _, r := range records {
				if e := &c.h.Events[r.event]; e.Acked != Never {
					all = append(all, life{place{trigger, partition}, e.Acked, r.settled})
				}
			}
		}
	}
	return all
}

// at counts those that are neither before nor behind a moment.
func (l lives) at(now Instant) (n int) {
	for i := range l {
		if l[i].acked <= now && l[i].settled > now {
			n++
		}
	}
	return n
}

// working is when the last partition with something to do settled something.
func (l lives) working(from Instant) time.Duration {
	return l.last(from, func(one *life) bool { return one.acked < from })
}

// recovery is when the last partition settled its first event acknowledged after a
// moment. Partitions without one do not count.
func (l lives) recovery(from Instant) time.Duration {
	return l.last(from, func(one *life) bool { return one.acked >= from })
}

// last is when the last partition settled its first event of a kind after a moment.
func (l lives) last(from Instant, kind func(*life) bool) time.Duration {
	first := map[place]Instant{}
	for i := range l {
		if l[i].settled == Never || l[i].settled <= from || !kind(&l[i]) {
			continue
		}
		if at, ok := first[l[i].place]; !ok || l[i].settled < at {
			first[l[i].place] = l[i].settled
		}
	}
	var last Instant
	for _, at := range first {
		last = max(last, at-from)
	}
	return last
}

// Kinds are the kinds that were played, sorted.
func (r *Report) Kinds() map[Kind][]Felt {
	all := map[Kind][]Felt{}
	for _, f := range r.Felt {
		all[f.Kind] = append(all[f.Kind], f)
	}
	return all
}

// String is the report as a table.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events sent, %d acknowledged, %d requests, %d violations, %d excused, %d repeats; partitions moved %v\n",
		r.Events, r.Acked, r.Requests, len(r.Verdict.Violations), len(r.Verdict.Excused), len(r.Verdict.Repeats), r.Verdict.Moves)
	fmt.Fprintf(&b, "%-42s %5s %9s %15s %19s %19s\n", "fault", "times", "in flight", "repeats", "at work again", "new events through")
	fmt.Fprintf(&b, "%-42s %5s %9s %7s %7s %9s %9s %9s %9s\n", "", "", "least", "median", "worst", "median", "worst", "median", "worst")
	kinds := r.Kinds()
	for _, kind := range sortedKinds(kinds) {
		felt := kinds[kind]
		flying, repeats := values(felt, func(f Felt) int { return f.InFlight }), values(felt, func(f Felt) int { return f.Repeats })
		working := values(felt, func(f Felt) time.Duration { return f.Working.Round(10 * time.Millisecond) })
		recovery := values(felt, func(f Felt) time.Duration { return f.Recovery.Round(10 * time.Millisecond) })
		fmt.Fprintf(&b, "%-42s %5d %9d %7d %7d %9s %9s %9s %9s\n", kind, len(felt), flying[0], median(repeats), last(repeats),
			median(working), last(working), median(recovery), last(recovery))
	}
	excused := map[Violation]int{}
	for _, f := range r.Verdict.Excused {
		excused[f.Violation]++
	}
	found := map[Violation]int{}
	for _, f := range r.Verdict.Violations {
		found[f.Violation]++
	}
	fmt.Fprintf(&b, "violations: %v\noldest repeats: %s\n", found, oldest(r.Verdict.Repeats))
	fmt.Fprintf(&b, "excused: %v\nlongest stalls:%s", excused, table(r.Stalls, r.faults()))
	return b.String()
}

// oldest tells how long before their faults the repeated events were settled.
func oldest(repeats []Finding) string {
	var ages []time.Duration
	for _, f := range repeats {
		ages = append(ages, f.Age.Round(10*time.Millisecond))
	}
	if len(ages) == 0 {
		return "none"
	}
	slices.Sort(ages)
	return fmt.Sprintf("half of them %s and less before their fault, 99 %% %s, all %s", median(ages), ages[len(ages)*99/100], last(ages))
}

func (r *Report) faults() (all []Fault) {
	for _, f := range r.Felt {
		all = append(all, f.Fault)
	}
	return all
}

func sortedKinds(kinds map[Kind][]Felt) []Kind {
	var all []Kind
	for k := range kinds {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// values are one figure of all, sorted.
func values[T cmp.Ordered](felt []Felt, get func(Felt) T) []T {
	var all []T
	for _, f := range felt {
		all = append(all, get(f))
	}
	slices.Sort(all)
	return all
}

func last[T any](sorted []T) T { return sorted[len(sorted)-1] }

func median[T any](sorted []T) T { return sorted[len(sorted)/2] }
