package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// pageBegin is what the page of figures says before them.
const pageBegin = `# Performance

Measured by ` + "`make bench`" + ` (` + "`test/bench`" + `), which starts the real binary against a real Kafka; this page is made from what it wrote (` + "`go run ./test/bench -from bench.json -report docs/performance.md`" + `). Run it on your machine: parts by name, ` + "`go run ./test/bench -list`" + ` prints them.

## How to read it
**Ratios count, absolute figures do not.** Load, Kafka, Kurier and subscriber share one machine, so events per second are what is left for Kurier, not what it can do alone. Processor time per event is what carries over to another machine: divide a processor's million microseconds by it, and you know how many events one processor takes. It is read from the operating system for each process.

Each row compares Kurier with a *limit*: a program that does only the unavoidable part, in the same language and with the same libraries. Receiving costs at least an HTTP server that answers at once (fasthttp) and a Kafka client that does nothing but produce with the same promise (sarama, idempotent, acks=all, as many records under way as there are connections). Delivering costs at least a client that posts the same events to the same subscriber and a consumer that does nothing else. Both are measured in turns with Kurier, several rounds, medians. A ratio of 1 is the limit itself: it would mean that routing, checking, mapping, budgets, metrics, filters, retries and exact offsets cost nothing.

The last column says whether the *goal* is reached, at least the *floor*, or neither (SHORT, or short where there is no floor). "Stated" has no goal: the figure is there so that a change is noticed. Everything runs at the default log level with metrics on. One event has 1 KiB of JSON and six attributes unless the row says otherwise.

A load average above the number of processors before the run means that the machine was busy with something else. Everything then costs more, and Kurier more than the comparators: woken for one event at a time, it works in smaller batches than a producer that stands alone. Such a run shows where the time goes; whether a goal is reached, a quiet machine says.
`

// reportFrom makes the page from the results of one run or several.
func reportFrom(files []string, page string) error {
	if page == "" {
		return errors.New("-from needs -report, the page to write")
	}
	var runs []result
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var r result
		if err := json.Unmarshal(text, &r); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		runs = append(runs, r)
	}
	return os.WriteFile(page, []byte(merge(runs).page()), 0o644) //nolint:gosec // a page of the documentation
}

// merge joins runs: of a row that several have, that of the median run counts, of two
// the worse one. When and where are the last run's.
func merge(runs []result) *result {
	merged := runs[len(runs)-1]
	merged.Rows, merged.Figures, merged.Skipped, merged.Runs = nil, nil, map[string]string{}, 1
	type key struct{ part, scenario, measure string }
	same := map[key][]row{}
	var order []key
	for _, r := range runs {
		for _, x := range r.Rows {
			k := key{x.Part, x.Scenario, x.Measure}
			if same[k] == nil {
				order = append(order, k)
			}
			same[k] = append(same[k], x)
		}
		merged.Figures = append(merged.Figures, r.Figures...)
		maps.Copy(merged.Skipped, r.Skipped)
	}
	for _, k := range order {
		rows := same[k]
		slices.SortFunc(rows, func(a, b row) int {
			if a.Least {
				a, b = b, a
			}
			return cmp.Compare(a.decisive(), b.decisive())
		})
		merged.Rows = append(merged.Rows, rows[len(rows)/2])
		merged.Runs = max(merged.Runs, len(rows))
		delete(merged.Skipped, k.part)
	}
	place := map[string]int{}
	for i, p := range parts() {
		place[p.name] = i
	}
	slices.SortStableFunc(merged.Rows, func(a, b row) int { return place[a.Part] - place[b.Part] })
	slices.SortStableFunc(merged.Figures, func(a, b figures) int { return place[a.Part] - place[b.Part] })
	return &merged
}

// page is the Markdown.
func (r *result) page() string {
	var b strings.Builder
	b.WriteString(pageBegin)
	fmt.Fprintf(&b, "\n## Goals\n%s, %s, %s, %s; load average before the run %s; medians of %s.\n\n",
		r.When, r.Machine, r.Go, r.Kafka, r.Load, r.rounds())
	b.WriteString("| part | scenario | measure | Kurier | limit | ratio | goal | floor | reached | note |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, x := range r.Rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(append(append([]string{x.Part, x.Scenario}, x.cells()...), x.Note), " | "))
	}
	b.WriteString("\n## Figures\nMedians of the rounds. Processor time in µs per event by process; latencies in ms: of the answer where a client posts, " +
		"from the 202 to the subscriber in end-to-end; a dash where nobody measured one.\n\n")
	b.WriteString("| part | scenario | program | events/s | processor time | p50 | p99 | worst | peak MiB |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, f := range medians(r.Figures) {
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %s | %s | %s | %s | %s |\n", f.Part, f.Scenario, f.Variant, f.PerSecond,
			cpuText(f.CPU), dash(f.P50), dash(f.P99), dash(f.Worst), dash(f.Peak))
	}
	for _, part := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "\nPart `%s` did not run: %.300s\n", part, r.Skipped[part])
	}
	return b.String()
}

// rounds says what the medians are of.
func (r *result) rounds() string {
	if r.Runs > 1 {
		return fmt.Sprintf("%d runs of %d rounds each", r.Runs, r.Rounds)
	}
	return fmt.Sprintf("%d rounds", r.Rounds)
}

func dash(x float64) string {
	if x == 0 {
		return "–"
	}
	return number(x)
}

// medians joins the rounds of each variant.
func medians(all []figures) []figures {
	type key struct{ part, scenario, variant string }
	rounds := map[key][]figures{}
	var order []key
	for _, f := range all {
		k := key{f.Part, f.Scenario, f.Variant}
		if rounds[k] == nil {
			order = append(order, k)
		}
		rounds[k] = append(rounds[k], f)
	}
	var joined []figures
	for _, k := range order {
		of := func(value func(figures) float64) float64 {
			var values []float64
			for _, f := range rounds[k] {
				values = append(values, value(f))
			}
			return median(values)
		}
		m := figures{Part: k.part, Scenario: k.scenario, Variant: k.variant, CPU: map[string]float64{},
			PerSecond: of(func(f figures) float64 { return f.PerSecond }), P50: of(func(f figures) float64 { return f.P50 }),
			P99: of(func(f figures) float64 { return f.P99 }), Worst: of(func(f figures) float64 { return f.Worst }),
			Peak: of(func(f figures) float64 { return f.Peak })}
		for name := range rounds[k][0].CPU {
			m.CPU[name] = of(func(f figures) float64 { return f.CPU[name] })
		}
		joined = append(joined, m)
	}
	return joined
}
