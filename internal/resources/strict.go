package resources

import (
	"fmt"
	"strings"
)

// check reports every field of f that s does not know and every value of
// another shape. ok is false when a map or a list stands where it cannot be
// read further, so that looking into it would only make noise.
func (s *schema) check(r *report, f field) (ok bool) { return s.checkIn(r, f, s) }

// checkIn is check for a part of root, the schema that suggestions come from.
func (s *schema) checkIn(r *report, f field, root *schema) bool {
	if !f.present() {
		return true
	}
	switch s.shape {
	case objectShape:
		return s.checkObject(r, f, root)
	case listShape:
		return s.checkList(r, f, root)
	case textMapShape, secretMapShape:
		return s.checkTextMap(r, f)
	case textShape, intShape, boolShape:
		return s.checkScalar(r, f)
	default:
		return true
	}
}

func (s *schema) checkObject(r *report, f field, root *schema) bool {
	if !f.isMap() {
		r.invalid(f, f.node.brief(), "expected a map of fields")
		return false
	}
	ok := true
	for _, e := range f.node.entries {
		inner := field{node: e.value, path: join(f.path, e.name), line: e.line}
		known := s.fields[e.name]
		if known == nil && s.elem != nil { // a map whose keys are data
			known, inner.path = s.elem, f.path+"["+e.name+"]"
		}
		if known == nil {
			r.add(e.line, "unknown field", s.suggest(f.path, e.name, root), inner.path)
			continue
		}
		ok = known.checkIn(r, inner, root) && ok
	}
	return ok
}

func (s *schema) checkList(r *report, f field, root *schema) bool {
	if f.node.kind != listNode {
		r.invalid(f, f.node.brief(), "expected a list")
		return false
	}
	ok := true
	for i := range f.node.items {
		item := f.index(i)
		if !item.present() {
			r.invalid(item, "null", "a list has no empty elements")
			ok = false
			continue
		}
		ok = s.elem.checkIn(r, item, root) && ok
	}
	return ok
}

func (s *schema) checkTextMap(r *report, f field) bool {
	if !f.isMap() {
		r.invalid(f, f.node.brief(), "expected a map of texts")
		return false
	}
	for _, value := range f.pairs() {
		if s.shape == secretMapShape {
			if value.node.kind != scalarNode || value.node.scalar != textScalar {
				r.invalid(value, "(hidden)", "expected a text, write it in quotes")
			}
			continue
		}
		textField.checkScalar(r, value)
	}
	return true
}

func (s *schema) checkScalar(r *report, f field) bool {
	n := f.node
	if n.kind != scalarNode {
		r.invalid(f, n.brief(), "expected "+s.shape.String())
		return false
	}
	switch s.shape {
	case textShape:
		if n.scalar != textScalar {
			r.invalid(f, n.text, fmt.Sprintf("expected a text, write it in quotes: %q", n.text))
		}
	case intShape:
		if _, ok := f.integer(); !ok {
			r.invalid(f, n.text, "expected a whole number")
		}
	case boolShape:
		if n.scalar != boolScalar {
			r.invalid(f, n.text, "expected true or false")
		}
	default:
	}
	return true
}

func (s shape) String() string {
	switch s {
	case textShape:
		return "a text"
	case intShape:
		return "a whole number"
	case boolShape:
		return "true or false"
	default:
		return "a value"
	}
}

// brief is how a problem shows a value.
func (n *node) brief() string {
	switch {
	case n == nil:
		return "null"
	case n.kind == mapNode && len(n.entries) == 0:
		return "{}"
	case n.kind == mapNode:
		return "{" + n.entries[0].name + ": ...}"
	case n.kind == listNode && len(n.items) == 0:
		return "[]"
	case n.kind == listNode:
		return "[...]"
	}
	return n.text
}

// suggest names the known field that an unknown one was probably meant to be:
// one of the same map that is spelled much alike, else one of the same name
// elsewhere in the manifest.
func (s *schema) suggest(path, name string, root *schema) string {
	if len(name) > 64 {
		return ""
	}
	best, distance := "", 1+max(1, len(name)/3)
	for known := range s.fields {
		d := editDistance(strings.ToLower(name), strings.ToLower(known))
		if d < distance || d == distance && best != "" && known < best {
			best, distance = known, d
		}
	}
	if best != "" {
		return "did you mean " + join(path, best) + "?"
	}
	if found := root.find(name, "", 0); found != "" {
		return "did you mean " + found + "?"
	}
	return ""
}

// find answers the shortest path, the first of the alphabet, of a field of that
// name, whatever its case.
func (s *schema) find(name, path string, depth int) string {
	if depth > 4 || s == nil {
		return ""
	}
	best := ""
	for known, inner := range s.fields {
		candidate := join(path, known)
		if !strings.EqualFold(known, name) {
			candidate = inner.find(name, candidate, depth+1)
		}
		if candidate != "" && (best == "" || closer(candidate, best)) {
			best = candidate
		}
	}
	return best
}

func closer(a, b string) bool {
	if n, m := strings.Count(a, "."), strings.Count(b, "."); n != m {
		return n < m
	}
	return a < b
}

// editDistance is how many letters must be changed, added or left out.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
