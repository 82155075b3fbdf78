package resources

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or worth a warning, in a manifest.
type Problem struct {
	File    string
	Line    int // from 1; 0 only where the file could not be read at all
	Message string
	Paths   []string // the fields it is about, sorted; nil: the object as a whole
	Details string   // more, of one or several lines; may be empty
	Ref     Ref      // the object, as far as it is known
	Warning bool

	object int // the object's first line, which keeps its problems together
}

// String is the text of the validate command, of the log and of the status:
//
//	<file>:<line>: validation failed: <message>: <path>[, <path>...]
//	<details>
func (p Problem) String() string {
	var text strings.Builder
	text.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&text, ":%d", p.Line)
	}
	if p.Warning {
		text.WriteString(": warning: ")
	} else {
		text.WriteString(": validation failed: ")
	}
	text.WriteString(p.Text())
	return text.String()
}

// Text is String without the place and what kind of problem it is.
func (p Problem) Text() string {
	text := p.Message
	if len(p.Paths) > 0 {
		text += ": " + strings.Join(p.Paths, ", ")
	}
	if p.Details != "" {
		text += "\n" + p.Details
	}
	return text
}

// Problems is every error of a set of manifests, sorted and merged.
type Problems []Problem

// Error is the text of every problem, one after the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// arrange merges what is equal but for its paths within one object, and sorts:
// by file, by object, then by message.
func arrange(problems []Problem) []Problem {
	if len(problems) == 0 {
		return nil
	}
	type subject struct {
		file             string
		object           int
		ref              Ref
		message, details string
		warning          bool
	}
	seen := make(map[subject]int, len(problems))
	var merged []Problem
	for _, p := range problems {
		s := subject{p.File, p.object, p.Ref, p.Message, p.Details, p.Warning}
		i, again := seen[s]
		if !again {
			seen[s] = len(merged)
			p.Paths = slices.Clone(p.Paths)
			merged = append(merged, p)
			continue
		}
		merged[i].Paths = append(merged[i].Paths, p.Paths...)
		merged[i].Line = min(merged[i].Line, p.Line)
	}
	for i := range merged {
		slices.Sort(merged[i].Paths)
		merged[i].Paths = slices.Compact(merged[i].Paths)
	}
	slices.SortStableFunc(merged, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.object, b.object), compareRefs(a.Ref, b.Ref),
			cmp.Compare(a.Message, b.Message), cmp.Compare(a.Details, b.Details), cmp.Compare(a.Line, b.Line))
	})
	return merged
}

func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// report collects the problems of one object.
type report struct {
	file     string
	line     int
	ref      Ref
	problems []Problem
}

func (r *report) add(line int, message, details string, paths ...string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Message: message, Paths: paths, Details: details,
		Ref: r.ref, object: r.line})
}

// warn adds something that stops nothing.
func (r *report) warn(line int, message, details string, paths ...string) {
	r.add(line, message, details, paths...)
	r.problems[len(r.problems)-1].Warning = true
}

// failed tells whether there is an error among the problems.
func (r *report) failed() bool {
	return slices.ContainsFunc(r.problems, func(p Problem) bool { return !p.Warning })
}

// The messages of Knative's field errors.

func (r *report) missing(f field) { r.add(f.line, "missing field(s)", "", f.path) }

func (r *report) missingBecause(f field, details string) {
	r.add(f.line, "missing field(s)", details, f.path)
}

func (r *report) invalid(f field, value, details string) {
	r.add(f.line, "invalid value: "+value, details, f.path)
}

func (r *report) disallowed(f field, details string) {
	r.add(f.line, "must not set the field(s)", details, f.path)
}

func (r *report) noneOf(at field, fields ...field) {
	r.add(at.line, "expected at least one, got none", "", paths(fields)...)
}

func (r *report) bothOf(at field, fields ...field) {
	r.add(at.line, "expected exactly one, got both", "", paths(fields)...)
}

func (r *report) invalidKey(f field, name, details string) {
	r.add(f.line, fmt.Sprintf("invalid key name %q", name), details, f.path)
}

// paths are the fields' paths, sorted.
func paths(fields []field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.path
	}
	slices.Sort(all)
	return all
}
