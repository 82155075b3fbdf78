package compose

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ignore is a .dockerignore: what it matches, and all below, does not go to the builder.
type ignore []*regexp.Regexp

func parseIgnore(text string) ignore {
	var all ignore
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern := regexp.QuoteMeta(strings.Trim(line, "/"))
		pattern = strings.ReplaceAll(pattern, `\*\*/`, `(?:.*/)?`)
		pattern = strings.ReplaceAll(pattern, `\*`, `[^/]*`)
		all = append(all, regexp.MustCompile("^"+pattern+"(?:/.*)?$"))
	}
	return all
}

func (g ignore) match(path string) bool {
	for _, r := range g {
		if r.MatchString(path) {
			return true
		}
	}
	return false
}

// copyContext copies the build context, as Docker sends it to its builder.
func copyContext(from, to string) error {
	text, err := os.ReadFile(filepath.Join(from, ".dockerignore"))
	if err != nil {
		return err
	}
	return copyTree(from, to, parseIgnore(string(text)))
}

// copyTree copies folders and files, over what is there, but for what rules match.
func copyTree(from, to string, rules ignore) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case rules.match(filepath.ToSlash(name)):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type().IsRegular():
			return copyFile(path, target)
		}
		return nil
	})
}

// copyFile copies a file with its permissions.
func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
