package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/test/altered"
)

// Specs with a constant outcome for eventE.
func pass() Spec { return Spec{Exact: wanted{"type": "dev.knative.example"}} }
func fail() Spec { return Spec{Exact: wanted{"type": "other"}} }

// TestAllAny is the unit table of 5.1 for all and any.
func TestAllAny(t *testing.T) {
	build := func(pattern string, wrap func(...Spec) Spec) Spec {
		var stack [][]Spec
		stack = append(stack, nil)
		for _, r := range pattern {
			top := len(stack) - 1
			switch r {
			case 'P':
				stack[top] = append(stack[top], pass())
			case 'F':
				stack[top] = append(stack[top], fail())
			case '(':
				stack = append(stack, nil)
			case ')':
				stack[top-1] = append(stack[top-1], wrap(stack[top]...))
				stack = stack[:top]
			}
		}
		return stack[0][0]
	}
	for _, c := range []struct {
		pattern  string
		all, any bool
	}{
		{"X(P)", true, true}, {"X(F)", false, false}, {"X(P,F)", false, true}, {"X(P,P)", true, true}, {"X(F,F)", false, false},
		{"X(X(P))", true, true}, {"X(X(F))", false, false}, {"X(P,X(F))", false, true}, {"X(P,X(P))", true, true},
		{"X(F,X(F))", false, false}, {"X(F,X(P))", false, true}, {"X(P,X(P,F))", false, true}, {"X(P,X(P,P))", true, true},
		{"X(P,X(F,F))", false, true}, {"X(F,X(P,F))", false, true}, {"X(F,X(P,P))", false, true}, {"X(F,X(F,F))", false, false},
	} {
		t.Run("5.1/all, any/"+c.pattern, func(t *testing.T) {
			check(t, mustCompile(t, nil, build(c.pattern, func(s ...Spec) Spec { return Spec{All: s} })), eventE, c.all)
			check(t, mustCompile(t, nil, build(c.pattern, func(s ...Spec) Spec { return Spec{Any: s} })), eventE, c.any)
		})
	}
}

func TestNot(t *testing.T) {
	p, f := pass(), fail()
	t.Run("5.1/not/P", func(t *testing.T) { check(t, mustCompile(t, nil, Spec{Not: &p}), eventE, false) })
	t.Run("5.1/not/F", func(t *testing.T) { check(t, mustCompile(t, nil, Spec{Not: &f}), eventE, true) })
	check(t, mustCompile(t, nil, Spec{Not: &Spec{Exact: wanted{"absent": "x"}}}), eventE, true)
	check(t, mustCompile(t, nil, Spec{Not: &Spec{CESQL: "absent = 'x'"}}), eventE, true)
}

// TestFI1: which of the two kinds of filter counts.
func TestFI1(t *testing.T) {
	for _, c := range []struct {
		name       string
		attributes wanted
		filters    []Spec
		want       bool
	}{
		{"5.1/no filter", nil, nil, true},
		{"empty attributes", wanted{}, nil, true},
		{"empty filters", nil, []Spec{}, true},
		{"filters absent", wanted{"type": "other"}, nil, false},
		{"filters empty", wanted{"type": "other"}, []Spec{}, false},
		{"filters win", wanted{"type": "other"}, []Spec{pass()}, true},
		{"filters win against a match", wanted{"type": "dev.knative.example"}, []Spec{fail()}, false},
		{"FI-2 filters are ANDed", nil, []Spec{pass(), fail()}, false},
		{"FI-14 an empty element", wanted{"type": "other"}, []Spec{{}}, true},
		{"FI-14 an empty element beside one", nil, []Spec{{}, fail()}, false},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, mustCompile(t, c.attributes, c.filters...), eventE, c.want) })
	}
}

// nested puts n negations around a filter that passes.
func nested(n int) Spec {
	s := pass()
	for range n {
		inner := s
		s = Spec{Not: &inner}
	}
	return s
}

