package chaos

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAKeptHistoryChecksTheSame(t *testing.T) {
	s := played()
	path := filepath.Join(t.TempDir(), "history")
	if err := s.Keep(path); err != nil {
		t.Fatal(err)
	}
	h, err := Recall(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := NewReport(h, Check(h)).String(), NewReport(s.History, Check(s.History)).String(); got != want {
		t.Errorf("the report became\n%s\nfrom\n%s", got, want)
	}
}

// TestRecheck checks a kept History again: KURIER_CHAOS_RECHECK names it.
func TestRecheck(t *testing.T) {
	path := os.Getenv("KURIER_CHAOS_RECHECK")
	if path == "" {
		t.Skip("KURIER_CHAOS_RECHECK names no history")
	}
	h, err := Recall(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(NewReport(h, report(t, h)))
}
