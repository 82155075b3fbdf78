package filter

import (
	"strings"
	"unicode/utf8"
)

// operator of two operands.
type operator uint8

const (
	opAnd operator = iota
	opOr
	opXor
	opLess
	opLessOrEqual
	opGreater
	opGreaterOrEqual
	opPlus
	opMinus
	opTimes
	opDivide
	opModulo
)

// of applies the operator to two integers. A division by zero is the SDK's to
// explain.
func (o operator) of(x, y int32) (value, outcome) {
	switch o {
	case opLess:
		return truthOf(x < y), sure
	case opLessOrEqual:
		return truthOf(x <= y), sure
	case opGreater:
		return truthOf(x > y), sure
	case opGreaterOrEqual:
		return truthOf(x >= y), sure
	case opPlus:
		return numberOf(x + y), sure
	case opMinus:
		return numberOf(x - y), sure
	case opTimes:
		return numberOf(x * y), sure
	case opDivide:
		if y != 0 {
			return numberOf(x / y), sure
		}
	case opModulo:
		if y != 0 {
			return numberOf(x % y), sure
		}
	default:
	}
	return value{}, unsure
}

// pattern is what LIKE compares with: the texts between its wildcards.
type pattern []mark

// mark is one element of a pattern: a rune as it is, or a wildcard.
type mark struct {
	char rune
	wild wildcard
}

type wildcard uint8

const (
	noWildcard wildcard = iota
	oneRune             // _
	anyRunes            // %
)

// newPattern reads a pattern: % stands for any characters, _ for one, and a
// backslash before them takes that meaning away.
func newPattern(text string) pattern {
	var p pattern
	for text != "" {
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch {
		case char == '%' && len(p) > 0 && p[len(p)-1].wild == anyRunes: // the same as one
		case char == '%':
			p = append(p, mark{wild: anyRunes})
		case char == '_':
			p = append(p, mark{wild: oneRune})
		case char == '\\' && (strings.HasPrefix(text, "%") || strings.HasPrefix(text, "_")):
			p = append(p, mark{char: rune(text[0])})
			text = text[1:]
		default:
			p = append(p, mark{char: char})
		}
	}
	return p
}

// matches tells whether a text fits. It goes back to the last % alone, so that it
// takes at most the product of both lengths.
//
// The SDK's own matcher differs in three points, in which this one follows the
// specification: a % that meets a % in the text is still a wildcard, "_" stands for
// a character, not for a byte, and an escaped wildcard does not match a backslash.
func (p pattern) matches(text string) bool {
	if len(p) == 0 {
		return text == ""
	}
	at, behind, again := 0, -1, "" // in p; behind its last %, and the text from where that is tried again
	for text != "" {
		char, size := rune(text[0]), 1
		if char >= utf8.RuneSelf {
			char, size = utf8.DecodeRuneInString(text)
		}
		switch {
		case at < len(p) && p[at].wild == anyRunes:
			at++
			behind, again = at, text
		case at < len(p) && (p[at].wild == oneRune || p[at].char == char):
			at++
			text = text[size:]
		case behind == len(p): // a % at the end takes the rest
			return true
		case behind >= 0:
			_, size := utf8.DecodeRuneInString(again)
			again = again[size:]
			at, text = behind, again
		default:
			return false
		}
	}
	return at == len(p) || at == len(p)-1 && p[at].wild == anyRunes
}
