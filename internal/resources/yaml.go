package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
)

// maxAliased bounds how many nodes the aliases of one file may stand for, so
// that a few lines cannot ask for gigabytes.
const maxAliased = 100_000

// document is one value of a file and what is wrong with its form.
type document struct {
	root   *node // nil: empty, or not readable
	faults []fault
}

// fault is what is wrong with a document before anything is known of it.
type fault struct {
	line    int
	message string
	details string
	paths   []string
	first   int // of a duplicate: the line of the first; 0 else
}

// shift moves a fault down by some lines.
func (f *fault) shift(lines int) {
	f.line += lines
	if f.first > 0 {
		f.first += lines
	}
}

// text is the details, with what depends on the place.
func (f *fault) text() string {
	if f.first > 0 {
		return fmt.Sprintf("first on line %d", f.first)
	}
	return f.details
}

// segmentSize is how much YAML one goroutine takes at a time.
const segmentSize = 256 << 10

// parsed is what a part of a file was read as.
type parsed struct {
	documents []document
	broken    []fault
	aliased   bool // aliases were followed
}

// parseYAML reads every document of a text. A broken document does not hide
// those around it.
func parseYAML(data []byte) (documents []document, broken []fault) {
	for _, part := range parseAll(segments(data, 1)) {
		documents, broken = append(documents, part.documents...), append(broken, part.broken...)
	}
	return documents, broken
}

// segment is a part of a file that holds whole documents.
type segment struct {
	data   []byte
	at     int // where it begins
	before int // lines of the file before it
}

// segments cuts data before lines that begin a document, into parts of at least
// size bytes that hold more than comments. Such a line cannot stand inside a
// document, and what anchors name ends with it. A file with directives or
// explicit ends is left whole.
func segments(data []byte, size int) []segment {
	whole := []segment{{data: data}}
	var parts []segment
	start, before, line, content := 0, 0, 0, false
	for at := 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := data[at:end]
		switch {
		case text[0] == '%' || bytes.HasPrefix(text, []byte("...")):
			return whole
		case content && at-start >= size && begins(text):
			parts = append(parts, segment{data[start:at], start, before})
			start, before = at, line
		default:
			content = content || !comment(text)
		}
		at = end
	}
	return append(parts, segment{data[start:], start, before})
}

