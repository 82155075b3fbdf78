// Package filter decides whether an event passes the filters of a Trigger
// (FI-1 to FI-23).
//
// A Filter is compiled once, holds no state and never looks at an event's data.
// It does not read manifests and does not name paths: it refuses what must not
// run, whoever wrote it. Evaluating costs no allocation per event, CloudEvents SQL
// included, but for its functions.
package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Event is what a filter reads: *event.Message satisfies it.
type Event interface {
	// Get gives the canonical text of the context attribute or extension with
	// this name, and whether the event has it.
	Get(name string) (string, bool)
}

// Filter is a compiled filter. It is immutable and safe for concurrent use; a
// nil *Filter passes every event.
type Filter struct{ root node }

// node is one element of a compiled filter. The result is three-valued: an error
// means that the element could not be decided, and comes with false.
type node interface {
	match(e Event) (bool, error)
}

// Compile checks and prepares the filters of a Trigger: filters when there are
// any, else attributes, else nothing (FI-1). The result is nil when every event
// passes. The error names the element, for example "filters[0].any[1].exact";
// what is refused is listed under FI-14 to FI-18.
func Compile(attributes map[string]string, filters []Spec) (*Filter, error) {
	var root node
	var err error
	if len(filters) > 0 {
		root, err = compileFilters(filters)
	} else if len(attributes) > 0 {
		root, err = compileAttributes(attributes)
	}
	if err != nil || root == nil {
		return nil, err
	}
	return &Filter{root: root}, nil
}

// Match says whether the event passes. An error means that a CESQL expression
// failed, or panicked, and that the outcome depends on it; it always comes with
// false, and is to be counted and logged (FI-22). An attribute that the event
// lacks is no error: the comparison does not match (FI-9, FI-13).
func (f *Filter) Match(e Event) (bool, error) {
	if f == nil {
		return true, nil
	}
	return f.root.match(e)
}

// compileFilters compiles the top level, whose elements are ANDed. An empty
// element matches everything (FI-14) and leaves nothing to do.
func compileFilters(filters []Spec) (node, error) {
	var nodes allOf
	for i := range filters {
		if len(filters[i].Dialects()) == 0 {
			continue
		}
		n, err := compileElement(&filters[i], fmt.Sprintf("filters[%d]", i), 0)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	switch len(nodes) {
	case 0:
		return nil, nil
	case 1:
		return nodes[0], nil
	}
	return nodes, nil
}

// compileElement compiles one element around which nesting others stand.
func compileElement(s *Spec, path string, nesting int) (node, error) {
	if nesting > MaxNesting {
		return nil, fmt.Errorf("filters are nested deeper than %d: %.60s…", MaxNesting, path)
	}
	keys := s.Dialects()
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("%s: expected exactly one dialect, got none", path)
	case len(keys) > 1:
		return nil, fmt.Errorf("%s: multiple dialects found, filters can have only one dialect set", path)
	}
	path += "." + keys[0]
	switch keys[0] {
	case DialectExact:
		return compileTexts(s.Exact, path, newExact)
	case DialectPrefix:
		return compileTexts(s.Prefix, path, newPrefix)
	case DialectSuffix:
		return compileTexts(s.Suffix, path, newSuffix)
	case DialectAll:
		nodes, err := compileNested(s.All, path, nesting)
		return allOf(nodes), err
	case DialectAny:
		nodes, err := compileNested(s.Any, path, nesting)
		return anyOf(nodes), err
	case DialectNot:
		return compileNot(s.Not, path, nesting)
	case DialectCESQL:
		n, err := compileCESQL(s.CESQL)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return n, nil
	}
	return nil, fmt.Errorf("%s: unknown dialect", path)
}

func compileNested(specs []Spec, path string, nesting int) ([]node, error) {
	if len(specs) == 0 {
		return nil, fmt.Errorf("%s: at least one filter is needed", path)
	}
	nodes := make([]node, 0, len(specs))
	for i := range specs {
		n, err := compileElement(&specs[i], fmt.Sprintf("%s[%d]", path, i), nesting+1)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func compileNot(s *Spec, path string, nesting int) (node, error) {
	if s == nil {
		return nil, fmt.Errorf("%s: expected exactly one dialect, got none", path)
	}
	n, err := compileElement(s, path, nesting+1)
	if err != nil {
		return nil, err
	}
	return not{n}, nil
}

// compileTexts compiles the map of exact, prefix or suffix.
func compileTexts(wanted map[string]string, path string, compile func(name, value string) node) (node, error) {
	if len(wanted) == 0 {
		return nil, fmt.Errorf("%s: at least one attribute is needed", path)
	}
	var nodes allOf
	for _, name := range sortedKeys(wanted) {
		switch {
		case name == "":
			return nil, fmt.Errorf("%s: an attribute name is empty", path)
		case wanted[name] == "":
			return nil, fmt.Errorf("%s[%s]: the value is empty", path, name)
		}
		nodes = append(nodes, compile(name, wanted[name]))
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return nodes, nil
}

// compileAttributes compiles filter.attributes: as exact, but an empty value
// stands for any value that is not empty (FI-4).
func compileAttributes(attributes map[string]string) (node, error) {
	var nodes allOf
	for _, name := range sortedKeys(attributes) {
		if name == "" {
			return nil, errors.New("filter.attributes: an attribute name is empty")
		}
		if attributes[name] == "" {
			nodes = append(nodes, present{newAttribute(name)})
		} else {
			nodes = append(nodes, newExact(name, attributes[name]))
		}
	}
	return nodes, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
