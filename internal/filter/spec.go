package filter

// MaxNesting is how many all, any and not may stand around an element (FI-17).
const MaxNesting = 32

// The dialects, as they are written in a manifest.
const (
	DialectExact  = "exact"
	DialectPrefix = "prefix"
	DialectSuffix = "suffix"
	DialectAll    = "all"
	DialectAny    = "any"
	DialectNot    = "not"
	DialectCESQL  = "cesql"
)

// Spec is one element of spec.filters as a manifest gives it: exactly one
// dialect, or none at all at the top level (FI-14). It is plain data, not yet
// checked; the zero value matches every event.
type Spec struct {
	// Exact, Prefix and Suffix map an attribute name to the wanted text. Every
	// entry must match.
	Exact, Prefix, Suffix map[string]string
	// All and Any hold nested elements.
	All, Any []Spec
	// Not holds the negated element.
	Not *Spec
	// CESQL is an expression of CloudEvents SQL v1.
	CESQL string
	// Keys names every key the element was written with, known or not, so that
	// "cesql: ''", "not: null" and "all:" are told apart from their absence. A
	// Spec made in code may leave it nil: then a dialect is there when its field
	// is not nil (CESQL: not empty).
	Keys []string
}

// Dialects are the keys of the element: Keys when it is set, else the fields
// that are not nil, in the order of the constants.
func (s *Spec) Dialects() []string {
	if s.Keys != nil {
		return s.Keys
	}
	var keys []string
	for _, f := range [...]struct {
		name string
		set  bool
	}{
		{DialectExact, s.Exact != nil}, {DialectPrefix, s.Prefix != nil}, {DialectSuffix, s.Suffix != nil},
		{DialectAll, s.All != nil}, {DialectAny, s.Any != nil}, {DialectNot, s.Not != nil},
		{DialectCESQL, s.CESQL != ""},
	} {
		if f.set {
			keys = append(keys, f.name)
		}
	}
	return keys
}
