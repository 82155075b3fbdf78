package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

func (r *result) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// print writes the table of goals for a terminal.
func (r *result) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "part\tscenario\tmeasure\tkurier\tlimit\tratio\tgoal\tfloor\t")
	for _, x := range r.Rows {
		fmt.Fprintln(t, strings.Join(append([]string{x.Part, x.Scenario}, x.cells()...), "\t"))
	}
	_ = t.Flush()
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(w, "%s did not run: %s\n", name, r.Skipped[name])
	}
}

// cells are a row's figures: measure, value, limit, ratio, goal, floor, verdict.
func (r row) cells() []string {
	limit, ratio := "–", "–"
	if r.Limit != 0 {
		limit, ratio = number(r.Limit), fmt.Sprintf("%.2f", r.Ratio)
	}
	bound := func(b float64) string {
		switch {
		case b == 0:
			return "–"
		case r.Least:
			return "≥ " + number(b)
		}
		return "≤ " + number(b)
	}
	return []string{r.Measure, number(r.Value), limit, ratio, bound(r.Goal), bound(r.Floor), r.verdict()}
}

// number writes three digits that count.
func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// cpuText lists processor time per event by process.
func cpuText(cpu map[string]float64) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(cpu)) {
		list = append(list, name+" "+number(cpu[name]))
	}
	return strings.Join(list, ", ")
}
