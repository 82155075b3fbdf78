package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	options
	broker *broker
	dir    string
	out    io.Writer
	result result
	part   string // that runs
}

// options are the flags.
type options struct {
	rounds   int           // of every comparison; medians count
	lasts    time.Duration // of one window, at most
	soak     time.Duration // how long the soak lasts
	scale    float64       // of counts of events; 1 is what the tables show
	json     string        // file of the results
	binary   string        // to measure; empty: built
	other    string        // a second binary to compare with; empty: none
	env      string        // NAME=VALUE,...: more of kurier's environment
	profiles string        // folder for profiles of kurier; empty: none
}

// result is what a run writes as JSON.
type result struct {
	When, Machine, Kafka, Go, Load string
	Rounds                         int
	Runs                           int `json:"-"` // that were merged
	Rows                           []row
	Figures                        []figures
	Skipped                        map[string]string // parts that did not run, and why
}

// row is one line of the table of goals.
type row struct {
	Part, Scenario string
	Measure        string  // what is compared, with its unit
	Value, Limit   float64 // of Kurier and of the comparator; Limit 0: there is none
	Ratio          float64 // Value / Limit, taken per round, the median
	Goal, Floor    float64 // of the ratio, or of the value where there is no limit; 0: none
	Least          bool    // goal and floor are lower bounds
	Note           string
}

// decisive is what goal and floor are about.
func (r row) decisive() float64 {
	if r.Limit == 0 {
		return r.Value
	}
	return r.Ratio
}

// verdict compares with goal and floor.
func (r row) verdict() string {
	x := r.decisive()
	within := func(bound float64) bool {
		if r.Least {
			return x >= bound
		}
		return x <= bound
	}
	switch {
	case r.Goal == 0:
		return "stated"
	case within(r.Goal):
		return "goal"
	case r.Floor == 0:
		return "short"
	case within(r.Floor):
		return "floor"
	}
	return "SHORT"
}

// count scales a number of events.
func (b *bench) count(n int64) int64 { return max(int64(float64(n)*b.scale), 20) }

// keep notes the figures of one window under a name.
func (b *bench) keep(scenario, variant string, f figures) {
	f.Part, f.Scenario, f.Variant = b.part, scenario, variant
	b.result.Figures = append(b.result.Figures, f)
	fmt.Fprintf(b.out, "  %-34s %-12s %9.0f/s  cpu %s  p50 %.2f ms p99 %.2f ms worst %.1f ms\n",
		scenario, variant, f.PerSecond, cpuText(f.CPU), f.P50, f.P99, f.Worst)
}

// judge notes a line of the table of goals.
func (b *bench) judge(r row) {
	r.Part = b.part
	if r.Ratio == 0 && r.Limit != 0 {
		r.Ratio = r.Value / r.Limit
	}
	b.result.Rows = append(b.result.Rows, r)
	fmt.Fprintf(b.out, "  -> %s: %s %.4g, limit %.4g, ratio %.2f (goal %.4g, floor %.4g): %s\n",
		r.Scenario, r.Measure, r.Value, r.Limit, r.Ratio, r.Goal, r.Floor, r.verdict())
}

// kurier starts a Kurier for a part.
func (b *bench) kurier(env, manifests map[string]string) (*kurier, error) {
	all := maps.Clone(env)
	if all == nil {
		all = map[string]string{}
	}
	if b.profiles != "" {
		all["ADMIN_PPROF"] = "true"
	}
	for entry := range strings.SplitSeq(b.env, ",") {
		if name, value, ok := strings.Cut(entry, "="); ok {
			all[name] = value
		}
	}
	return startKurier(b.binary, b.dir, b.broker.Address, all, manifests)
}

// beside starts a Kurier of the other binary, when there is one to compare with, on the same
// manifests. Without one it returns nil.
func (b *bench) beside(manifests map[string]string) (*kurier, error) {
	if b.other == "" {
		return nil, nil //nolint:nilnil // there may be none
	}
	return startKurier(b.other, b.dir, b.broker.Address, nil, manifests)
}

// compareOthers notes what the binary costs against the other one.
func (b *bench) compareOthers(c comparison, scenario string) {
	if b.other != "" {
		b.judge(c.row(row{Scenario: scenario, Measure: "CPU µs per event", Note: "limit: " + b.other}))
	}
}

// pids are the processes whose time counts in a window: those given, and Kafka.
func (b *bench) pids(names map[string]int) map[string]int {
	if len(b.broker.pids) > 0 {
		names["kafka"] = b.broker.pids[0]
	}
	return names
}

// profile fetches a profile of Kurier while something is measured, when asked for.
func (b *bench) profile(k *kurier, scenario string, kinds ...string) (wait func()) {
	if b.profiles == "" {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, kind := range append([]string{fmt.Sprintf("profile?seconds=%d", max(1, int(b.lasts.Seconds())))}, kinds...) {
			text, err := k.get("/debug/pprof/" + kind)
			if err != nil {
				fmt.Fprintln(b.out, "  profile:", err)
				continue
			}
			name := fmt.Sprintf("%s-%s-%.5s.pprof", b.part, scenario, kind)
			if err := os.WriteFile(filepath.Join(b.profiles, name), text, 0o644); err != nil {
				fmt.Fprintln(b.out, "  profile:", err)
			}
		}
	}()
	return func() { <-done }
}

// median of figures that are at least one.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// comparison collects rounds: each has a value and a limit of the same minute.
type comparison struct{ values, limits, ratios []float64 }

func (c *comparison) add(value, limit float64) {
	c.values, c.limits, c.ratios = append(c.values, value), append(c.limits, limit), append(c.ratios, value/limit)
}

// row makes the table's line of the medians.
func (c *comparison) row(r row) row {
	r.Value, r.Limit, r.Ratio = median(c.values), median(c.limits), median(c.ratios)
	return r
}

// run runs a command to its end.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
