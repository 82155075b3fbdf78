package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/altered"
	"kurier.dev/kurier/test/harness"
)

// envProve set to 1 makes TestRows run every test that the list names.
const envProve = "KURIER_CONFORMANCE_PROVE"

// TestRows is a sub-test for each statement, named by its ID, that passes when all its
// tests have passed: those of whole packages, so it takes minutes. TestList checks
// that the tests are there, TestLines runs the lines of tables.
func TestRows(t *testing.T) {
	if os.Getenv(envProve) != "1" {
		t.Skipf("runs the tests of many packages: set %s=1", envProve)
	}
	ran := map[string]map[string]string{}
	for _, s := range readList(t) {
		for _, r := range s.rows {
			t.Run(r.id, func(t *testing.T) {
				for _, name := range r.tests {
					parts := testName.FindStringSubmatch(name)
					if parts == nil || parts[1] == "test/conformance" {
						continue // a case, which runs by its ID beside this one
					}
					if ran[parts[1]] == nil {
						ran[parts[1]] = runPackage(t, parts[1])
					}
					expectAll(t, ran[parts[1]], subTest(parts), "pass")
				}
			})
		}
	}
}

// TestLines runs the tests that are tables, twice: each line that the list names must pass,
// and with every expectation altered it must fail. So no line is empty.
func TestLines(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the tests of other packages")
	}
	lines := map[string][]row{}
	for _, s := range readList(t) {
		for _, r := range s.rows {
			if r.line {
				pkg := testName.FindStringSubmatch(r.tests[0])[1]
				lines[pkg] = append(lines[pkg], r)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatal("the list names no line of a table")
	}
	for _, pkg := range slices.Sorted(maps.Keys(lines)) {
		t.Run(pkg, func(t *testing.T) {
			binary := buildTests(t, pkg)
			var tests []string
			for _, r := range lines[pkg] {
				for _, name := range r.tests {
					tests = append(tests, testName.FindStringSubmatch(name)[2])
				}
			}
			slices.Sort(tests)
			pattern := "^(" + strings.Join(slices.Compact(tests), "|") + ")$"
			plain := runBinary(t, pkg, binary, pattern)
			changed := runBinary(t, pkg, binary, pattern, altered.Env+"=1")
			for _, r := range lines[pkg] {
				t.Run(r.id, func(t *testing.T) {
					for _, name := range r.tests {
						sub := subTest(testName.FindStringSubmatch(name))
						expectAll(t, plain, sub, "pass")
						expectAll(t, changed, sub, "fail")
					}
				})
			}
		})
	}
}

// subTest is the name under which a test of the list runs.
func subTest(parts []string) string {
	return strings.ReplaceAll(strings.TrimSuffix(parts[2]+"/"+parts[3], "/"), " ", "_")
}

// expectAll wants an outcome of a test, or of those beneath its name, where there is none of
// the name alone.
func expectAll(t *testing.T, outcomes map[string]string, name, want string) {
	t.Helper()
	if got, ok := outcomes[name]; ok {
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		return
	}
	found := false
	for other, got := range outcomes {
		if strings.HasPrefix(other, name+"/") {
			found = true
			if got != want {
				t.Errorf("%s: %s, want %s", other, got, want)
			}
		}
	}
	if !found {
		t.Errorf("%s did not run", name)
	}
}

// runPackage runs the tests of a package; the outcomes are by name.
func runPackage(t *testing.T, pkg string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./"+pkg)
	cmd.Dir = harness.Root()
	output, err := cmd.Output()
	if err != nil {
		t.Logf("go test ./%s: %v", pkg, err)
	}
	outcomes := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Test string }
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Test != "" {
			outcomes[event.Test] = event.Action
		}
	}
	return outcomes
}

// buildTests builds the tests of a package, with the race detector if it is in this program,
// because then its packages are built so already.
func buildTests(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tests")
	arguments := []string{"test", "-c", "-o", binary}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		arguments = append(arguments, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", append(arguments, "./"+pkg)...)
	cmd.Dir = harness.Root()
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go test -c ./%s: %v\n%s", pkg, err, output)
	}
	return binary
}

var outcomeLine = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (.+) \([0-9.]+s\)$`)

// runBinary runs built tests; the outcomes are by name. That tests fail is no error.
func runBinary(t *testing.T, pkg, binary, pattern string, env ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.v", "-test.run", pattern)
	cmd.Dir = filepath.Join(harness.Root(), pkg)
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the tests of %s do not end: %v", pkg, err)
	}
	outcomes := map[string]string{}
	words := map[string]string{"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}
	for _, line := range outcomeLine.FindAllSubmatch(output, -1) {
		outcomes[string(line[2])] = words[string(line[1])]
	}
	if len(outcomes) == 0 {
		t.Fatalf("no test of %s ran: %v\n%.2000s", pkg, err, output)
	}
	return outcomes
}
