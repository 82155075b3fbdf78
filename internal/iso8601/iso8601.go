// Package iso8601 reads and writes the durations of manifests and environment
// variables (DL-9).
//
// It knows durations only: no dates, no intervals, no negative values and no
// calendar. A year is 31556952 s and a month 2629746 s, whatever the date.
//
// The parser is our own because no library that we can have is exact enough:
// github.com/sosodev/duration counts in float64 (PT9223372036.854775807S turns
// negative), takes a year as 365 days, and accepts "P", "P1YT", "PT1S1M" and
// negative values, but neither "P0" nor a decimal comma.
package iso8601

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Hint is the advice that every error of Parse about a Go-style duration such
// as "30s" contains.
const Hint = "use ISO 8601, for example PT30S"

// Error says why a text is not a duration. Returned by Parse, always as *Error.
type Error struct {
	Input  string // the text as given
	Reason string // what is wrong with it, for a human
}

// Error is one sentence that quotes the input.
func (e *Error) Error() string {
	return fmt.Sprintf("%q is not a valid duration: %s", e.Input, e.Reason)
}

// component is one designator of the grammar, in the order it must appear.
type component struct {
	letter byte
	unit   time.Duration
	time   bool // stands behind the T
}

const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 2629746 * time.Second
	year  = 31556952 * time.Second
)

var components = [...]component{
	{'Y', year, false},
	{'M', month, false},
	{'W', week, false},
	{'D', day, false},
	{'H', time.Hour, true},
	{'M', time.Minute, true},
	{'S', time.Second, true},
}

// Parse reads a duration of the grammar
//
//	[+]P[nY][nM][nW][nD][T[nH][nM][nS]]   or   [+]P0
//
// in upper case. n is a row of digits; that of the last component may have a
// fraction behind "." or ",". The result is exact to the nanosecond; what lies
// below a nanosecond is cut off. Negative and empty durations and those beyond
// 2^63-1 ns are errors (DL-9). The error is an *Error; for a Go-style duration
// such as "30s" it contains Hint.
func Parse(s string) (time.Duration, error) {
	rest := strings.TrimPrefix(s, "+")
	if rest == "P0" {
		return 0, nil
	}
	p := parser{}
	if reason := p.parse(rest); reason != "" {
		return 0, &Error{Input: s, Reason: explain(s, reason)}
	}
	if !p.total.IsInt64() {
		return 0, &Error{Input: s, Reason: "it is longer than 2^63-1 ns (about 292 years)"}
	}
	return time.Duration(p.total.Int64()), nil
}

// explain turns the reason of a grammar error into advice where the input shows
// what its author had in mind.
func explain(s, reason string) string {
	if d, err := time.ParseDuration(s); err == nil {
		if d > 0 {
			return fmt.Sprintf("%s (%s is %s)", Hint, s, Format(d))
		}
		return Hint
	}
	switch {
	case s == "":
		return "it is empty, " + Hint
	case strings.Contains(s, "-") && strings.ContainsAny(s, "Pp"):
		return "negative durations are not allowed"
	case s != strings.ToUpper(s):
		if _, err := Parse(strings.ToUpper(s)); err == nil {
			return "it must be in upper case: " + strings.ToUpper(s)
		}
	}
	return reason + ", " + Hint
}

// parser walks over the components of one duration.
type parser struct {
	total big.Int // nanoseconds so far
	next  int     // index of the first component that may still come
	inT   bool    // the T was seen
	done  bool    // a fraction was seen: nothing may follow
}

// parse reads the whole text. The result is empty, or says what is wrong.
func (p *parser) parse(s string) string {
	rest, ok := strings.CutPrefix(s, "P")
	if !ok {
		return "it must start with P"
	}
	if rest == "" {
		return "a component such as 1D or T1S is missing"
	}
	for rest != "" {
		if rest[0] == 'T' {
			if p.inT {
				return "T stands twice"
			}
			p.inT, rest = true, rest[1:]
			if rest == "" {
				return "a component such as 1S is missing behind T"
			}
			continue
		}
		var reason string
		if rest, reason = p.component(rest); reason != "" {
			return reason
		}
	}
	return ""
}

// component reads one number with its letter and adds it to the total.
func (p *parser) component(s string) (rest, reason string) {
	if p.done {
		return "", "only the last component may have a fraction"
	}
	whole, rest := digits(s)
	if whole == "" {
		return "", fmt.Sprintf("a digit is expected at %q", s)
	}
	var fraction string
	if rest != "" && (rest[0] == '.' || rest[0] == ',') {
		if fraction, rest = digits(rest[1:]); fraction == "" {
			return "", "digits are missing behind the decimal sign"
		}
		p.done = true
	}
	if rest == "" {
		return "", "the last number has no unit"
	}
	c, ok := p.find(rest[0])
	if !ok {
		return "", fmt.Sprintf("%q is not expected at %q", rest[:1], s)
	}
	p.add(whole, fraction, c.unit)
	return rest[1:], ""
}

// find takes the component with this letter among those that may still come.
func (p *parser) find(letter byte) (component, bool) {
	for i := p.next; i < len(components); i++ {
		c := components[i]
		if c.letter == letter && c.time == p.inT {
			p.next = i + 1
			return c, true
		}
	}
	return component{}, false
}

// add counts whole.fraction units, cut off below the nanosecond.
func (p *parser) add(whole, fraction string, unit time.Duration) {
	var n, scale big.Int
	n.SetString(whole+fraction, 10)
	n.Mul(&n, big.NewInt(int64(unit)))
	if fraction != "" {
		scale.Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil)
		n.Quo(&n, &scale)
	}
	p.total.Add(&p.total, &n)
}

// digits splits off the leading ASCII digits.
func digits(s string) (head, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// Format writes a duration in hours, minutes and seconds, so that Parse gives
// back exactly d: 90 s is "PT1M30S", 0 is "PT0S". A negative d, which Parse
// never returns, gets a leading minus that Parse refuses.
func Format(d time.Duration) string {
	if d == math.MinInt64 {
		return "-PT2562047H47M16.854775808S"
	}
	if d < 0 {
		return "-" + Format(-d)
	}
	if d == 0 {
		return "PT0S"
	}
	b := []byte("PT")
	if h := d / time.Hour; h > 0 {
		b = fmt.Appendf(b, "%dH", h)
	}
	if m := d % time.Hour / time.Minute; m > 0 {
		b = fmt.Appendf(b, "%dM", m)
	}
	if s := d % time.Minute; s > 0 {
		b = fmt.Appendf(b, "%d", s/time.Second)
		if ns := s % time.Second; ns > 0 {
			b = append(b, strings.TrimRight(fmt.Sprintf(".%09d", ns), "0")...)
		}
		b = append(b, 'S')
	}
	return string(b)
}
