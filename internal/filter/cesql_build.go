package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/antlr/antlr4/runtime/Go/antlr"
	"github.com/cloudevents/sdk-go/sql/v2/gen"
)

// build makes the program of a syntax tree; nil when something in it is not known
// here, and all is left to the SDK's evaluator.
func build(t antlr.Tree) program {
	switch c := t.(type) {
	case *gen.BooleanLiteralContext:
		return literal(truthOf(c.TRUE() != nil))
	case *gen.IntegerLiteralContext:
		n, err := strconv.ParseInt(c.GetText(), 10, 32)
		if err != nil {
			return nil
		}
		return literal(numberOf(int32(n)))
	case *gen.StringLiteralContext:
		return literal(textOf(unquoted(c)))
	case *gen.IdentifierContext:
		return buildIdentifier(c.GetText())
	case *gen.SubExpressionContext:
		return build(c.Expression())
	case *gen.UnaryLogicExpressionContext:
		return buildNegation(true, build(c.Expression()))
	case *gen.UnaryNumericExpressionContext:
		if operand := build(c.Expression()); operand != nil {
			return negative{operand}
		}
		return nil
	case *gen.ExistsExpressionContext:
		name := strings.ToLower(c.Identifier().GetText())
		always := slices.Contains([]string{"specversion", "id", "source", "type"}, name)
		return exists{operand: buildIdentifier(name), always: always}
	case *gen.LikeExpressionContext:
		return buildLike(c)
	case *gen.InExpressionContext:
		return buildIn(c)
	case *gen.FunctionInvocationExpressionContext:
		return buildCall(c)
	case *gen.CesqlContext, *gen.AtomExpressionContext, *gen.BooleanAtomContext, *gen.IntegerAtomContext,
		*gen.StringAtomContext, *gen.IdentifierAtomContext:
		return build(t.GetChild(0)) // a node that only wraps another one
	}
	return buildBinary(t)
}

// buildBinary builds what has two operands.
func buildBinary(t antlr.Tree) program {
	c, ok := t.(interface {
		Expression(i int) gen.IExpressionContext
	})
	if !ok {
		return nil
	}
	left, right := build(c.Expression(0)), build(c.Expression(1))
	if left == nil || right == nil {
		return nil
	}
	switch c := t.(type) {
	case *gen.BinaryLogicExpressionContext:
		return logic{pick(opXor, choice{c.AND(), opAnd}, choice{c.OR(), opOr}), left, right}
	case *gen.BinaryComparisonExpressionContext:
		if c.EQUAL() != nil || c.NOT_EQUAL() != nil || c.LESS_GREATER() != nil {
			return equality{left, right, c.EQUAL() != nil}
		}
		return arithmetic{pick(opGreaterOrEqual, choice{c.LESS(), opLess}, choice{c.LESS_OR_EQUAL(), opLessOrEqual},
			choice{c.GREATER(), opGreater}), left, right}
	case *gen.BinaryMultiplicativeExpressionContext:
		return arithmetic{pick(opDivide, choice{c.STAR(), opTimes}, choice{c.MODULE(), opModulo}), left, right}
	case *gen.BinaryAdditiveExpressionContext:
		return arithmetic{pick(opMinus, choice{c.PLUS(), opPlus}), left, right}
	}
	return nil
}

// choice is an operator and the token that stands for it, nil where it is not there.
type choice struct {
	token    antlr.TerminalNode
	operator operator
}

func pick(otherwise operator, choices ...choice) operator {
	for _, c := range choices {
		if c.token != nil {
			return c.operator
		}
	}
	return otherwise
}

func buildIdentifier(name string) program {
	name = strings.ToLower(name)
	switch {
	case !standard(name):
		return extensionText{newAttribute(name)}
	case name == "time":
		return standardTime{newAttribute(name)}
	}
	return standardText{newAttribute(name)}
}

func buildNegation(negated bool, operand program) program {
	if operand == nil || !negated {
		return operand
	}
	return negation{operand}
}

func buildLike(c *gen.LikeExpressionContext) program {
	operand := build(c.Expression())
	pattern, ok := c.StringLiteral().(*gen.StringLiteralContext)
	if operand == nil || !ok {
		return nil
	}
	return buildNegation(c.NOT() != nil, like{operand, newPattern(unquoted(pattern))})
}

func buildIn(c *gen.InExpressionContext) program {
	operand := build(c.Expression())
	set, ok := c.SetExpression().(*gen.SetExpressionContext)
	if operand == nil || !ok {
		return nil
	}
	members, ok := buildAll(set.AllExpression())
	if !ok {
		return nil
	}
	return buildNegation(c.NOT() != nil, in{operand, members})
}

func buildCall(c *gen.FunctionInvocationExpressionContext) program {
	parameters, ok := c.FunctionParameterList().(*gen.FunctionParameterListContext)
	f := function(c)
	if !ok || f == nil {
		return nil
	}
	arguments, ok := buildAll(parameters.AllExpression())
	if !ok {
		return nil
	}
	return call{f, arguments}
}

func buildAll(expressions []gen.IExpressionContext) (all []program, ok bool) {
	for _, expr := range expressions {
		p := build(expr)
		if p == nil {
			return nil, false
		}
		all = append(all, p)
	}
	return all, true
}

// unquoted is the text of a literal, in which its own quote may be escaped.
func unquoted(c *gen.StringLiteralContext) string {
	quoted := c.GetText()
	quote := quoted[:1]
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\`+quote, quote)
}
