package filter

import (
	"strconv"
	"strings"
	"time"

	cesql "github.com/cloudevents/sdk-go/sql/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// A program is a compiled CESQL expression in a form that costs no allocation. The
// SDK's evaluator boxes each value and copies extensions into a map; a Trigger
// evaluates its filter for every event of its Broker.
//
// A program never decides alone what an error is: what it cannot say (a failed
// cast, a division by zero) is unsure, and is then asked of the SDK. So both have
// to agree only where there is a value or a missing attribute, and tests and a fuzz
// target compare the two there.
type program interface {
	eval(e Event) (value, outcome)
}

// outcome of an evaluation.
type outcome uint8

const (
	sure    outcome = iota // the value counts
	missing                // an attribute is missing: no match (FI-13)
	unsure                 // an error: the SDK's evaluator says which
)

// value is one value of CESQL's three types, unboxed.
type value struct {
	kind   cesql.Type
	text   string
	number int32
	truth  bool
}

func textOf(s string) value  { return value{kind: cesql.StringType, text: s} }
func numberOf(n int32) value { return value{kind: cesql.IntegerType, number: n} }
func truthOf(b bool) value   { return value{kind: cesql.BooleanType, truth: b} }

// same compares two values of one type.
func (v *value) same(w *value) bool {
	switch v.kind {
	case cesql.IntegerType:
		return v.number == w.number
	case cesql.BooleanType:
		return v.truth == w.truth
	default:
		return v.text == w.text
	}
}

// boolean casts as the SDK does.
func (v value) boolean() (bool, outcome) {
	switch v.kind {
	case cesql.BooleanType:
		return v.truth, sure
	case cesql.IntegerType:
		return v.number != 0, sure
	default:
		switch {
		case strings.EqualFold(v.text, "true"):
			return true, foldsAlike(v.text)
		case strings.EqualFold(v.text, "false"):
			return false, foldsAlike(v.text)
		}
		return false, unsure
	}
}

// foldsAlike leaves letters outside ASCII that fold to one of ours to the SDK,
// which puts texts into lower case instead.
func foldsAlike(s string) outcome {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return unsure
		}
	}
	return sure
}

// integer casts as the SDK does.
func (v value) integer() (int32, outcome) {
	switch v.kind {
	case cesql.IntegerType:
		return v.number, sure
	case cesql.BooleanType:
		if v.truth {
			return 1, sure
		}
		return 0, sure
	default:
		if !plainInteger(v.text) { // ParseInt's errors cost allocations
			return 0, unsure
		}
		n, err := strconv.ParseInt(v.text, 10, 32)
		if err != nil {
			return 0, unsure
		}
		return int32(n), sure
	}
}

