package filter

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sqlerrors "github.com/cloudevents/sdk-go/sql/v2/errors"
	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.yaml.in/yaml/v3"

	"kurier.dev/kurier/test/altered"
)

// tckCase is one case of the conformance tests of CloudEvents SQL.
type tckCase struct {
	Name           string
	Expression     string
	Result         any
	Error          string
	Event          map[string]any
	EventOverrides map[string]any `yaml:"eventOverrides"`
}

// tckCases is how many cases each file must have, so that none goes missing.
var tckCases = map[string]int{
	"binary_comparison_operators": 32, "binary_logical_operators": 16, "binary_math_operators": 18, "case_sensitivity": 7,
	"casting_functions": 21, "context_attributes_access": 8, "exists_expression": 7, "in_expression": 16,
	"integer_builtin_functions": 4, "like_expression": 37, "literals": 10, "negate_operator": 6, "not_operator": 6,
	"parse_errors": 1, "spec_examples": 13, "string_builtin_functions": 42, "sub_expression": 3,
	"subscriptions_api_recreations": 28,
}

// TestCESQLConformance runs the SDK's conformance files through our view of an
// event, in which every value is text.
func TestCESQLConformance(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cloudevents/sdk-go/sql/v2").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for name, want := range tckCases {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "test", "tck", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Tests []tckCase }
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		if len(file.Tests) != want {
			t.Errorf("%s has %d cases, want %d", name, len(file.Tests), want)
		}
		for _, c := range file.Tests {
			t.Run("TCK/"+name+"/"+c.Name, c.run)
		}
	}
}

func (c tckCase) run(t *testing.T) {
	e := fullEvent.with()
	if c.Event != nil {
		e = attrs{}
	}
	for _, m := range []map[string]any{c.Event, c.EventOverrides} {
		for k, v := range m {
			e[k] = text(v)
		}
	}
	if c.Error == "parse" {
		if _, err := parse(c.Expression); !strings.HasPrefix(fmt.Sprint(err), altered.Want("parse error")) {
			t.Errorf("%q gives %v, want a parse error", c.Expression, err)
		}
		return
	}
	root, err := parse(c.Expression)
	if err != nil {
		t.Fatalf("%q: %v", c.Expression, err)
	}
	f, err := inspect(c.Expression)
	if err != nil && c.Error != "missingFunction" {
		t.Fatalf("%q: %v", c.Expression, err)
	}
	got, err := root.Evaluate(cloudevents.Event{Context: &view{event: e, extensions: f.extensions}})
	if !isKind(err, c.Error) {
		t.Errorf("%q: error %v, want %q", c.Expression, err, c.Error)
	}
	// An extension alone keeps its text, whatever its type was: compare texts.
	if fmt.Sprint(got) != altered.Want(text(c.Result)) {
		t.Errorf("%q gives %v, want %v", c.Expression, got, c.Result)
	}
	agrees(t, c.Expression, e)
	if want, boolean := c.Result.(bool); boolean && c.Error == "" {
		check(t, mustCompile(t, nil, Spec{CESQL: c.Expression}), e, want)
	}
}

// text is the canonical form of a value that YAML may have typed.
func text(v any) string {
	if t, ok := v.(time.Time); ok {
		return t.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

func isKind(err error, kind string) bool {
	switch kind {
	case "":
		return err == nil
	case "math":
		return sqlerrors.IsMathError(err)
	case "cast":
		return sqlerrors.IsCastError(err)
	case "missingFunction":
		return sqlerrors.IsMissingFunctionError(err)
	case "functionEvaluation":
		return sqlerrors.IsFunctionEvaluationError(err)
	case "missingAttribute":
		return sqlerrors.IsMissingAttributeError(err)
	}
	return false
}
