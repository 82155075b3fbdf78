package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// facts are what was seen, or what is expected, by name. What is not named must not be
// seen: a fact that only one side has is a difference.
type facts map[string]string

// expect reads facts of the form "name=value", each name once.
func expect(pairs ...string) facts {
	f := facts{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := f[name]; !ok || twice {
			panic(fmt.Sprintf("%q is no fact, or stands twice", pair))
		}
		f[name] = value
	}
	return f
}

// set notes a fact in any form that prints.
func (f facts) set(name string, value any) { f[name] = fmt.Sprint(value) }

// differences tells what distinguishes two sets of facts; none when they are equal.
func differences(want, got facts) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[name]; !ok {
			all = append(all, fmt.Sprintf("%s was not seen, want %q", name, want[name]))
		} else if value != want[name] {
			all = append(all, fmt.Sprintf("%s is %q, want %q", name, value, want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			all = append(all, fmt.Sprintf("%s is %q, and nobody expects it", name, got[name]))
		}
	}
	return all
}

// alteration is an expectation that is wrong in one place.
type alteration struct {
	what string
	want facts
}

// alterations makes every expectation that differs from f in one fact: another value, a
// fact less, a fact more.
func (f facts) alterations() []alteration {
	var all []alteration
	change := func(what string, edit func(facts)) {
		other := maps.Clone(f)
		edit(other)
		all = append(all, alteration{what, other})
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		change("another value of "+name, func(o facts) { o[name] = f[name] + "x" })
		change("no value of "+name, func(o facts) { o[name] = "" })
		if f[name] == "" {
			all = all[:len(all)-1] // that is no alteration
		}
		change("without "+name, func(o facts) { delete(o, name) })
	}
	change("one fact more", func(o facts) { o["something else"] = "seen" })
	return all
}

func TestDifferences(t *testing.T) {
	f := expect("a=1", "b=")
	if d := differences(f, expect("a=1", "b=")); len(d) != 0 {
		t.Error(d)
	}
	for _, other := range []facts{expect("a=1"), expect("a=2", "b="), expect("a=1", "b=", "c=3"), {}} {
		if len(differences(f, other)) == 0 || len(differences(other, f)) == 0 {
			t.Errorf("%v and %v are told equal", f, other)
		}
	}
	if n := len(f.alterations()); n != 6 {
		t.Errorf("%d alterations of two facts, one of them empty: want 6", n)
	}
}