func plainInteger(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if s == "" || len(s) > 10 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// string casts as the SDK does. Small numbers cost nothing.
func (v value) string() string {
	switch v.kind {
	case cesql.IntegerType:
		return strconv.Itoa(int(v.number))
	case cesql.BooleanType:
		return strconv.FormatBool(v.truth)
	default:
		return v.text
	}
}

// as casts to the type of another value.
func (v value) as(kind cesql.Type) (value, outcome) {
	switch kind {
	case v.kind, cesql.AnyType:
		return v, sure
	case cesql.IntegerType:
		n, o := v.integer()
		return numberOf(n), o
	case cesql.BooleanType:
		b, o := v.boolean()
		return truthOf(b), o
	default:
		return textOf(v.string()), sure
	}
}

// literal is a constant.
type literal value

func (l literal) eval(Event) (value, outcome) { return value(l), sure }

// standardText is a standard attribute other than time; empty is missing.
type standardText struct{ attribute }

func (s standardText) eval(e Event) (value, outcome) {
	text, ok := s.get(e)
	if !ok {
		return value{}, missing
	}
	return textOf(text), sure
}

// standardTime is the time, written as the SDK would write it.
type standardTime struct{ attribute }

func (s standardTime) eval(e Event) (value, outcome) {
	text, _ := s.get(e)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.IsZero() {
		return value{}, missing
	}
	var buffer [len(time.RFC3339Nano)]byte
	if written := t.AppendFormat(buffer[:0], time.RFC3339Nano); string(written) != text {
		text = string(written)
	}
	return textOf(text), sure
}

// extensionText is an extension; on the wire each is a text.
type extensionText struct{ attribute }

func (x extensionText) eval(e Event) (value, outcome) {
	text, ok := extensionOf(x.attribute, e)
	if !ok {
		return value{}, missing
	}
	return textOf(text), sure
}

// exists is EXISTS; always is what every event has.
type exists struct {
	operand program
	always  bool
}

func (x exists) eval(e Event) (value, outcome) {
	if x.always {
		return truthOf(true), sure
	}
	_, o := x.operand.eval(e)
	return truthOf(o == sure), sure
}

// negation is NOT.
type negation struct{ operand program }

func (n negation) eval(e Event) (value, outcome) {
	b, o := truth(n.operand, e)
	return truthOf(!b), o
}

// truth evaluates to a boolean.
func truth(p program, e Event) (bool, outcome) {
	v, o := p.eval(e)
	if o != sure {
		return false, o
	}
	return v.boolean()
}

// logic is AND, OR, XOR; the first two leave out what cannot matter.
type logic struct {
	operator    operator
	left, right program
}

func (l logic) eval(e Event) (value, outcome) {
	left, o := truth(l.left, e)
	if o != sure || l.operator == opAnd && !left || l.operator == opOr && left {
		return truthOf(left), o
	}
	right, o := truth(l.right, e)
	if l.operator == opXor {
		right = left != right
	}
	return truthOf(right), o
}

// both evaluates two operands, the left one first.
func both(left, right program, e Event) (a, b value, o outcome) {
	if a, o = left.eval(e); o != sure {
		return a, b, o
	}
	b, o = right.eval(e)
	return a, b, o
}

// equality is = and <>: the left side is cast to the type of the right one.
type equality struct {
	left, right program
	equal       bool
}

func (q equality) eval(e Event) (value, outcome) {
	a, b, o := both(q.left, q.right, e)
	if o != sure {
		return value{}, o
	}
	if a.kind != b.kind {
		a, o = a.as(b.kind)
	}
	return truthOf(a.same(&b) == q.equal), o
}

// arithmetic is a comparison or computation of two integers.
type arithmetic struct {
	operator    operator
	left, right program
}

func (m arithmetic) eval(e Event) (value, outcome) {
	a, b, o := both(m.left, m.right, e)
	if o != sure {
		return value{}, o
	}
	x, o := a.integer()
	if o != sure {
		return value{}, o
	}
	y, o := b.integer()
	if o != sure {
		return value{}, o
	}
	return m.operator.of(x, y)
}

// negative is the minus before an operand.
type negative struct{ operand program }

func (n negative) eval(e Event) (value, outcome) {
	v, o := n.operand.eval(e)
	if o != sure {
		return value{}, o
	}
	number, o := v.integer()
	return numberOf(-number), o
}

// like is LIKE with its pattern.
type like struct {
	operand program
	pattern pattern
}

func (l like) eval(e Event) (value, outcome) {
	v, o := l.operand.eval(e)
	if o != sure {
		return value{}, o
	}
	return truthOf(l.pattern.matches(v.string())), sure
}

// in is IN: the members are cast to the type of the operand.
type in struct {
	operand program
	members []program
}

func (i in) eval(e Event) (value, outcome) {
	v, o := i.operand.eval(e)
	if o != sure {
		return value{}, o
	}
	for _, member := range i.members {
		m, o := member.eval(e)
		if o != sure {
			return value{}, o
		}
		if m.kind != v.kind {
			if m, o = m.as(v.kind); o != sure {
				return value{}, o
			}
		}
		if v.same(&m) {
			return truthOf(true), sure
		}
	}
	return truthOf(false), sure
}

// call is a function of the SDK. It is the one part that allocates: its arguments
// and its result are boxed.
type call struct {
	function  cesql.Function
	arguments []program
}

func (c call) eval(e Event) (value, outcome) {
	arguments := make([]any, len(c.arguments))
	for i, p := range c.arguments {
		v, o := p.eval(e)
		if o != sure {
			return value{}, o
		}
		kind := c.function.ArgType(i)
		if kind == nil {
			return value{}, unsure
		}
		if v, o = v.as(*kind); o != sure {
			return value{}, o
		}
		arguments[i] = v.boxed()
	}
	result, err := c.function.Run(cloudevents.Event{}, arguments)
	if err != nil {
		return value{}, unsure
	}
	switch r := result.(type) {
	case string:
		return textOf(r), sure
	case int32:
		return numberOf(r), sure
	case bool:
		return truthOf(r), sure
	}
	return value{}, unsure
}

// boxed is the value as the SDK's functions take it.
func (v value) boxed() any {
	switch v.kind {
	case cesql.IntegerType:
		return v.number
	case cesql.BooleanType:
		return v.truth
	default:
		return v.text
	}
}
