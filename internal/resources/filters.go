package resources

import (
	"regexp"
	"strconv"
	"sync"

	"kurier.dev/kurier/internal/filter"
)

var attributeName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// dialects are the keys that an element of spec.filters can have; it has one.
var dialects = []string{"exact", "prefix", "suffix", "all", "any", "not", "cesql"}

// attributeNames checks the names of a map of attributes (VA-12).
func (d *decoder) attributeNames(attributes field) {
	for name, f := range attributes.pairs() {
		if !attributeName.MatchString(name) {
			d.invalidKey(f, name, "Attribute name must start with a letter and can only contain lowercase alphanumeric")
		}
	}
}

// filters reads and checks spec.filters (VA-13 to VA-15, VA-27).
func (d *decoder) filters(f field) []filter.Spec {
	if f.len() == 0 {
		return nil
	}
	all := make([]filter.Spec, f.len())
	for i := range all {
		all[i] = d.filter(f.index(i), 0)
	}
	return all
}

// filter reads one element; depth is how many others stand around it. At the top
// level an empty element matches everything (FI-14).
func (d *decoder) filter(f field, depth int) (spec filter.Spec) {
	if depth > filter.MaxNesting {
		d.add(f.line, "filters are nested deeper than "+strconv.Itoa(filter.MaxNesting), "", f.path)
		return spec
	}
	var used []field
	for _, dialect := range dialects {
		if inner := f.at(dialect); inner.present() {
			used = append(used, inner)
		}
	}
	switch len(used) {
	case 0:
		if depth > 0 {
			d.add(f.line, "expected exactly one, got neither", "", f.path)
		}
		return spec
	case 1:
	default:
		d.add(f.line, "multiple dialects found, filters can have only one dialect set", "", f.path)
	}
	for _, inner := range used {
		d.dialect(&spec, f, inner, depth)
	}
	return spec
}

func (d *decoder) dialect(spec *filter.Spec, f, inner field, depth int) {
	switch inner.path[len(f.path)+1:] {
	case "exact":
		spec.Exact = d.matches(inner)
	case "prefix":
		spec.Prefix = d.matches(inner)
	case "suffix":
		spec.Suffix = d.matches(inner)
	case "all":
		spec.All = d.nested(inner, depth)
	case "any":
		spec.Any = d.nested(inner, depth)
	case "not":
		not := d.filter(inner, depth+1)
		spec.Not = &not
	case "cesql":
		spec.CESQL = inner.text()
		d.expression(inner)
	}
}

// matches reads what exact, prefix and suffix want: at least one attribute, each
// with a value (FI-15).
func (d *decoder) matches(f field) map[string]string {
	if f.isMap() && len(f.node.entries) == 0 {
		d.missing(f)
	}
	d.attributeNames(f)
	for _, value := range f.pairs() {
		if value.text() == "" {
			d.invalid(value, "", "")
		}
	}
	return f.texts()
}

func (d *decoder) nested(f field, depth int) []filter.Spec {
	if f.len() == 0 {
		d.missing(f)
		return nil
	}
	all := make([]filter.Spec, f.len())
	for i := range all {
		all[i] = d.filter(f.index(i), depth+1)
	}
	return all
}

func (d *decoder) expression(f field) {
	if f.text() == "" {
		d.invalid(f, "", "")
		return
	}
	if err := d.settings.expressions.check(f.text()); err != nil {
		d.invalid(f, f.text(), err.Error())
	}
}

// expressions remembers which expressions of CloudEvents SQL are good: checking
// one takes longer than reading the rest of its Trigger. Safe for concurrent use.
type expressions struct {
	mu      sync.Mutex
	checked map[string]error
}

func (e *expressions) check(text string) error {
	e.mu.Lock()
	err, known := e.checked[text]
	e.mu.Unlock()
	if known {
		return err
	}
	err = filter.CheckCESQL(text)
	e.mu.Lock()
	e.checked[text] = err
	e.mu.Unlock()
	return err
}

// bound forgets everything when there is more than most: what is asked again is
// checked again.
func (e *expressions) bound(most int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.checked) > most {
		clear(e.checked)
	}
}
