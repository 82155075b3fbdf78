package chaos

import (
	"os"
	"testing"
)

// TestChaos breaks everything for a while and finds that nothing was lost, that no order
// was broken, that little was repeated, and that attempts stayed within their budget. It
// takes KURIER_CHAOS_TIME and kills each role at least once; runs of ten minutes and more
// must also have been hard enough.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: needs a real Kafka and the built binary")
	}
	r := NewRun(t)
	v := r.Play()
	if path := os.Getenv(EnvKeep); path != "" {
		if err := r.History.Keep(path); err != nil {
			t.Error(err)
		}
	}
	report := NewReport(r.History, v)
	t.Logf("chaos: seed %d\n%s", r.Seed, report)
	kinds := report.Kinds()
	for _, kind := range kills {
		if len(kinds[kind]) == 0 {
			t.Errorf("there was no %s", kind)
		}
	}
	if r.Time >= longRun {
		hardEnough(t, r, report)
	}
}

// hardEnough checks the minima of a long run.
func hardEnough(t *testing.T, r *Run, report *Report) {
	t.Helper()
	if report.Acked < eventsLong {
		t.Errorf("%d events were acknowledged, want at least %d", report.Acked, eventsLong)
	}
	kinds := report.Kinds()
	for _, deck := range [][]card{processes, surroundings} {
		for _, c := range deck {
			n := 0
			for _, f := range kinds[c.kind] {
				if f.InFlight >= underWay {
					n++
				}
			}
			if n < faultsEach {
				t.Errorf("%s hit %d times with at least %d events in flight, want %d", c.kind, n, underWay, faultsEach)
			}
		}
	}
	for i, moves := range report.Verdict.Moves {
		if moves < movesLong {
			t.Errorf("%d partitions of trigger %s changed hands, want %d", moves, r.History.Triggers[i].Name, movesLong)
		}
	}
}