// TestRefused is FI-14 to FI-18: what Compile refuses, and what it says.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		spec Spec
		want string
	}{
		{"FI-14 empty in all", Spec{All: []Spec{pass(), {}}}, "filters[0].all[1]: expected exactly one dialect, got none"},
		{"FI-14 empty in any", Spec{Any: []Spec{{}}}, "filters[0].any[0]: expected exactly one"},
		{"FI-15 5.1/not/empty", Spec{Not: &Spec{}}, "filters[0].not: expected exactly one"},
		{"FI-15 not without element", Spec{Keys: []string{"not"}}, "filters[0].not: expected exactly one"},
		{"FI-15 empty name", Spec{Exact: wanted{"": "x"}}, "filters[0].exact: an attribute name is empty"},
		{"FI-15 empty value", Spec{Prefix: wanted{"type": ""}}, "filters[0].prefix[type]: the value is empty"},
		{"FI-15 empty value", Spec{Suffix: wanted{"a": "b", "type": ""}}, "filters[0].suffix[type]: the value is empty"},
		{"FI-15 empty exact", Spec{Exact: wanted{}}, "filters[0].exact: at least one attribute"},
		{"FI-15 exact null", Spec{Keys: []string{"exact"}}, "filters[0].exact: at least one attribute"},
		{"FI-15 5.1/all, any/X()", Spec{All: []Spec{}}, "filters[0].all: at least one filter"},
		{"FI-15 empty any", Spec{Any: []Spec{}}, "filters[0].any: at least one filter"},
		{"FI-15 5.1/cesql/Missing expression", Spec{Keys: []string{"cesql"}}, "filters[0].cesql: parse error: the expression is empty"},
		{"FI-16 integer", Spec{CESQL: "1 + 2"}, "filters[0].cesql: expression is not boolean"},
		{"FI-17 nesting", nested(MaxNesting + 1), "filters are nested deeper than 32"},
		{"FI-18 unknown dialect", Spec{Keys: []string{"regex"}}, "filters[0].regex: unknown dialect"},
		{"FI-18 two dialects", Spec{Exact: wanted{"type": "a"}, Suffix: wanted{"type": "b"}}, "multiple dialects found, filters can have only one dialect set"},
		{"FI-18 a dialect and an unknown key", Spec{Exact: wanted{"type": "a"}, Keys: []string{"exact", "regex"}}, "multiple dialects found"},
		{"deep path", Spec{Any: []Spec{pass(), {All: []Spec{{Not: &Spec{Exact: wanted{"a": ""}}}}}}}, "filters[0].any[1].all[0].not.exact[a]: the value is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Compile(nil, []Spec{c.spec})
			if f != nil || err == nil || !strings.Contains(err.Error(), altered.Want(c.want)) {
				t.Errorf("Compile gives %v, %v; want an error with %q", f, err, c.want)
			}
		})
	}
	if _, err := Compile(wanted{"": "x"}, nil); err == nil {
		t.Error("Compile accepts an empty attribute name")
	}
}

func TestFI17DeepestNesting(t *testing.T) {
	check(t, mustCompile(t, nil, nested(MaxNesting)), eventE, MaxNesting%2 == 0)
}

// TestFI22Broken: an expression that fails never lets an event pass unless the
// others decide without it, in any order of elements (FI-20).
func TestFI22Broken(t *testing.T) {
	broken := Spec{CESQL: "10 / knativebrokerttl = 1"}
	e := eventE.with("knativebrokerttl", "0")
	for _, c := range []struct {
		name   string
		spec   []Spec
		want   bool
		failed bool
	}{
		{"alone", []Spec{broken}, false, true},
		{"not", []Spec{{Not: &broken}}, false, true},
		{"all with pass", []Spec{{All: []Spec{broken, pass()}}}, false, true},
		{"all with fail", []Spec{{All: []Spec{broken, fail()}}}, false, false},
		{"any with pass", []Spec{{Any: []Spec{broken, pass()}}}, true, false},
		{"any with fail", []Spec{{Any: []Spec{broken, fail()}}}, false, true},
		{"not of all with fail", []Spec{{Not: &Spec{All: []Spec{broken, fail()}}}}, true, false},
		{"ANDed with pass", []Spec{broken, pass()}, false, true},
		{"ANDed with fail", []Spec{broken, fail()}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				got, err := mustCompile(t, nil, c.spec...).Match(e)
				if got != c.want || (err != nil) != c.failed {
					t.Errorf("got %v, %v; want %v and an error: %v", got, err, c.want, c.failed)
				}
				slices.Reverse(c.spec)
				for i := range c.spec {
					slices.Reverse(c.spec[i].All)
					slices.Reverse(c.spec[i].Any)
				}
			}
		})
	}
}

