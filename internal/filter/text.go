package filter

import (
	"strings"
	"time"
)

// exact compares the whole value, byte by byte.
type exact struct {
	attribute
	want string
}

func newExact(name, want string) node {
	a := newAttribute(name)
	switch a.kind {
	case kindTime:
		if t, err := time.Parse(time.RFC3339Nano, want); err == nil {
			return instant{a, t}
		}
	case kindMediaType:
		return mediaType{a, want, equalFold}
	default:
	}
	return exact{a, want}
}

func (x exact) match(e Event) (bool, error) {
	value, ok := x.get(e)
	return ok && value == x.want, nil
}

// instant compares points in time, however they are written (FI-5).
type instant struct {
	attribute
	want time.Time
}

func (x instant) match(e Event) (bool, error) {
	value, ok := x.get(e)
	if !ok {
		return false, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	return err == nil && t.Equal(x.want), nil
}

// part compares the start or the end of the value.
type part struct {
	attribute
	want string
	has  func(s, part string) bool
}

func newPrefix(name, want string) node { return newPart(name, want, strings.HasPrefix, prefixFold) }
func newSuffix(name, want string) node { return newPart(name, want, strings.HasSuffix, suffixFold) }

func newPart(name, want string, has, hasFold func(s, part string) bool) node {
	a := newAttribute(name)
	switch a.kind {
	case kindTime:
		return timePart{part{a, want, has}}
	case kindMediaType:
		return mediaType{a, want, hasFold}
	default:
		return part{a, want, has}
	}
}

func (x part) match(e Event) (bool, error) {
	value, ok := x.get(e)
	return ok && x.has(value, x.want), nil
}

// timePart compares a part of the time's canonical form, RFC 3339 in UTC (FI-5).
type timePart struct{ part }

func (x timePart) match(e Event) (bool, error) {
	value, ok := x.get(e)
	if !ok {
		return false, nil
	}
	return x.has(canonicalTime(value), x.want), nil
}

// canonicalTime writes a timestamp in UTC. It gives back the same string, and
// costs nothing, when the value is written so already, or is no timestamp.
func canonicalTime(value string) string {
	if strings.HasSuffix(value, "Z") {
		return value
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		return value
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// mediaType compares datamediatype, whose canonical form is in lower case.
type mediaType struct {
	attribute
	want string
	has  func(s, part string) bool // lowers s, not part
}

func (x mediaType) match(e Event) (bool, error) {
	value, ok := x.get(e)
	return ok && x.has(value, x.want), nil
}

// equalFold reports whether s in lower case is want. It does not allocate.
func equalFold(s, want string) bool { return len(s) == len(want) && prefixFold(s, want) }

func suffixFold(s, want string) bool {
	return len(s) >= len(want) && prefixFold(s[len(s)-len(want):], want)
}

func prefixFold(s, want string) bool {
	if len(s) < len(want) {
		return false
	}
	for i := range len(want) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// present is true when the attribute is set and not empty.
type present struct{ attribute }

func (x present) match(e Event) (bool, error) {
	_, ok := x.get(e)
	return ok, nil
}
