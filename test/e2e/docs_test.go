package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// TestCommandsInDocs: every command that a page shows exists, and has the flags shown.
func TestCommandsInDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(harness.Root(), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)(?:^|` + "`" + `|\./bin/| )kurier ([a-z][a-z-]*)([^\n` + "`" + `|#]*)`)
	flag := regexp.MustCompile(`(?:^| )(--[a-z][a-z-]*)`)
	comment := regexp.MustCompile(`(?m)(?:^| )# .*$`)
	help := map[string]string{}
	for _, page := range append(pages, filepath.Join(harness.Root(), "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(comment.ReplaceAllString(string(text), ""), "```") {
			for _, m := range shown.FindAllStringSubmatch(block, -1) {
				command := m[1]
				if !strings.Contains(m[0], "kurier "+command) || !isCommandLine(m[0]) {
					continue
				}
				if _, known := help[command]; !known {
					stdout, stderr, code := harness.Run(t, nil, "help", command)
					if code != 0 {
						t.Errorf("%s shows `kurier %s`: %s", filepath.Base(page), command, stderr)
					}
					help[command] = stdout
				}
				for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
					if !strings.Contains(help[command], f[1]) {
						t.Errorf("%s shows `kurier %s %s`, and there is no such flag", filepath.Base(page), command, f[1])
					}
				}
			}
		}
	}
	if len(help) < 5 {
		t.Errorf("only %d commands were found: %v", len(help), help)
	}
}

// isCommandLine tells a command from prose: it begins a line or a piece of code, or has the
// path of the binary.
func isCommandLine(match string) bool {
	return !strings.HasPrefix(match, " ") || strings.Contains(match, "./bin/")
}