// drawSpec draws a random, valid filter of bounded depth.
func drawSpec(t *rapid.T, depth int) Spec {
	values := rapid.SampledFrom([]string{"a", "b", "ab"})
	names := rapid.SampledFrom([]string{"type", "subject", "x", "y"})
	kinds := 4
	if depth > 0 {
		kinds = 7
	}
	nested := func() []Spec {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Spec { return drawSpec(t, depth-1) }), 1, 3).Draw(t, "nested")
	}
	texts := func() wanted { return rapid.MapOfN(names, values, 1, 2).Draw(t, "texts") }
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return Spec{Exact: texts()}
	case 1:
		return Spec{Prefix: texts()}
	case 2:
		return Spec{Suffix: texts()}
	case 3:
		return Spec{CESQL: fmt.Sprintf("%s = '%s'", names.Draw(t, "name"), values.Draw(t, "value"))}
	case 4:
		return Spec{All: nested()}
	case 5:
		return Spec{Any: nested()}
	}
	inner := drawSpec(t, depth-1)
	return Spec{Not: &inner}
}

// naive is the dumb twin: the definition of the dialects, word by word.
func naive(s Spec, e attrs) bool {
	every := func(m wanted, ok func(value, want string) bool) bool {
		for name, want := range m {
			if v, has := e[name]; !has || !ok(v, want) {
				return false
			}
		}
		return true
	}
	switch s.Dialects()[0] {
	case DialectExact:
		return every(s.Exact, func(v, w string) bool { return v == w })
	case DialectPrefix:
		return every(s.Prefix, strings.HasPrefix)
	case DialectSuffix:
		return every(s.Suffix, strings.HasSuffix)
	case DialectAll:
		return !slices.ContainsFunc(s.All, func(s Spec) bool { return !naive(s, e) })
	case DialectAny:
		return slices.ContainsFunc(s.Any, func(s Spec) bool { return naive(s, e) })
	case DialectNot:
		return !naive(*s.Not, e)
	}
	name, want, _ := strings.Cut(s.CESQL, " = ")
	v, has := e[name]
	return has && "'"+v+"'" == want
}

// TestAgainstDefinition: any filter agrees with the dumb twin.
func TestAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 3)
		e := attrs(rapid.MapOfN(rapid.SampledFrom([]string{"type", "subject", "x", "y"}), rapid.SampledFrom([]string{"a", "b", "ab"}), 0, 4).Draw(t, "event"))
		f, err := Compile(nil, []Spec{s})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Match(e); err != nil || got != naive(s, e) {
			t.Fatalf("Match = %v, %v; want %v", got, err, naive(s, e))
		}
	})
}

// message is fullEvent as the dispatcher has it.
func message() *event.Message {
	m := &event.Message{}
	for _, name := range sortedKeys(fullEvent) {
		m.Set(name, fullEvent[name])
	}
	return m
}

// TestNoAllocations: the hot path of the four text filters.
func TestNoAllocations(t *testing.T) {
	m := message()
	for name, f := range map[string]*Filter{
		"none":       nil,
		"exact":      mustCompile(t, nil, Spec{Exact: wanted{"type": "com.example.FullEvent", "source": "http://example.com/source"}}),
		"prefix":     mustCompile(t, nil, Spec{Prefix: wanted{"type": "com.", "time": "2020-"}}),
		"suffix":     mustCompile(t, nil, Spec{Suffix: wanted{"type": "FullEvent"}}),
		"attributes": mustCompile(t, wanted{"type": "", "exint": "42", "time": "2020-03-21T12:34:56.78Z", "datamediatype": "text/json"}),
		"any of not": mustCompile(t, nil, Spec{Any: []Spec{{Not: &Spec{Exact: wanted{"id": "full-event"}}}, {Exact: wanted{"subject": "topic"}}}}),
	} {
		if n := testing.AllocsPerRun(100, func() {
			if ok, err := f.Match(m); !ok || err != nil {
				t.Fatalf("%s: %v, %v", name, ok, err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %v times per event", name, n)
		}
	}
}

// panics is an event whose attributes cannot be read.
type panics struct{}

func (panics) Get(string) (string, bool) { panic("no attributes today") }

func TestFI22PanicIsRecovered(t *testing.T) {
	got, err := mustCompile(t, nil, Spec{CESQL: "type = 'a'"}).Match(panics{})
	if got || err == nil || !strings.Contains(err.Error(), "no attributes today") {
		t.Errorf("got %v, %v", got, err)
	}
	if errors.Is(err, ErrNotBoolean) {
		t.Errorf("%v claims to be ErrNotBoolean", err)
	}
}
