package filter

import (
	"regexp"
	"strings"
	"testing"

	sqlerrors "github.com/cloudevents/sdk-go/sql/v2/errors"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"pgregory.net/rapid"

	"kurier.dev/kurier/test/mutate"
)

// agrees checks that the program of an expression gives what the SDK's evaluator
// gives, wherever it gives an outcome at all. It returns that outcome.
func agrees(t rapid.TB, expr string, e attrs) outcome {
	t.Helper()
	f, err := inspect(expr)
	if err != nil {
		return unsure
	}
	if f.program == nil {
		t.Fatalf("%q has no program", expr)
	}
	root, err := parse(expr)
	if err != nil {
		t.Fatal(err)
	}
	v, o := f.program.eval(e)
	want, err := root.Evaluate(cloudevents.Event{Context: &view{event: e, extensions: f.extensions}})
	switch o {
	case sure:
		if err != nil || v.boxed() != want {
			t.Fatalf("%q on %v: %v, the SDK gives %v, %v", expr, e, v.boxed(), want, err)
		}
	case missing:
		if !sqlerrors.IsMissingAttributeError(err) {
			t.Fatalf("%q on %v: an attribute is missing, the SDK gives %v, %v", expr, e, want, err)
		}
	case unsure:
	}
	return o
}

// drawExpression draws an expression of bounded depth. Texts hold no wildcards:
// there the SDK differs (TestLike).
func drawExpression(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 4).Draw(t, "atom") == 0 {
		return rapid.SampledFrom([]string{
			"type", "source", "id", "subject", "time", "specversion", "dataschema", "datacontenttype", "Type", "schemaurl", "datamediatype",
			"x", "y", "absent", "TRUE", "false", "0", "1", "-1", "42", "2147483647", "'a'", "'ab'", "\"b\"", "'true'", "'FALSE'", "'1'", "'+1'",
			"'2020-03-21T13:34:56.78+01:00'", "''", `'it\'s'`,
		}).Draw(t, "atom")
	}
	sub := func() string { return drawExpression(t, depth-1) }
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		return sub() + rapid.SampledFrom([]string{" AND ", " or ", " XOR "}).Draw(t, "logic") + sub()
	case 2, 3:
		return sub() + rapid.SampledFrom([]string{" = ", " != ", " <> "}).Draw(t, "equality") + sub()
	case 4:
		return sub() + rapid.SampledFrom([]string{" < ", " <= ", " > ", " >= "}).Draw(t, "comparison") + sub()
	case 5:
		return sub() + rapid.SampledFrom([]string{" + ", " - ", " * ", " / ", " % "}).Draw(t, "arithmetic") + sub()
	case 6:
		return rapid.SampledFrom([]string{"NOT ", "- "}).Draw(t, "unary") + sub()
	case 7:
		return "(" + sub() + rapid.SampledFrom([]string{") LIKE ", ") NOT LIKE "}).Draw(t, "like") +
			rapid.SampledFrom([]string{"'a%'", "'_'", "'%b'", "'a'", "''", "'%'"}).Draw(t, "pattern")
	case 8:
		return "(" + sub() + rapid.SampledFrom([]string{") IN (", ") NOT IN ("}).Draw(t, "in") + sub() + ", " + sub() + ")"
	}
	return rapid.SampledFrom([]func() string{
		func() string {
			return "EXISTS " + rapid.SampledFrom([]string{"x", "absent", "subject", "time", "id"}).Draw(t, "exists")
		},
		func() string { return "LENGTH(" + sub() + ")" },
		func() string { return "CONCAT(" + sub() + ", " + sub() + ")" },
		func() string { return "IS_INT(" + sub() + ")" },
		func() string { return "LEFT(" + sub() + ", " + sub() + ")" },
	}).Draw(t, "rest")()
}

// TestProgramAgainstTheSDK: a program gives what the SDK's evaluator gives.
func TestProgramAgainstTheSDK(t *testing.T) {
	counted := map[outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"type", "source", "id", "subject", "time", "specversion", "schemaurl", "datacontenttype", "x", "y"}
		values := []string{"a", "ab", "b", "", "true", "False", "1", "-1", "+1", "2147483648", "42", "1.0", "2020-03-21T13:34:56.780+01:00",
			"0001-01-01T00:00:00Z", "text/json; charset=x", "\u017fa", "fal\u017fe"}
		e := attrs(rapid.MapOfN(rapid.SampledFrom(names), rapid.SampledFrom(values), 0, len(names)).Draw(t, "event"))
		counted[agrees(t, drawExpression(t, 3), e)]++
	})
	if counted[sure] == 0 || counted[missing] == 0 {
		t.Errorf("the draws are one-sided: %v", counted)
	}
}

