package resources

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is one file as it was read.
type source struct {
	name string
	data []byte
	err  error // why it could not be read
}

// tree is what a look at a folder found: every manifest file and every folder,
// by path.
type tree struct {
	files map[string]fs.FileInfo // of the file itself when the path is a link
	order []string               // the files' paths, in a stable order
	dirs  []string
	errs  map[string]error // what could not be looked at
}

// look lists the manifests at path: the file itself, whatever its name, or every
// *.yaml, *.yml and *.json below it (MF-1). Names that begin with a dot are left
// out: they are an editor's, or the inside of a Kubernetes volume ("..data"),
// whose files also appear under their own names. A folder that links lead to
// twice is read once.
func look(path string) tree {
	t := tree{files: map[string]fs.FileInfo{}, errs: map[string]error{}}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		t.errs[path] = err
	case info.IsDir():
		t.folder(path, map[string]bool{})
	default:
		t.add(path, info)
	}
	return t
}

func (t *tree) add(path string, info fs.FileInfo) {
	t.files[path] = info
	t.order = append(t.order, path)
}

func (t *tree) folder(path string, seen map[string]bool) {
	target, err := filepath.EvalSymlinks(path)
	if err == nil && seen[target] {
		return
	}
	seen[target] = true
	entries, err := os.ReadDir(path)
	if err != nil {
		t.errs[path] = err
		return
	}
	t.dirs = append(t.dirs, path)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		inner := filepath.Join(path, name)
		info, err := os.Stat(inner)
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since, or a link that leads nowhere
		case err != nil && isManifest(name):
			t.errs[inner] = err
		case err != nil:
		case info.IsDir():
			t.folder(inner, seen)
		case isManifest(name) && info.Mode().IsRegular():
			t.add(inner, info)
		}
	}
}

func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// readAll reads the manifests at each path; a file that several paths lead to is
// read once.
func readAll(paths []string) []source {
	var sources []source
	seen := map[string]bool{}
	for _, path := range paths {
		t := look(filepath.Clean(path))
		for name, err := range t.errs {
			sources = append(sources, source{name: name, err: plain(err)})
		}
		for _, name := range t.order {
			if seen[name] {
				continue
			}
			seen[name] = true
			data, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			sources = append(sources, source{name: name, data: data, err: plain(err)})
		}
	}
	return sources
}

// plain takes the path out of an error: the problem names it already.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
