package filter

import (
	"errors"
	"fmt"

	cesql "github.com/cloudevents/sdk-go/sql/v2"
	sqlerrors "github.com/cloudevents/sdk-go/sql/v2/errors"
	"github.com/cloudevents/sdk-go/sql/v2/parser"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// The bounds of a CESQL expression. The parser recurses, and a stack that
// overflows takes the whole process with it: that is no panic one could recover.
// And it takes time in the square of the brackets that were left open.
const (
	MaxCESQL        = 64 << 10 // bytes
	MaxCESQLNesting = 250      // brackets in brackets, NOT and minus in a row
)

// ErrNotBoolean is returned when an expression of CloudEvents SQL can give
// something else than a boolean (FI-16): when it is compiled, and when it is
// evaluated and the outcome shows only then.
var ErrNotBoolean = errors.New("expression is not boolean")

// CheckCESQL says what is wrong with a CESQL expression: nil, ErrNotBoolean, or
// an error whose text starts with "parse error: ". It never panics.
func CheckCESQL(expr string) error {
	_, err := compileCESQL(expr)
	return err
}

// expression is a compiled CESQL expression.
type expression struct {
	text       string
	program    program          // decides, but for errors
	root       cesql.Expression // says what an error is
	extensions []attribute      // the names it asks for that are no standard attributes
}

// compileCESQL parses once. Three passes, because the SDK's parser prints what
// its lexer refuses to the standard error and goes on without it, and panics on
// many syntax errors: our own lexing and parsing finds the errors and the static
// type, the SDK's parser then builds the expression.
func compileCESQL(text string) (node, error) {
	switch {
	case text == "":
		return nil, errors.New("parse error: the expression is empty")
	case len(text) > MaxCESQL:
		return nil, fmt.Errorf("parse error: the expression is longer than %d bytes", MaxCESQL)
	}
	if err := lex(text); err != nil {
		return nil, err
	}
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	facts, err := inspect(text)
	if err != nil {
		return nil, err
	}
	if facts.result != cesql.BooleanType && facts.result != cesql.AnyType {
		return nil, ErrNotBoolean
	}
	return &expression{text: text, program: facts.program, root: root, extensions: facts.extensions}, nil
}

// parse runs the SDK's parser and turns its panics into errors (FI-22).
func parse(text string) (root cesql.Expression, err error) {
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, syntaxError(text)
		}
	}()
	if root, err = parser.Parse(text); err != nil {
		return nil, err
	}
	if root == nil {
		return nil, syntaxError(text)
	}
	return root, nil
}

// match evaluates the expression (FI-13). A missing attribute is an ordinary
// outcome: no match. Every other error and every panic is reported.
func (x *expression) match(e Event) (ok bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			ok, err = false, fmt.Errorf("cesql %q panicked: %v", x.text, r)
		}
	}()
	if x.program != nil {
		switch v, o := x.program.eval(e); {
		case o == missing:
			return false, nil
		case o == sure && v.kind == cesql.BooleanType:
			return v.truth, nil
		case o == sure && (v.text == "true" || v.text == "false"):
			// Only an extension alone gets here. On the wire every value is text: these
			// are the canonical forms of the two booleans (FI-5).
			return v.text == "true", nil
		}
	}
	return x.explain(e)
}

// explain evaluates with the SDK what the program cannot decide.
func (x *expression) explain(e Event) (bool, error) {
	result, err := x.root.Evaluate(cloudevents.Event{Context: &view{event: e, extensions: x.extensions}})
	if sqlerrors.IsMissingAttributeError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cesql %q: %w", x.text, err)
	}
	if v, ok := result.(bool); ok {
		return v, nil
	}
	return false, fmt.Errorf("cesql %q: %w: it gave %q", x.text, ErrNotBoolean, fmt.Sprint(result))
}
