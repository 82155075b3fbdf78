package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// targets are the Makefile's, with their help.
func targets(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*?(?:## (.*))?$`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// TestCommandsInDocs: what a page tells people to type exists.
func TestCommandsInDocs(t *testing.T) {
	have := targets(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../README.md")
	command := regexp.MustCompile("(?m)(?:^|`|\\$ )make ([a-z][a-z-]*)")
	for _, page := range pages {
		text := read(t, strings.TrimPrefix(page, "../"))
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			if _, ok := have[m[1]]; !ok {
				t.Errorf("%s says `make %s`, which the Makefile does not have", page, m[1])
			}
		}
	}
}

// TestREADMENamesTheMainCommands: the README opens with how to run and how to test.
func TestREADMENamesTheMainCommands(t *testing.T) {
	readme := read(t, "README.md")
	for _, want := range []string{"make dev", "make test", "docker compose up --build -d --wait"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}

// TestMenu: the menu names what it has to, and every entry says what it does.
func TestMenu(t *testing.T) {
	have := targets(t)
	for _, want := range strings.Fields("help dev build test lint bench chaos fuzz clean-data") {
		if have[want] == "" {
			t.Errorf("the Makefile has no target %s with a ## text for the menu", want)
		}
	}
}

// TestCIRunsTheCommandsOfPeople: CI calls the README's test command and the linter, and
// asks for everything.
func TestCIRunsTheCommandsOfPeople(t *testing.T) {
	ci := read(t, ".ci/run")
	for _, want := range []string{"\nmake test\n", "\nmake lint\n", "KURIER_REQUIRE_KAFKA=1"} {
		if !strings.Contains(ci, want) {
			t.Errorf(".ci/run does not contain %q", strings.TrimSpace(want))
		}
	}
}

// TestComposeCommandsInDocs: the services that a page names are the file's.
func TestComposeCommandsInDocs(t *testing.T) {
	services := regexp.MustCompile(`(?m)^  ([a-z][a-z0-9-]*):`).FindAllStringSubmatch(read(t, "docker-compose.yaml"), -1)
	have := map[string]bool{}
	for _, s := range services {
		have[s[1]] = true
	}
	command := regexp.MustCompile(`docker compose (?:logs -f|stop|start|restart|exec|up [^\n]*--scale) ([a-z][a-z0-9-]*)`)
	for _, page := range []string{"README.md", "docs/troubleshooting.md", "docs/manifests.md", "docs/kafka.md"} {
		if _, err := os.Stat(filepath.Join("..", page)); err != nil {
			continue // TestREADMENamesTheMainCommands reads the one that must be there
		}
		for _, m := range command.FindAllStringSubmatch(read(t, page), -1) {
			if !have[m[1]] {
				t.Errorf("%s says %q, but docker-compose.yaml has no service %s", page, m[0], m[1])
			}
		}
	}
}