// begins tells whether a line begins a document.
func begins(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

// comment tells whether a line says nothing.
func comment(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || text[0] == '#'
}

// parseAll reads parts of one file, each for itself, as many at once as there
// are processors.
func parseAll(parts []segment) []parsed {
	results := make([]parsed, len(parts))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(parts); {
		to, size := from+1, len(parts[from].data)
		for to < len(parts) && size < segmentSize && parts[to].at == parts[to-1].at+len(parts[to-1].data) {
			size += len(parts[to].data)
			to++
		}
		run, into := parts[from:to], results[from:to]
		group.Go(func() error {
			parseRun(run, into)
			return nil
		})
		from = to
	}
	_ = group.Wait() // no part fails
	return results
}

// parseRun reads parts that follow one another in one go; when that does not
// find one document in each, each by itself.
func parseRun(run []segment, into []parsed) {
	first, last := run[0], run[len(run)-1]
	all := first.data[: last.at+len(last.data)-first.at : last.at+len(last.data)-first.at]
	documents, failed, aliased := parseStream(all)
	if failed == nil && len(documents) == len(run) && len(run) > 1 {
		place(documents, first.before)
		for i := range documents {
			into[i] = parsed{documents: documents[i : i+1 : i+1], aliased: aliased}
		}
		return
	}
	for i, part := range run {
		if len(run) > 1 {
			documents, failed, aliased = parseStream(part.data)
		}
		place(documents, part.before)
		into[i] = parsed{documents: documents, aliased: aliased}
		if failed != nil {
			failed.shift(part.before)
			into[i].broken = []fault{*failed}
		}
	}
}

// place counts lines from the beginning of the file.
func place(documents []document, before int) {
	if before == 0 {
		return
	}
	for _, d := range documents {
		d.root.shift(before)
		for i := range d.faults {
			d.faults[i].shift(before)
		}
	}
}

// moved is the same part some lines further down.
func (p parsed) moved(lines int) parsed {
	next := parsed{documents: make([]document, len(p.documents)), broken: slices.Clone(p.broken)}
	for i, d := range p.documents {
		next.documents[i] = document{root: d.root.clone(), faults: slices.Clone(d.faults)}
	}
	place(next.documents, lines)
	for i := range next.broken {
		next.broken[i].shift(lines)
	}
	return next
}

// parseStream reads documents one after the other, up to a broken one; aliased
// tells that it followed aliases.
func parseStream(data []byte) (documents []document, broken *fault, aliased bool) {
	line := 1
	defer func() {
		if r := recover(); r != nil { // the parser's own bugs end with the file
			broken = &fault{line: line, message: "broken YAML", details: fmt.Sprint(r)}
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	budget := maxAliased
	for {
		var parsed yaml.Node
		err := decoder.Decode(&parsed)
		if errors.Is(err, io.EOF) {
			return documents, nil, budget < maxAliased
		}
		if err != nil {
			return documents, yamlFault(err, line), budget < maxAliased
		}
		line = max(parsed.Line, 1)
		reader := yamlReader{budget: &budget}
		root := reader.read(&parsed, "")
		documents = append(documents, document{root: root, faults: reader.faults})
	}
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// yamlFault words an error of the parser, which puts the line into its text.
func yamlFault(err error, line int) *fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if match := yamlLine.FindStringSubmatch(text); match != nil {
		if n, err := strconv.Atoi(match[1]); err == nil && n > 0 {
			line = n
		}
		text = text[len(match[0]):]
	}
	return &fault{line: line, message: "broken YAML", details: text}
}

// yamlReader turns the parser's nodes into ours: aliases are followed, merge
// keys merged, keys made text.
type yamlReader struct {
	budget  *int
	aliases []*yaml.Node // being followed
	faults  []fault
}

func duplicate(path string, line, first int) fault {
	return fault{line: line, message: "duplicate field", paths: []string{path}, first: first}
}

func (r *yamlReader) fault(line int, message, path string) {
	f := fault{line: max(line, 1), message: message}
	if path != "" {
		f.paths = []string{path}
	}
	r.faults = append(r.faults, f)
}

func (r *yamlReader) read(n *yaml.Node, path string) *node {
	if len(r.aliases) > 0 {
		if *r.budget--; *r.budget <= 0 {
			if *r.budget == 0 {
				r.fault(n.Line, "aliases stand for too many values", path)
			}
			return nil
		}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil
		}
		return r.read(n.Content[0], path)
	case yaml.AliasNode:
		return r.alias(n, path)
	case yaml.MappingNode:
		return r.mapping(n, path)
	case yaml.SequenceNode:
		list := &node{kind: listNode, line: n.Line, items: make([]*node, len(n.Content))}
		for i, item := range n.Content {
			list.items[i] = r.read(item, path+"["+strconv.Itoa(i)+"]")
		}
		return list
	case yaml.ScalarNode:
		return scalarOf(n)
	}
	return nil
}

func (r *yamlReader) alias(n *yaml.Node, path string) *node {
	for _, open := range r.aliases {
		if open == n.Alias {
			r.fault(n.Line, "an alias contains itself", path)
			return nil
		}
	}
	r.aliases = append(r.aliases, n.Alias)
	value := r.read(n.Alias, path)
	r.aliases = r.aliases[:len(r.aliases)-1]
	return value
}

func scalarOf(n *yaml.Node) *node {
	scalar := &node{line: n.Line, text: n.Value, block: n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return scalar
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!int":
		scalar.scalar = intScalar
	case "!!float":
		scalar.scalar = floatScalar
	case "!!bool":
		scalar.scalar = boolScalar
	}
	return scalar
}

func (r *yamlReader) mapping(n *yaml.Node, path string) *node {
	m := &node{kind: mapNode, line: n.Line, entries: make([]entry, 0, len(n.Content)/2)}
	seen := newNames(len(n.Content) / 2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			r.fault(key.Line, "a key must be a plain text", path)
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		inner := join(path, key.Value)
		if first, again := seen.add(key.Value, key.Line); again {
			r.faults = append(r.faults, duplicate(inner, key.Line, first))
			continue
		}
		m.entries = append(m.entries, entry{name: key.Value, line: n.Content[i].Line, value: r.read(value, inner)})
	}
	for _, value := range merged {
		r.merge(m, seen, value, path)
	}
	return m
}

// merge adds what "<<" stands for: a map, or a list of maps; keys that are
// there already win.
func (r *yamlReader) merge(m *node, seen *names, value *yaml.Node, path string) {
	source := r.read(value, path)
	switch {
	case source == nil:
	case source.kind == mapNode:
		mergeEntries(m, seen, source)
	case source.kind == listNode:
		for _, item := range source.items {
			if item != nil && item.kind == mapNode {
				mergeEntries(m, seen, item)
			}
		}
	default:
		r.fault(value.Line, "<< must stand for a map", path)
	}
}

func mergeEntries(m *node, seen *names, source *node) {
	for _, e := range source.entries {
		if _, again := seen.add(e.name, e.line); !again {
			m.entries = append(m.entries, e)
		}
	}
}

// names remembers which keys a map has; small maps need no index.
type names struct {
	list  []entry
	index map[string]int
}

func newNames(size int) *names {
	if size > 16 {
		return &names{index: make(map[string]int, size)}
	}
	return &names{list: make([]entry, 0, size)}
}

// add remembers name; again tells that it was there, first on which line.
func (n *names) add(name string, line int) (first int, again bool) {
	if n.index != nil {
		if first, again = n.index[name]; !again {
			n.index[name] = line
		}
		return first, again
	}
	for _, e := range n.list {
		if e.name == name {
			return e.line, true
		}
	}
	if len(n.list) == 16 { // merged keys can make a small map large
		n.index = map[string]int{name: line}
		for _, e := range n.list {
			n.index[e.name] = e.line
		}
		return 0, false
	}
	n.list = append(n.list, entry{name: name, line: line})
	return 0, false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
