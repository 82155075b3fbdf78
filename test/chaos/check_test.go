package chaos

import (
	"slices"
	"testing"
	"time"

	"kurier.dev/kurier/offsets"
)

// story writes a History by hand; times are in milliseconds.
type story struct {
	*History
	trigger int
}

func tell(order Order) *story {
	h := NewHistory(Trigger{Name: "t", Group: "g", Topic: "b", Order: order, Retry: 2})
	return &story{History: h}
}

func ms(n int) Instant { return Instant(n) * time.Millisecond }

// event adds an event that is acknowledged at a time; 0: never.
func (s *story) event(key, acked int) int {
	e := Event{Key: key, Tries: 1, Acked: Never}
	if acked > 0 {
		e.Acked = ms(acked)
	}
	s.Events = append(s.Events, e)
	return len(s.Events) - 1
}

// events adds n acknowledged events of one key.
func (s *story) events(n, key int) {
	for i := range n {
		s.event(key, i+1)
	}
}

// asked adds a request for the event of that number at the offset of that number.
func (s *story) asked(event, begin, end, status int) *Request {
	s.Requests = append(s.Requests, Request{
		Trigger: s.trigger, Event: event, Offset: int64(event), Begin: ms(begin), End: ms(end), Status: status,
	})
	return &s.Requests[len(s.Requests)-1]
}

func (s *story) fault(kind Kind, begin, end int) {
	s.Faults = append(s.Faults, Fault{Kind: kind, Begin: ms(begin), End: ms(end)})
}

// committed adds a commit; done are the offsets settled beyond it.
func (s *story) committed(seen int, offset int64, done ...int64) {
	t := offsets.New(offset)
	if len(done) > 0 {
		for o := offset; o <= slices.Max(done); o++ {
			t.Track(o, nil)
		}
		for _, o := range done {
			t.Done(o)
		}
	}
	p := t.Snapshot()
	s.Commits = append(s.Commits, Commit{Seen: ms(seen), Offset: p.Offset, Metadata: p.Metadata})
}

func (s *story) assigned(generation int32, at int, owner string, partitions ...int32) {
	s.Assignments = append(s.Assignments, Assignment{At: ms(at), Generation: generation, Owner: owner, Partitions: partitions})
}

