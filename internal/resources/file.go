package resources

import (
	"bytes"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// file is what was read of one file. It is never changed, so that the next
// reload can take over what is still the same: the whole file, or the documents
// that did not change.
type file struct {
	data    []byte
	pieces  []piece
	aliased bool // the bound on aliases is that of the file: it is read as a whole again
	unread  bool // it could not be read to its end
	batch
}

// piece is a part of a file and the objects in it.
type piece struct {
	segment
	parsed
	batch
}

// folder is what was read of all files.
type folder struct {
	files map[string]*file
	batch
	unread map[string]bool // files that could not be read to their end
}

// read parses every file that is not as it was in before, side by side, and
// finds the objects in them. Objects of unknown kinds are left out, with a
// warning.
func read(sources []source, before map[string]*file, strict bool) *folder {
	slices.SortFunc(sources, func(a, b source) int { return strings.Compare(a.name, b.name) })
	files := make([]*file, len(sources))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	known := kinds()
	for i, s := range sources {
		if old := before[s.name]; s.err == nil && old != nil && bytes.Equal(old.data, s.data) {
			files[i] = old
			continue
		}
		group.Go(func() error {
			files[i] = (&reading{name: s.name, known: known, strict: strict}).file(s, before[s.name])
			return nil
		})
	}
	_ = group.Wait() // no part fails
	whole := &folder{files: make(map[string]*file, len(files)), unread: map[string]bool{}}
	count := 0
	for _, f := range files {
		count += len(f.manifests)
	}
	whole.manifests = make([]*manifest, 0, count)
	for i, f := range files {
		whole.manifests = append(whole.manifests, f.manifests...)
		whole.problems = append(whole.problems, f.problems...)
		if f.unread {
			whole.unread[sources[i].name] = true
		}
		if sources[i].err == nil {
			whole.files[sources[i].name] = f
		}
	}
	return whole
}

// reading reads one file.
type reading struct {
	name   string
	known  kindTable
	strict bool
}

func (r *reading) file(s source, old *file) *file {
	f := &file{data: s.data}
	switch {
	case s.err != nil:
		problem := report{file: s.name}
		problem.add(0, "cannot be read", s.err.Error())
		f.problems, f.unread = problem.problems, true
		return f
	case filepath.Ext(s.name) == ".json":
		documents, broken := parseJSON(s.data)
		f.pieces = []piece{r.piece(segment{data: s.data}, parsed{documents: documents, broken: broken})}
	default:
		if f.pieces, f.aliased = r.pieces(s.data, old); f.aliased && old != nil {
			f.pieces, f.aliased = r.pieces(s.data, nil)
		}
	}
	for _, p := range f.pieces {
		f.manifests, f.problems = append(f.manifests, p.manifests...), append(f.problems, p.problems...)
		f.unread = f.unread || len(p.broken) > 0
	}
	return f
}

// pieces reads a file of YAML; documents that old has too are taken from there.
func (r *reading) pieces(data []byte, old *file) (pieces []piece, aliased bool) {
	segments := segments(data, 1)
	pieces = make([]piece, len(segments))
	var there map[string]*piece
	if old != nil && !old.aliased {
		there = make(map[string]*piece, len(old.pieces))
		for i := range old.pieces {
			there[string(old.pieces[i].data)] = &old.pieces[i]
		}
	}
	var fresh []segment
	var at []int
	for i, s := range segments {
		switch same := there[string(s.data)]; {
		case same == nil:
			fresh, at = append(fresh, s), append(at, i)
		case same.before == s.before:
			pieces[i] = piece{segment: s, parsed: same.parsed, batch: same.batch}
		default:
			pieces[i] = r.piece(s, same.moved(s.before-same.before))
		}
	}
	for i, p := range parseAll(fresh) {
		aliased = aliased || p.aliased
		pieces[at[i]] = r.piece(fresh[i], p)
	}
	return pieces, aliased
}

// piece finds the objects in what was parsed.
func (r *reading) piece(s segment, p parsed) piece {
	result := piece{segment: s, parsed: p}
	for _, document := range p.documents {
		result.document(r.name, document, r.known, r.strict)
	}
	for _, b := range p.broken {
		problem := report{file: r.name, line: b.line}
		problem.add(b.line, b.message, b.text(), b.paths...)
		result.problems = append(result.problems, problem.problems...)
	}
	return result
}
