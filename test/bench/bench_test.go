package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/harness"
)

// TestMain lets the test binary be its own helpers, as the program is.
func TestMain(m *testing.M) {
	if os.Getenv(childEnvironment) != "" {
		if err := runChild(os.Args[2], os.Args[3]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestBenchRuns runs the parts that between them use everything, with tiny numbers, on the
// embedded broker, which starts at once: it must work, nobody looks at times.
func TestBenchRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary and runs it as processes")
	}
	file, page := filepath.Join(t.TempDir(), "bench.json"), filepath.Join(t.TempDir(), "page.md")
	o := options{json: file, rounds: 1, lasts: 100 * time.Millisecond, scale: 0.002, binary: harness.Binary(t)}
	chosen, err := choose([]string{"receive", "deliver-unordered", "end-to-end", "manifests"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := measureAll(o, chosen, "", true)
	if err != nil {
		t.Fatal(err)
	}
	for part, why := range r.Skipped {
		t.Errorf("part %s: %s", part, why)
	}
	for _, p := range chosen {
		if !slices.ContainsFunc(r.Rows, func(x row) bool { return x.Part == p.name }) {
			t.Errorf("part %s has no row", p.name)
		}
	}
	if err := reportFrom([]string{file}, page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(text), "| receive | 64-connections |") {
		t.Errorf("the page lacks a row (%v):\n%s", err, text)
	}
}

func TestQuantiles(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	c := h.snapshot()
	for _, q := range []float64{0.5, 0.99, 1} {
		want := time.Duration(q * float64(time.Millisecond))
		if got := c.quantile(q); got < want || got > want+want/subBuckets+1 {
			t.Errorf("quantile %v is %v, want %v and 3 %% more at most", q, got, want)
		}
	}
	h.add(time.Hour)
	if got := h.snapshot().since(c).quantile(0.5); got < time.Hour || got > time.Hour+time.Hour/subBuckets {
		t.Errorf("what came since is %v, want an hour", got)
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		row  row
		want string
	}{
		{row{Ratio: 1.05, Limit: 1, Goal: 1.1, Floor: 1.35}, "goal"},
		{row{Ratio: 1.2, Limit: 1, Goal: 1.1, Floor: 1.35}, "floor"},
		{row{Ratio: 1.5, Limit: 1, Goal: 1.1, Floor: 1.35}, "SHORT"},
		{row{Value: 30, Goal: 40}, "goal"},
		{row{Value: 50, Goal: 40}, "short"},
		{row{Ratio: 0.85, Limit: 1, Goal: 0.9, Floor: 0.8, Least: true}, "floor"},
		{row{Value: 7}, "stated"},
	} {
		if got := tc.row.verdict(); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.row, got, tc.want)
		}
	}
}

func TestTheMedianOfRunsCounts(t *testing.T) {
	run := func(rate, cpu float64, more ...row) result {
		return result{
			Rows:   append(more, row{Part: "ordered", Limit: 1, Ratio: rate, Least: true}, row{Part: "receive", Value: cpu}),
			Rounds: 3, Skipped: map[string]string{},
		}
	}
	first := run(0.9, 5, row{Part: "start", Value: 1})
	first.Skipped["soak"], first.Skipped["batch"] = "not now", "broken"
	soak := result{Rows: []row{{Part: "soak", Value: 7}}, Rounds: 1}
	m := merge([]result{soak, first, run(0.5, 9), run(0.8, 6)})
	want := []row{
		{Part: "receive", Value: 6},
		{Part: "ordered", Limit: 1, Ratio: 0.8, Least: true},
		{Part: "start", Value: 1},
		{Part: "soak", Value: 7},
	}
	if !slices.Equal(m.Rows, want) {
		t.Errorf("rows %+v, want %+v", m.Rows, want)
	}
	if len(m.Skipped) != 1 || m.Skipped["batch"] == "" {
		t.Errorf("skipped %v, want the part that no run has", m.Skipped)
	}
	if got := m.rounds(); got != "3 runs of 3 rounds each" {
		t.Errorf("medians of %q", got)
	}
	two := merge([]result{run(0.9, 5), run(0.5, 9)})
	if two.Rows[1].Ratio != 0.5 || two.Rows[0].Value != 9 {
		t.Errorf("of two runs %+v counts, want the worse", two.Rows)
	}
}
