package filter

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

// TestCESQL is the unit table of 5.1 for cesql.
func TestCESQL(t *testing.T) {
	for _, c := range []struct {
		name, expr string
		event      attrs
		want       bool
	}{
		{"Wrong type", "type = 'wrong.type'", eventE, false},
		{"Wrong extension prefix", "myextension = 'wrong.extension'", eventE, false},
		{"Match type", "type = 'dev.knative.example'", eventE, true},
		{"Match extension", "myextension = 'my-extension-value'", eventEPlus, true},
		{"Match numeric extension", "knativebrokerttl < 30", eventE, true},
		{"Match type OR Source", "(type = 'dev.knative.example') OR (source = 'some-other-source')", eventE, true},
		{"Missing attribute less than comparison", "missingattribute < 5", eventE, false},
		{"Missing attribute equals comparison", "missingattribute = missinsvalue", eventE, false},
		{"time keeps its offset", "time = '2018-04-26T14:48:09+02:00'", eventA.with("time", "2018-04-26T14:48:09+02:00"), true},
		{"a broken time is a missing one", "EXISTS time", eventA.with("time", "now"), false},
		{"dataschema of 0.3", "dataschema = 'wow'", eventA.with("schemaurl", "wow"), true},
		{"source as received", "source = 'http://EXAMPLE.com/a%2fb'", eventA.with("source", "http://EXAMPLE.com/a%2fb"), true},
		{"boolean extension", "exbool", fullEvent, true},
		{"boolean extension, false", "(exbool)", fullEvent.with("exbool", "false"), false},
		{"boolean extension compared", "exbool = TRUE AND NOT FALSE", fullEvent, true},
		{"FI-21 position", "knativekafkaoffset >= 17 AND EXISTS knativearrivaltime", eventA.with("knativekafkaoffset", "17", "knativearrivaltime", "x"), true},
		{"empty extension exists", "EXISTS ext", eventA.with("ext", ""), true},
		{"functions", "LENGTH(type) = 19 AND LEFT(type, 3) = 'dev'", eventE, true},
		{"boolean function", "IS_INT(knativebrokerttl)", eventE, true},
	} {
		t.Run("5.1/cesql/"+c.name, func(t *testing.T) {
			f := mustCompile(t, nil, Spec{CESQL: c.expr})
			for range 3 {
				check(t, f, c.event, c.want)
			}
		})
	}
}

// TestFI16 is the static type check, and what is left for run time.
func TestFI16(t *testing.T) {
	for _, expr := range []string{"1", "'a'", "type", "(source)", "1 + 2", "-exint", "LENGTH(type)", "((CONCAT('a', 'b')))", "ABS(1)", "time"} {
		if err := CheckCESQL(expr); !errors.Is(err, ErrNotBoolean) {
			t.Errorf("CheckCESQL(%q) = %v, want ErrNotBoolean", expr, err)
		}
	}
	for _, expr := range []string{"TRUE", "NOT 1", "type LIKE 'a%'", "EXISTS a", "a IN ('b')", "a < 1", "a OR b", "BOOL(a)", "(((a = b)))", "ext"} {
		if err := CheckCESQL(expr); err != nil {
			t.Errorf("CheckCESQL(%q) = %v", expr, err)
		}
	}
	got, err := mustCompile(t, nil, Spec{CESQL: "myextension"}).Match(eventEPlus)
	if got || !errors.Is(err, ErrNotBoolean) {
		t.Errorf("a text extension alone gives %v, %v; want false and ErrNotBoolean", got, err)
	}
}

// TestCESQLParseErrors: no input panics or prints; every error says "parse error".
func TestCESQLParseErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"this is wrong":      "parse error: syntax error: ",
		"":                   "parse error: the expression is empty",
		"type =":             "parse error: syntax error: line 1, column 7",
		"type = 'a' #":       "parse error: syntax error: line 1, column 12: token recognition error at: '#'",
		"'abc":               "parse error: ",
		"(type":              "parse error: ",
		"type = 'a' b":       "parse error: ",
		"EXISTS":             "parse error: ",
		"a IN ()":            "parse error: ",
		"AND":                "parse error: ",
		"type LIKE type":     "parse error: ",
		"99999999999 = 1":    "parse error: ",
		"a.b = 1":            "parse error: ",
		"FOO(1) = 1":         "parse error: there is no function FOO with 1 arguments",
		"LENGTH('a','b')=1":  "parse error: there is no function LENGTH with 2 arguments",
		"A(,)":               "parse error: ",
		"\x00\xff = '\xfe'":  "parse error: ",
		"type = 'x' /* c */": "parse error: ",
	} {
		if err := CheckCESQL(expr); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("CheckCESQL(%q) = %v, want %q", expr, err, want)
		}
	}
	if err := CheckCESQL("this is wrong"); err.Error() != "parse error: syntax error: " {
		t.Errorf("VA-15 wants another text than %q", err)
	}
}

// TestCESQLDeepNesting: what would need an endless stack, or endless time, is
// refused; long expressions and the deepest nesting allowed are not.
func TestCESQLDeepNesting(t *testing.T) {
	const deep = MaxCESQLNesting
	repeat := strings.Repeat
	for _, c := range []struct {
		name, expr string
		ok         bool
	}{
		{"brackets", repeat("(", deep) + "TRUE" + repeat(")", deep), true},
		{"more brackets", repeat("(", deep+1) + "TRUE" + repeat(")", deep+1), false},
		{"open brackets", repeat("(", MaxCESQL), false},
		{"closing brackets", repeat(")", MaxCESQL), false},
		{"functions", repeat("LOWER(", deep) + "'a'" + repeat(")", deep) + " = 'a'", true},
		{"open functions", repeat("LOWER(", MaxCESQL/6), false},
		{"not", repeat("NOT ", deep) + "TRUE", true},
		{"more not", repeat("NOT ", MaxCESQL/4-2) + "TRUE", false},
		{"minus", repeat("- ", MaxCESQL/2-8) + "1 = 1", false},
		{"not and brackets", repeat("NOT (", MaxCESQL/5), false},
		{"long chain", repeat("a = b OR ", MaxCESQL/9-1) + "TRUE", true},
		{"long list", "type IN ('x'" + repeat(",'abc'", MaxCESQL/6-8) + ")", true},
		{"garbage", repeat("a ", MaxCESQL/2), false},
		{"too long", repeat(" ", MaxCESQL) + "TRUE", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Compile(nil, []Spec{{CESQL: c.expr}})
			if (err == nil) != c.ok {
				t.Fatalf("Compile: %.200v", err)
			}
			if err == nil {
				_, _ = f.Match(eventE)
			}
		})
	}
}

// TestCESQLConcurrently: one compiled expression serves many goroutines, and
// expressions compile side by side.
func TestCESQLConcurrently(t *testing.T) {
	f := mustCompile(t, nil, Spec{CESQL: "knativebrokerttl < 30 AND type LIKE 'dev%'"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				check(t, f, eventE, true)
			}
			check(t, mustCompile(t, nil, Spec{CESQL: "EXISTS myextension OR source IN ('a', 'knativesource')"}), eventE, true)
		})
	}
	wg.Wait()
}
