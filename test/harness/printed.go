package harness

import "strings"

// Printed is one event as a display prints it.
type Printed struct {
	Label string // what stands before its lines, empty for none
	lines []string
}

// headline begins each event, in the form of Knative's event_display.
const headline = "cloudevents.Event"

// ParsePrinted splits a display's output into events. Lines of several labels may be
// mixed as long as each event's lines follow each other.
func ParsePrinted(text string) []Printed {
	var all []Printed
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		label, rest, found := strings.Cut(line, "|")
		if found {
			label, rest = strings.TrimSpace(label), strings.TrimPrefix(rest, " ")
		} else {
			label, rest = "", line
		}
		switch {
		case strings.Contains(rest, headline):
			all = append(all, Printed{Label: label})
		case len(all) > 0 && all[len(all)-1].Label == label:
			last := &all[len(all)-1]
			last.lines = append(last.lines, rest)
		}
	}
	return all
}

// Attribute is an attribute of the event; empty when absent.
func (p Printed) Attribute(name string) string {
	for _, line := range p.lines {
		if value, ok := strings.CutPrefix(line, "  "+name+": "); ok {
			return value
		}
	}
	return ""
}

// Contains tells whether a text stands in one of the event's lines.
func (p Printed) Contains(text string) bool {
	for _, line := range p.lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