// planted are stories with one violation each, or none.
var planted = []struct {
	name    string
	order   Order
	tell    func(s *story)
	want    Violation // empty: none
	excused int
	repeats int
}{
	{"all is well", Ordered, func(s *story) {
		s.events(3, 1)
		s.asked(0, 10, 20, 202)
		s.asked(1, 21, 22, 503)
		s.asked(1, 30, 31, 202)
		s.asked(2, 32, 33, 200)
	}, "", 0, 0},
	{"lost", Unordered, func(s *story) {
		s.events(2, 1)
		s.asked(0, 10, 11, 202)
	}, Lost, 0, 0},
	{"lost after attempts that failed", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 11, 503)
	}, Lost, 0, 0},
	{"not acknowledged, not delivered", Unordered, func(s *story) { s.event(1, 0) }, "", 0, 0},
	{"dead-lettered at the sink", Ordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 11, 500)
		s.asked(0, 12, 13, 202).DeadLetter = true
	}, "", 0, 0},
	{"the sink refused it, too", Ordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 11, 500)
		s.asked(0, 12, 13, 500).DeadLetter = true
	}, Lost, 0, 0},
	{"dead-lettered in the topic", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 11, 500)
		s.Buried[0][0] = 1
	}, "", 0, 0},
	{"never sent", Unordered, func(s *story) { s.asked(-1, 10, 11, 202) }, Ghost, 0, 0},
	{"data changed", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 11, 202).Corrupt = true
	}, Corrupt, 0, 0},
	{"sent before the one before was settled", Ordered, func(s *story) {
		s.events(2, 1)
		s.asked(0, 10, 11, 503)
		s.asked(1, 12, 13, 202)
		s.asked(0, 14, 15, 202)
	}, OutOfOrder, 0, 0},
	{"other keys need not wait", ByKey, func(s *story) {
		s.event(1, 1)
		s.event(2, 2)
		s.event(NoKey, 3)
		s.asked(0, 10, 11, 503)
		s.asked(1, 12, 13, 202)
		s.asked(2, 12, 13, 202)
		s.asked(0, 14, 15, 202)
	}, "", 0, 0},
	{"a key out of order", ByKey, func(s *story) {
		s.event(1, 1)
		s.event(2, 2)
		s.event(1, 3)
		s.asked(2, 10, 11, 202)
		s.asked(0, 14, 15, 202)
		s.asked(1, 16, 17, 202)
	}, OutOfOrder, 0, 0},
	{"two at once", Ordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 30, 503)
		s.asked(0, 20, 25, 202)
	}, Overlap, 0, 0},
	{"two at once, the first on the wire at a stop", Ordered, func(s *story) {
		s.events(1, 1)
		s.fault(LongPauseDispatcher, 12, 18)
		s.asked(0, 10, 30, 503)
		s.asked(0, 20, 25, 202)
	}, "", 1, 0},
	{"the next owner goes on while one is on the wire", Ordered, func(s *story) {
		s.events(3, 1)
		s.fault(LongPauseDispatcher, 12, 18)
		s.asked(0, 10, 900, 0)
		s.asked(0, 20, 25, 202)
		s.asked(1, 30, 35, 202)
		s.asked(2, 40, 45, 202)
	}, "", 1, 0},
	{"the caller hung up and called again", Ordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 30, 0)
		s.asked(0, 25, 35, 202)
	}, "", 0, 0},
	{"two of one key on the wire at one stop", ByKey, func(s *story) {
		s.events(2, 1)
		s.fault(LongPauseDispatcher, 12, 18)
		s.asked(0, 10, 40, 503)
		s.asked(0, 20, 60, 202)
		s.asked(0, 30, 33, 503)
		s.asked(1, 70, 71, 202)
	}, Overlap, 1, 0},
	{"a former owner is heard once more", Ordered, func(s *story) {
		s.events(4, 1)
		s.fault(KillDispatcher, 5, 6)
		for i := range 3 {
			s.asked(i, 10+10*i, 15+10*i, 202)
		}
		s.asked(0, 40, 41, 202)
		s.asked(3, 44, 45, 202)
	}, "", 1, 1},
	{"a former owner goes on", Ordered, func(s *story) {
		s.events(5, 1)
		s.fault(KillDispatcher, 5, 6)
		for i := range 3 {
			s.asked(i, 10+10*i, 15+10*i, 202)
		}
		s.asked(0, 40, 41, 202)
		s.asked(3, 44, 45, 202)
		s.asked(1, 50, 51, 202)
		s.asked(4, 54, 55, 202)
	}, Stale, 1, 2},
	{"a replay", Ordered, func(s *story) {
		s.events(3, 1)
		s.asked(0, 10, 15, 202)
		s.asked(1, 20, 25, 202)
		s.fault(KillDispatcher, 30, 40)
		s.asked(0, 50, 51, 202)
		s.asked(1, 52, 53, 202)
		s.asked(2, 54, 55, 202)
	}, "", 0, 2},
	{"a repeat without a fault", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 15, 202)
		s.asked(0, 50, 51, 202)
	}, WithoutCause, 0, 0},
	{"a repeat of what was settled long before the fault", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 15, 202)
		s.fault(KillDispatcher, 10000, 10001)
		s.asked(0, 10050, 10051, 202)
	}, WithoutCause, 0, 0},
	{"a repeat by the next owner, long after the fault", Unordered, func(s *story) {
		s.events(1, 1)
		s.assigned(1, 1, "a#1", 0)
		s.asked(0, 10, 15, 202)
		s.fault(KillAllBrokers, 20, 30)
		s.assigned(2, 90000, "b#1", 0)
		s.asked(0, 90050, 90051, 202)
	}, "", 0, 1},
	{"a repeat by the same owner, long after the fault", Unordered, func(s *story) {
		s.events(1, 1)
		s.assigned(1, 1, "a#1", 0)
		s.asked(0, 10000, 10015, 202)
		s.fault(KillAllBrokers, 10020, 10030)
		s.asked(0, 90050, 90051, 202)
	}, WithoutCause, 0, 0},
	{"a repeat of what was committed", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 15, 202)
		s.committed(18, 1)
		s.fault(KillDispatcher, 30, 40)
		s.asked(0, 50, 51, 202)
	}, AfterCommit, 0, 0},
	{"a repeat of what the map knows", Unordered, func(s *story) {
		s.events(3, 1)
		s.asked(0, 9, 60, 202)
		s.asked(1, 9, 60, 202)
		s.asked(2, 10, 15, 202)
		s.committed(18, 0, 2)
		s.fault(KillDispatcher, 30, 40)
		s.asked(2, 50, 51, 202)
	}, AfterCommit, 0, 0},
	{"a repeat beside what the map knows", Unordered, func(s *story) {
		s.events(3, 1)
		s.asked(0, 9, 60, 202)
		s.asked(1, 9, 15, 202)
		s.asked(2, 10, 15, 202)
		s.committed(18, 0, 2)
		s.fault(KillDispatcher, 30, 40)
		s.asked(1, 50, 51, 202)
	}, "", 0, 1},
	{"twice in flight without a fault", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 10, 100, 202)
		s.asked(0, 50, 51, 202)
	}, WithoutCause, 0, 0},
	{"too many attempts", Unordered, func(s *story) {
		s.events(1, 1)
		for i := range 4 {
			s.asked(0, 10*i+1, 10*i+2, 503)
		}
		s.asked(0, 90, 91, 202).DeadLetter = true
	}, TooManyTries, 0, 0},
	{"one more attempt after a change of owner", Unordered, func(s *story) {
		s.events(1, 1)
		s.assigned(1, 1, "a#1", 0)
		s.assigned(2, 2500, "b#1", 0)
		for i := range 4 {
			s.asked(0, 2000+300*i, 2001+300*i, 503)
		}
		s.asked(0, 9000, 9001, 202).DeadLetter = true
	}, "", 0, 0},
	{"two more attempts after one change of owner", Unordered, func(s *story) {
		s.events(1, 1)
		s.assigned(1, 1, "a#1", 0)
		s.assigned(2, 2500, "b#1", 0)
		for i := range 5 {
			s.asked(0, 2000+300*i, 2001+300*i, 503)
		}
		s.asked(0, 9000, 9001, 202).DeadLetter = true
	}, TooManyTries, 0, 0},
	{"one more attempt at the subscriber's new address", Unordered, func(s *story) {
		s.events(1, 1)
		for i := range 3 {
			s.asked(0, 10*i+1, 10*i+2, 503).Path = "/1"
		}
		s.asked(0, 50, 51, 503).Path = "/2"
		s.asked(0, 90, 91, 202).DeadLetter = true
	}, "", 0, 0},
	{"two more attempts at the subscriber's new address", Unordered, func(s *story) {
		s.events(1, 1)
		for i := range 3 {
			s.asked(0, 10*i+1, 10*i+2, 503).Path = "/1"
		}
		s.asked(0, 50, 51, 503).Path = "/2"
		s.asked(0, 60, 61, 503).Path = "/2"
		s.asked(0, 90, 91, 202).DeadLetter = true
	}, TooManyTries, 0, 0},
	{"a new address while attempts are left is no attempt more", Unordered, func(s *story) {
		s.events(1, 1)
		s.asked(0, 1, 2, 503).Path = "/1"
		for i := range 3 {
			s.asked(0, 10*i+11, 10*i+12, 503).Path = "/2"
		}
		s.asked(0, 90, 91, 202).DeadLetter = true
	}, TooManyTries, 0, 0},
	{"stored out of order", Unordered, func(s *story) {
		s.events(2, 1)
		s.asked(0, 10, 15, 202).Offset = 1
		s.asked(1, 10, 15, 202).Offset = 0
	}, StoredOutOrder, 0, 0},
}

