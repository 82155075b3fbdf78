package chaos

import (
	"strings"
	"testing"
)

// played is a story with one fault: event 0 ends before it, 1 meanwhile, 2 after it.
func played() *story {
	s := tell(Ordered)
	for _, acked := range []int{10, 20, 200} {
		s.event(1, acked)
	}
	s.fault(KillDispatcher, 30, 100)
	s.asked(0, 12, 15, 202)
	s.asked(1, 110, 120, 202)
	s.asked(0, 105, 109, 202)
	s.asked(2, 210, 230, 202)
	return s
}

func TestReportMeasuresFaults(t *testing.T) {
	s := played()
	r := NewReport(s.History, Check(s.History))
	if len(r.Felt) != 1 || r.Acked != 3 || r.Requests != 4 {
		t.Fatalf("report %+v", r)
	}
	f := r.Felt[0]
	if f.InFlight != 1 || f.Repeats != 1 || f.Recovery != ms(130) || f.Working != ms(20) {
		t.Errorf("in flight %d, repeats %d, recovery %s, want 1, 1 and 130ms", f.InFlight, f.Repeats, f.Recovery)
	}
	text := r.String()
	for _, want := range []string{"3 acknowledged", string(KillDispatcher), "130ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestStallsAreTimesWithSomethingToDo(t *testing.T) {
	stalls := Stalls(played().History, 2)
	if len(stalls) != 2 {
		t.Fatalf("stalls %+v", stalls)
	}
	// Event 1 was acknowledged at 20 and settled at 120; event 2 came when all was done.
	if stalls[0].From != ms(20) || stalls[0].To != ms(120) || stalls[1].From != ms(200) || stalls[1].To != ms(230) {
		t.Errorf("stalls %+v, want 20 to 120 and 200 to 230", stalls)
	}
}
