package resources

import (
	"iter"
	"slices"
	"strconv"
)

// nodeKind is the shape of a node.
type nodeKind int

const (
	scalarNode nodeKind = iota
	mapNode
	listNode
)

// scalarType is what a scalar was written as.
type scalarType int

const (
	textScalar scalarType = iota
	intScalar
	floatScalar
	boolScalar
)

// node is one value of a document with the line it stands on, whether it came
// from YAML or JSON. A null is no node at all: a key without a value reads as an
// absent key, as it does in Kubernetes. Nodes are never changed after reading.
type node struct {
	kind    nodeKind
	scalar  scalarType
	block   bool // a block scalar: its text begins on the next line
	line    int
	text    string
	entries []entry
	items   []*node // nil stands for null
}

// entry is one key of a map; value is nil for null.
type entry struct {
	name  string
	line  int
	value *node
}

// field is a place in a document: the node there, if any, its path as problems
// print it, and the line that a problem about it names (its key's, or that of
// the nearest place above that exists).
type field struct {
	node *node
	path string
	line int
}

func (f field) present() bool { return f.node != nil }
func (f field) isMap() bool   { return f.node != nil && f.node.kind == mapNode }

// at answers the field of a map by its name.
func (f field) at(name string) field {
	path := name
	if f.path != "" {
		path = f.path + "." + name
	}
	return f.lookup(name, path)
}

// key answers the entry of a map whose keys are data, not names of fields.
func (f field) key(name string) field { return f.lookup(name, f.path+"["+name+"]") }

func (f field) lookup(name, path string) field {
	if f.isMap() {
		for _, e := range f.node.entries {
			if e.name == name {
				return field{node: e.value, path: path, line: e.line}
			}
		}
	}
	return field{path: path, line: f.line}
}

// index answers an element of a list.
func (f field) index(i int) field {
	item := field{node: f.node.items[i], path: f.path + "[" + strconv.Itoa(i) + "]", line: f.line}
	if item.node != nil {
		item.line = item.node.line
	}
	return item
}

// pairs walks the entries of a map whose keys are data, in the order of the
// document and without those that are null.
func (f field) pairs() iter.Seq2[string, field] {
	return func(yield func(string, field) bool) {
		if !f.isMap() {
			return
		}
		for _, e := range f.node.entries {
			if e.value == nil {
				continue
			}
			if !yield(e.name, field{node: e.value, path: f.path + "[" + e.name + "]", line: e.line}) {
				return
			}
		}
	}
}

// len is the number of elements of a list, 0 for anything else.
func (f field) len() int {
	if f.node == nil || f.node.kind != listNode {
		return 0
	}
	return len(f.node.items)
}

// text is the text of a scalar, empty for anything else.
func (f field) text() string {
	if f.node == nil || f.node.kind != scalarNode {
		return ""
	}
	return f.node.text
}

// integer is the value of an integer scalar; ok is false for anything else.
func (f field) integer() (value int64, ok bool) {
	if f.node == nil || f.node.kind != scalarNode || f.node.scalar != intScalar {
		return 0, false
	}
	value, err := strconv.ParseInt(f.node.text, 0, 64)
	return value, err == nil
}

// texts is a map of scalars as Go's map; nil when there is none.
func (f field) texts() map[string]string {
	if !f.isMap() || len(f.node.entries) == 0 {
		return nil
	}
	all := make(map[string]string, len(f.node.entries))
	for _, e := range f.node.entries {
		if e.value != nil && e.value.kind == scalarNode {
			all[e.name] = e.value.text
		}
	}
	return all
}

// value is the node as encoding/json would decode it, whole numbers as int64.
func (n *node) value() any {
	if n == nil {
		return nil
	}
	switch n.kind {
	case mapNode:
		all := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			all[e.name] = e.value.value()
		}
		return all
	case listNode:
		all := make([]any, len(n.items))
		for i, item := range n.items {
			all[i] = item.value()
		}
		return all
	default:
		return n.scalarValue()
	}
}

func (n *node) scalarValue() any {
	switch n.scalar {
	case intScalar:
		if value, err := strconv.ParseInt(n.text, 0, 64); err == nil {
			return value
		}
	case floatScalar:
		if value, err := strconv.ParseFloat(n.text, 64); err == nil {
			return value
		}
	case boolScalar:
		if value, err := strconv.ParseBool(n.text); err == nil {
			return value
		}
	default:
	}
	return n.text
}

// same tells whether two nodes mean the same: lines and the order of keys do
// not matter, a null is as good as an absent key.
func (n *node) same(other *node) bool {
	if n == nil || other == nil {
		return n == other
	}
	if n.kind != other.kind {
		return false
	}
	switch n.kind {
	case scalarNode:
		return n.scalar == other.scalar && n.text == other.text
	case listNode:
		return sameItems(n.items, other.items)
	default:
	}
	a, b := n.index(), other.index()
	if len(a) != len(b) {
		return false
	}
	for name, value := range a {
		if there, ok := b[name]; !ok || !value.same(there) {
			return false
		}
	}
	return true
}

// index is a map's entries that are not null.
func (n *node) index() map[string]*node {
	all := make(map[string]*node, len(n.entries))
	for _, e := range n.entries {
		if e.value != nil {
			all[e.name] = e.value
		}
	}
	return all
}

func sameItems(a, b []*node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].same(b[i]) {
			return false
		}
	}
	return true
}

// clone is a copy that shares nothing but texts.
func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	c := *n
	c.entries, c.items = slices.Clone(n.entries), slices.Clone(n.items)
	for i := range c.entries {
		c.entries[i].value = c.entries[i].value.clone()
	}
	for i, item := range c.items {
		c.items[i] = item.clone()
	}
	return &c
}

// shift moves a node and all in it down by some lines.
func (n *node) shift(lines int) {
	if n == nil {
		return
	}
	n.line += lines
	for i := range n.entries {
		n.entries[i].line += lines
		n.entries[i].value.shift(lines)
	}
	for _, item := range n.items {
		item.shift(lines)
	}
}