// TestLike: LIKE is what the specification says, also where the SDK's matcher
// differs (the last four).
func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"abc", "abc", true}, {"abc", "ab", false}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "%b%", true},
		{"abc", "_b_", true}, {"abc", "__", false}, {"", "%", true}, {"", "", true}, {"", "_", false}, {"a", "", false},
		{"a%", `a\%`, true}, {"ab", `a\%`, false}, {"a_", `a\_`, true}, {`a\b`, `a\b`, true}, {"aab", "%ab", true}, {"abab", "%a%b", true},
		{"100%", "100%", true}, {"%a", "%", true}, {"\u00e9", "_", true}, {`\abc`, `\%`, false},
	} {
		t.Run(c.text+" LIKE "+c.pattern, func(t *testing.T) {
			if got := newPattern(c.pattern).matches(c.text); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// TestLikeAgainstRegexp: a pattern fits where the regular expression that means the
// same does.
func TestLikeAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.SampledFrom([]rune{'a', 'b', '%', '_', '\\', '\u00e9', '\n'})
		text := string(rapid.SliceOfN(alphabet, 0, 8).Draw(t, "text"))
		like := string(rapid.SliceOfN(alphabet, 0, 6).Draw(t, "pattern"))
		meaning := strings.NewReplacer(`\%`, "%", `\_`, "_", "%", "(?s:.*)", "_", "(?s:.)").Replace
		var same strings.Builder
		for rest := like; rest != ""; {
			n := 1
			if strings.HasPrefix(rest, `\%`) || strings.HasPrefix(rest, `\_`) {
				n = 2
			} else if strings.HasPrefix(rest, "\u00e9") {
				n = len("\u00e9")
			}
			if part := rest[:n]; part == "%" || part == "_" {
				same.WriteString(meaning(part))
			} else {
				same.WriteString(regexp.QuoteMeta(meaning(part)))
			}
			rest = rest[n:]
		}
		want := regexp.MustCompile(`\A(?:` + same.String() + `)\z`).MatchString(text)
		if got := newPattern(like).matches(text); got != want {
			t.Fatalf("%q LIKE %q: %v, want %v (%s)", text, like, got, want, &same)
		}
	})
}

// usual are expressions as Triggers have them, with what they give for fullEvent.
var usual = map[string]bool{
	"type = 'com.example.FullEvent'":                                            true,
	"type = 'com.example.FullEvent' AND source = 'http://example.com/source'":   true,
	"type = 'other' OR NOT (subject = 'topic')":                                 false,
	"type LIKE 'com.%' AND subject NOT LIKE '%x_'":                              true,
	"type IN ('a', 'b', 'com.example.FullEvent') AND subject NOT IN ('x', 'y')": true,
	"exint > 40 AND exint <= 42 AND exbool = TRUE":                              true,
	"EXISTS exstring AND NOT EXISTS absent":                                     true,
	"absent = 'x'":                                                              false,
	"exbool":                                                                    true,
	"time = '2020-03-21T12:34:56.78Z'":                                          true,
	"exint % 2 = 0 XOR exint + 1 = 42":                                          true,
}

// TestCESQLNoAllocations: what Triggers usually compare costs no allocation.
func TestCESQLNoAllocations(t *testing.T) {
	m := message()
	for expr, want := range usual {
		t.Run(expr, func(t *testing.T) {
			f := mustCompile(t, nil, Spec{CESQL: expr})
			if n := testing.AllocsPerRun(100, func() { check(t, f, m, want) }); n != 0 {
				t.Errorf("%v allocations per event", n)
			}
		})
	}
}

// BenchmarkCESQL is the cost of an evaluation, and what the SDK's evaluator needs
// for the same.
func BenchmarkCESQL(b *testing.B) {
	m := message()
	for _, expr := range sortedKeys(usual) {
		x := mustCompile(b, nil, Spec{CESQL: expr}).root.(*expression)
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = x.match(m)
			}
		})
		b.Run(expr+"/SDK", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = x.explain(m)
			}
		})
	}
}

// FuzzCheckCESQL: no expression panics, and what is accepted gives the same with
// its program and with the SDK's evaluator, but for LIKE, where they differ.
func FuzzCheckCESQL(f *testing.F) {
	seeds := []string{"type = 'a'", "this is wrong", "NOT (a IN ('b', 1)) XOR EXISTS c", "-1 % 0 <> LEFT('abc', 2)", "a LIKE '%\\_'", "'",
		"exint < 43 AND exbool", "time = \"x\" OR extime > 3", "ABS(-2147483648) = CONCAT(1, TRUE)"}
	for _, s := range seeds {
		f.Add(s)
	}
	mutate.More(f, seeds, func(s string) { f.Add(s) })
	f.Fuzz(func(t *testing.T, expr string) {
		n, err := compileCESQL(expr)
		if err != nil {
			return
		}
		for _, e := range []attrs{fullEvent, eventAs} {
			ok, err := n.match(e)
			if ok && err != nil {
				t.Fatalf("%q passes with the error %v", expr, err)
			}
			if !strings.Contains(strings.ToUpper(expr), "LIKE") {
				agrees(t, expr, e)
			}
		}
	})
}