func TestCheckFindsWhatIsPlanted(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			s := tell(p.order)
			p.tell(s)
			v := Check(s.History)
			var kinds []Violation
			for _, f := range v.Violations {
				kinds = append(kinds, f.Violation)
			}
			switch {
			case p.want == "" && len(kinds) > 0:
				t.Errorf("found %v", v.Violations)
			case p.want != "" && (len(kinds) == 0 || slices.ContainsFunc(kinds, func(k Violation) bool { return k != p.want })):
				t.Errorf("found %v, want %q alone", v.Violations, p.want)
			}
			if len(v.Excused) != p.excused || len(v.Repeats) != p.repeats {
				t.Errorf("excused %v, repeats %v, want %d and %d", v.Excused, v.Repeats, p.excused, p.repeats)
			}
		})
	}
}

func TestCheckStatesOutcomes(t *testing.T) {
	s := tell(Ordered)
	s.events(3, 1)
	s.asked(0, 10, 11, 503)
	s.asked(0, 12, 13, 202)
	s.asked(1, 14, 15, 500)
	s.asked(1, 16, 17, 202).DeadLetter = true
	got := Check(s.History).Outcomes[0]
	want := []Outcome{{Delivered: 1, Attempts: 2}, {DeadLettered: 1, Attempts: 1}, {Lost: true}}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %+v, want %+v", got, want)
	}
}

func TestCheckCountsMoves(t *testing.T) {
	s := tell(Ordered)
	s.assigned(1, 10, "a#1", 0, 1)
	s.assigned(2, 20, "a#1", 0) // 1 moves in two generations
	s.assigned(2, 20, "b#1")
	s.assigned(3, 30, "a#1", 0)
	s.assigned(3, 30, "b#1", 1)
	s.assigned(4, 40, "b#1", 1)
	s.assigned(4, 41, "a#2", 0) // the same process, started again
	if got := Check(s.History).Moves[0]; got != 2 {
		t.Errorf("%d moves, want 2", got)
	}
}
