package resources

import (
	"fmt"
	"regexp"
	"strings"
)

// key identifies an object whatever the version of its kind.
type key struct{ group, kind, namespace, name string }

func (k key) asRef() Ref { return Ref{Kind: k.kind, Namespace: k.namespace, Name: k.name} }

// manifest is one object: first as a document gives it, without a body, and
// then, in a copy, decoded. Neither is changed once it is made, so that Plans can
// share them.
type manifest struct {
	report
	key
	apiVersion  string
	root        field
	uid         string
	labels      map[string]string
	annotations map[string]string
	body        any // *broker, *trigger ...: what decode made of it
	generation  int64
	origin      *manifest // of a decoded one: what was decoded
	under       *settings // and the settings under which it was
	made        *manifest // whose doing this object is: it stands in no file, and problems are those of made
}

// author is the manifest that stands in a file: m itself, or what m was made of.
func (m *manifest) author() *manifest {
	if m.made != nil {
		return m.made
	}
	return m
}

// at answers a field of the manifest by its name at the top: spec, data.
func (m *manifest) at(name string) field { return m.root.at(name) }

// annotation answers an annotation as a field, for problems about it.
func (m *manifest) annotation(name string) field {
	return m.root.at("metadata").at("annotations").key(name)
}

func (m *manifest) place() string { return fmt.Sprintf("%s:%d", m.file, m.line) }

// batch is what was read of a set of files, or of a part of one.
type batch struct {
	manifests []*manifest
	problems  []Problem
}

// document adds the object, or the objects of the List, that a document holds.
func (b *batch) document(file string, d document, known kindTable, strict bool) {
	root := field{node: d.root, line: 1}
	if d.root != nil {
		root.line = d.root.line
	}
	m := &manifest{report: report{file: file, line: root.line}, root: root}
	if items := root.at("items"); items.len() > 0 && strings.HasSuffix(root.at("kind").text(), "List") {
		for i := range items.len() {
			var item document
			item, d.faults = d.item(items.index(i))
			b.document(file, item, known, strict)
		}
		m.faults(d.faults)
		b.problems = append(b.problems, m.problems...)
		return
	}
	m.faults(d.faults)
	if !b.object(m, known, strict) {
		b.problems = append(b.problems, m.problems...)
	}
}

// item is the document of one element of a List, and the faults that are not
// its own.
func (d document) item(at field) (item document, rest []fault) {
	item.root = at.node
	for _, f := range d.faults {
		if len(f.paths) == 1 && strings.HasPrefix(f.paths[0], at.path+".") {
			f.paths = []string{f.paths[0][len(at.path)+1:]}
			item.faults = append(item.faults, f)
		} else {
			rest = append(rest, f)
		}
	}
	return item, rest
}

func (m *manifest) faults(all []fault) {
	for _, f := range all {
		m.add(f.line, f.message, f.text(), f.paths...)
	}
}

// object keeps one object if its kind and name are known.
func (b *batch) object(m *manifest, known kindTable, strict bool) bool {
	if !m.root.isMap() {
		if m.root.present() {
			m.add(m.root.line, "not a manifest", "expected a map with apiVersion, kind and metadata")
		}
		return false
	}
	m.apiVersion, m.kind = m.root.at("apiVersion").text(), m.root.at("kind").text()
	group, version := splitVersion(m.apiVersion)
	m.group = group
	kind, ok := known.lookup(group, version, m.kind)
	if !ok {
		m.unknownKind(known, strict)
		return false
	}
	m.metadata()
	if !kind.schema.check(&m.report, m.root) {
		m.body = unreadable{}
	}
	if m.name != "" {
		b.manifests = append(b.manifests, m)
	}
	return m.name != ""
}

// unreadable is the body of a manifest whose shape is wrong: it was reported,
// and is not looked into.
type unreadable struct{}

func (m *manifest) unknownKind(known kindTable, strict bool) {
	apiVersion, kind := m.root.at("apiVersion"), m.root.at("kind")
	m.problems = nil
	switch {
	case !apiVersion.present() && !kind.present():
		m.add(m.line, "not a manifest", "it has neither apiVersion nor kind")
	case !apiVersion.present():
		m.missing(apiVersion)
		return
	case !kind.present():
		m.missing(kind)
		return
	default:
		m.add(apiVersion.line, fmt.Sprintf("unknown kind %s %s", m.apiVersion, m.kind), known.nearest(m.kind))
	}
	for i := range m.problems {
		m.problems[i].Warning = !strict
	}
}

func splitVersion(apiVersion string) (group, version string) {
	if i := strings.LastIndexByte(apiVersion, '/'); i >= 0 {
		return apiVersion[:i], apiVersion[i+1:]
	}
	return "", apiVersion
}

var (
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

// metadata reads the part that all kinds share and checks the names (MF-2,
// VA-25).
func (m *manifest) metadata() {
	meta := m.root.at("metadata")
	name, namespace := meta.at("name"), meta.at("namespace")
	m.name, m.namespace = name.text(), namespace.text()
	if m.namespace == "" {
		m.namespace = "default"
	}
	m.ref = m.asRef()
	m.uid = meta.at("uid").text()
	m.labels, m.annotations = meta.at("labels").texts(), meta.at("annotations").texts()
	switch {
	case m.name == "" && (!name.present() || name.node.kind == scalarNode):
		m.missing(name)
	case m.name != "" && (len(m.name) > 253 || !subdomain.MatchString(m.name)):
		m.invalid(name, m.name, "a name has lower case letters, digits, '-' and '.', 253 at most, and begins and ends with a letter or digit")
	}
	switch {
	case m.namespace == "channels" || m.namespace == "sinks":
		m.invalid(namespace, m.namespace, "reserved by the ingress path /"+m.namespace+"/")
	case len(m.namespace) > 63 || !label.MatchString(m.namespace):
		m.invalid(namespace, m.namespace, "a namespace has lower case letters, digits and '-', 63 at most, and begins and ends with a letter or digit")
	}
}
