package event

import (
	"errors"
	"mime"
	"slices"
	"strings"
	"time"
)

// The versions of CloudEvents that are accepted; neither is ever turned into
// the other.
const (
	version1  = "1.0"
	version03 = "0.3"
)

// required are the attributes each event has, in the order errors name them.
var required = [...]string{SpecVersion, ID, Source, Type}

// Validate checks the event against CloudEvents 1.0 or 0.3, whichever its
// specversion says. The error is an *InvalidError. Sources and other URIs are
// checked leniently: characters that percent-decoding produces are accepted.
func (m *Message) Validate() error {
	if err := m.validate(); err != nil {
		return err
	}
	return nil
}

func (m *Message) validate() *InvalidError {
	var values [len(required)]*string
	for i := range m.Attributes {
		a := &m.Attributes[i]
		if place := slices.Index(required[:], a.Name); place >= 0 {
			values[place] = &a.Value
		}
	}
	var version string
	for i, value := range values {
		name := required[i]
		switch {
		case value == nil:
			return invalid(name, "", "is missing, every CloudEvent has one")
		case strings.TrimSpace(*value) == "":
			return invalid(name, "", "is empty, every CloudEvent has one")
		case name == SpecVersion:
			if version = *value; version != version1 && version != version03 {
				return invalid(name, version, "is not supported, want 1.0 or 0.3")
			}
		}
	}
	for i := range m.Attributes {
		if err := m.Attributes[i].validate(version); err != nil {
			return err
		}
	}
	return nil
}

func (a *Attribute) validate(version string) *InvalidError {
	reason := ""
	switch a.Name {
	case SpecVersion, ID, Type, BrokerTTL, ArrivalTime:
		return nil
	case Source:
		reason = checkReference(a.Value)
	case Time:
		if !isTimestamp(a.Value) {
			reason = "is not a time, want RFC 3339, for example 2020-03-21T12:34:56.78Z"
		}
	case Subject:
		if a.Value == "" {
			reason = "is empty, leave it out or give it a value"
		}
	case DataContentType:
		reason = checkMediaType(a.Value)
	case DataSchema:
		if version == version1 {
			reason = checkAbsolute(a.Value)
		}
	case SchemaURL:
		if version == version03 {
			reason = checkReference(a.Value)
		}
	default:
		if reason := checkName(a.Name); reason != "" {
			return invalid(a.Name, "", reason)
		}
		return nil
	}
	if reason == "" {
		return nil
	}
	return invalid(a.Name, a.Value, reason)
}

// checkName returns what is wrong with an attribute's name, or "".
func checkName(name string) string {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "is no attribute name, want letters a-z and digits only"
		}
	}
	switch name {
	case "":
		return "has an empty attribute name, want letters a-z and digits"
	case "data":
		return "is no attribute name, it is reserved for the event's data"
	}
	return ""
}

// checkReference returns what makes s no URI-reference (RFC 3986), or "".
// Spaces, "%" and non-ASCII characters are accepted: they are what decoding a
// header leaves of a correct reference.
func checkReference(s string) string {
	if _, ok := scheme(s); !ok {
		return "is not a URI-reference, for example /orders or https://example.com/orders"
	}
	return ""
}

func checkAbsolute(s string) string {
	if absolute, ok := scheme(s); !absolute || !ok {
		return "is not an absolute URI, for example https://example.com/schema"
	}
	return ""
}

// scheme tells whether s starts with a URI scheme. It reports !ok when s has
// control characters or a colon where only a scheme may end.
func scheme(s string) (absolute, ok bool) {
	inFirst := true
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c == 0x7f:
			return false, false
		case !inFirst:
		case c == '/' || c == '?' || c == '#':
			inFirst = false
		case c == ':':
			if !isScheme(s[:i]) {
				return false, false
			}
			absolute, inFirst = true, false
		}
	}
	return absolute, true
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		other := '0' <= s[i] && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return s != ""
}

const wantMediaType = "is not a media type, for example application/json; charset=utf-8"

// checkMediaType also keeps control characters out: the value is sent to
// subscribers as a header, unencoded.
func checkMediaType(s string) string {
	slash, simple := 0, true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' && c != '\t' || c == 0x7f:
			return wantMediaType
		case c == '/':
			slash++
		case !isToken(c):
			simple = false
		}
	}
	if simple && slash == 1 && s[0] != '/' && s[len(s)-1] != '/' {
		return ""
	}
	media, _, err := mime.ParseMediaType(s)
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		err = nil
	}
	if err != nil || !strings.Contains(media, "/") {
		return wantMediaType
	}
	return ""
}

// isToken tells whether c may be part of an RFC 9110 token.
func isToken(c byte) bool {
	if '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isTimestamp checks RFC 3339, which is more than Go's parser takes (lower-case
// t and z, leap seconds) and less (no one-digit hours, no decimal comma).
func isTimestamp(s string) bool {
	const layout = "dddd-dd-ddTdd:dd:dd"
	if len(s) < len(layout)+1 {
		return false
	}
	for i := range len(layout) {
		switch c := s[i]; layout[i] {
		case 'd':
			if c < '0' || c > '9' {
				return false
			}
		case 'T':
			if c != 'T' && c != 't' {
				return false
			}
		default:
			if c != layout[i] {
				return false
			}
		}
	}
	return isDate(s) && number(s[11:13]) < 24 && number(s[14:16]) < 60 && number(s[17:19]) <= 60 &&
		isZone(afterFraction(s[len(layout):]))
}

func isDate(s string) bool {
	year, month, day := number(s[:4]), number(s[5:7]), number(s[8:10])
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= 28 || day <= time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// afterFraction cuts ".ddd" off; a dot without digits stays, and is no zone.
func afterFraction(s string) string {
	if s[0] != '.' {
		return s
	}
	end := 1
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	if end == 1 {
		return s
	}
	return s[end:]
}

func isZone(s string) bool {
	if s == "Z" || s == "z" {
		return true
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return false
	}
	hours, minutes := number(s[1:3]), number(s[4:6])
	return 0 <= hours && hours < 24 && 0 <= minutes && minutes < 60
}

// number reads decimal digits; -1 when there is anything else.
func number(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}
