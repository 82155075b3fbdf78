package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"kurier.dev/kurier/internal/display"
	"kurier.dev/kurier/internal/status"
)

// tableText is a row per object.
func tableText(objects []status.Object, now time.Time) string {
	if len(objects) == 0 {
		return "no objects: the manifests are empty, or not read yet\n"
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		// A Builder takes everything, so there is no error to see.
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	row("KIND", "NAME", "READY", "REASON", "URL", "LAG", "WAITING", "HELD", "LAST FAILURE")
	for i := range objects {
		o := &objects[i]
		lag, waiting, held, failure := figures(o.Status.Delivery, now)
		row(o.Kind, o.Metadata.Namespace+"/"+o.Metadata.Name, readyText(o), dash(reason(o)), dash(o.URL()), lag, waiting, held, failure)
	}
	_ = table.Flush()
	return trimLines(text.String())
}

// trimLines takes away the blanks that pad the last column.
func trimLines(text string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return lines.String()
}

func readyText(o *status.Object) string {
	if c := o.Condition(status.TypeReady); c != nil {
		return c.Status
	}
	return status.Unknown
}

// reason is why the object is not ready, or else what else is bad about it.
func reason(o *status.Object) string {
	for i := range o.Status.Conditions {
		if c := &o.Status.Conditions[i]; c.Bad() {
			if c.Reason != "" {
				return c.Reason
			}
			if c.Type != status.TypeReady {
				return c.Type
			}
		}
	}
	return ""
}

// figures are the cells of delivery; a dash where nothing is known.
func figures(d *status.Delivery, now time.Time) (lag, waiting, held, failure string) {
	lag, waiting, held, failure = "-", "-", "-", "-"
	if d == nil {
		return lag, waiting, held, failure
	}
	if d.Lag != nil {
		lag = strconv.FormatInt(*d.Lag, 10)
	}
	if d.Instance != "" {
		waiting, held = strconv.Itoa(d.Waiting), strconv.Itoa(d.Held)
	}
	if f := d.LastFailure; f != nil {
		failure = outcome(f) + ", " + ago(now, f.Time)
	}
	return lag, waiting, held, failure
}

// outcome is a failed attempt's status code, or what went wrong instead.
func outcome(f *status.Failure) string {
	switch {
	case f.Code != 0:
		return strconv.Itoa(f.Code)
	case f.Reason != "":
		return display.Printable(f.Reason)
	}
	return "no answer"
}

// ago is a rounded age in words: 3 s ago.
func ago(now, then time.Time) string {
	age := max(now.Sub(then), 0)
	switch {
	case age < time.Minute:
		return fmt.Sprintf("%d s ago", int(age.Seconds()))
	case age < time.Hour:
		return fmt.Sprintf("%d min ago", int(age.Minutes()))
	case age < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(age.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(age.Hours()/24))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
