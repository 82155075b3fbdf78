package filter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/antlr/antlr4/runtime/Go/antlr"
	cesql "github.com/cloudevents/sdk-go/sql/v2"
	"github.com/cloudevents/sdk-go/sql/v2/gen"
	cesqlparser "github.com/cloudevents/sdk-go/sql/v2/parser"
	"github.com/cloudevents/sdk-go/sql/v2/runtime"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
)

// facts are what can be known of an expression before it meets an event.
type facts struct {
	result     cesql.Type // AnyType: an extension alone
	extensions []attribute
	program    program
}

// listener collects the first error of a lexer or parser.
type listener struct {
	*antlr.DefaultErrorListener
	err error
}

// SyntaxError is called by the lexer and the parser.
func (l *listener) SyntaxError(_ antlr.Recognizer, _ any, line, column int, msg string, _ antlr.RecognitionException) {
	if l.err == nil {
		l.err = fmt.Errorf("parse error: syntax error: line %d, column %d: %s", line, column+1, msg)
	}
}

func newLexer(text string, l *listener) *gen.CESQLParserLexer {
	lexer := gen.NewCESQLParserLexer(cesqlparser.NewCaseChangingStream(antlr.NewInputStream(text), true))
	lexer.RemoveErrorListeners()
	lexer.AddErrorListener(l)
	return lexer
}

// lex finds characters that belong to no token, and nesting that is too deep.
func lex(text string) error {
	l := &listener{}
	brackets, signs := 0, 0
	for _, token := range newLexer(text, l).GetAllTokens() {
		switch token.GetTokenType() {
		case gen.CESQLParserLexerLR_BRACKET:
			brackets++
		case gen.CESQLParserLexerRR_BRACKET:
			brackets--
		case gen.CESQLParserLexerNOT, gen.CESQLParserLexerMINUS:
			signs++
		default:
			signs = 0
		}
		if brackets+signs > MaxCESQLNesting {
			return fmt.Errorf("parse error: line %d, column %d: nested deeper than %d",
				token.GetLine(), token.GetColumn()+1, MaxCESQLNesting)
		}
	}
	return l.err
}

// tree parses with listeners of our own: nothing is printed.
func tree(text string) (antlr.ParseTree, error) {
	l := &listener{}
	p := gen.NewCESQLParserParser(antlr.NewCommonTokenStream(newLexer(text, l), antlr.TokenDefaultChannel))
	p.RemoveErrorListeners()
	p.AddErrorListener(l)
	return p.Cesql(), l.err
}

// syntaxError says where an expression breaks that made the SDK's parser panic.
func syntaxError(text string) (err error) {
	const unknown = "parse error: syntax error"
	defer func() {
		if r := recover(); r != nil {
			err = errors.New(unknown)
		}
	}()
	if _, err = tree(text); err == nil {
		err = errors.New(unknown)
	}
	return err
}

// inspect finds the static type and the names of an expression that has parsed.
func inspect(text string) (f facts, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("parse error: syntax error")
		}
	}()
	t, err := tree(text)
	if err != nil {
		return facts{}, err
	}
	seen := map[string]bool{}
	if err := walk(t, func(name string) {
		if !seen[name] {
			seen[name] = true
			f.extensions = append(f.extensions, newAttribute(name))
		}
	}); err != nil {
		return facts{}, err
	}
	f.result, f.program = typeOf(t), build(t)
	return f, nil
}

// walk visits every identifier that is an extension, and every function.
func walk(t antlr.Tree, extension func(name string)) error {
	switch c := t.(type) {
	case *gen.IdentifierContext:
		if name := strings.ToLower(c.GetText()); !standard(name) {
			extension(name)
		}
		return nil
	case *gen.FunctionInvocationExpressionContext:
		if function(c) == nil {
			return fmt.Errorf("parse error: there is no function %s with %d arguments",
				strings.ToUpper(c.FunctionIdentifier().GetText()), arguments(c))
		}
	}
	for _, child := range t.GetChildren() {
		if err := walk(child, extension); err != nil {
			return err
		}
	}
	return nil
}

func standard(name string) bool { return spec.V1.Attribute(name) != nil }

func arguments(c *gen.FunctionInvocationExpressionContext) int {
	return len(c.FunctionParameterList().(*gen.FunctionParameterListContext).AllExpression())
}

func function(c *gen.FunctionInvocationExpressionContext) cesql.Function {
	return runtime.ResolveFunction(strings.ToUpper(c.FunctionIdentifier().GetText()), arguments(c))
}

// typeOf is the static type of an expression. Standard attributes are strings;
// of an extension the type is not known.
func typeOf(t antlr.Tree) cesql.Type {
	switch c := t.(type) {
	case *gen.UnaryLogicExpressionContext, *gen.LikeExpressionContext, *gen.ExistsExpressionContext,
		*gen.InExpressionContext, *gen.BinaryComparisonExpressionContext, *gen.BinaryLogicExpressionContext,
		*gen.BooleanLiteralContext:
		return cesql.BooleanType
	case *gen.UnaryNumericExpressionContext, *gen.BinaryMultiplicativeExpressionContext,
		*gen.BinaryAdditiveExpressionContext, *gen.IntegerLiteralContext:
		return cesql.IntegerType
	case *gen.StringLiteralContext:
		return cesql.StringType
	case *gen.IdentifierContext:
		if standard(strings.ToLower(c.GetText())) {
			return cesql.StringType
		}
		return cesql.AnyType
	case *gen.FunctionInvocationExpressionContext:
		return function(c).ReturnType()
	case *gen.SubExpressionContext:
		return typeOf(c.Expression())
	}
	return typeOf(t.GetChild(0)) // a node that only wraps another one
}
