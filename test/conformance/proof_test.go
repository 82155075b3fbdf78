package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// envProve set to 1 makes TestProof run every test that the list names.
const envProve = "KURIER_CONFORMANCE_PROVE"

// TestProof runs the tests that the list names, package by package, and looks for each by
// its name among those that passed. It takes minutes; TestList checks the names alone.
func TestProof(t *testing.T) {
	if os.Getenv(envProve) != "1" {
		t.Skipf("runs the tests of many packages: set %s=1", envProve)
	}
	wanted := map[string][]string{}
	for _, s := range readList(t) {
		for _, r := range s.rows {
			for _, name := range r.tests {
				if strings.HasPrefix(name, "case ") {
					continue
				}
				parts := testName.FindStringSubmatch(name)
				if parts == nil {
					t.Fatalf("%q does not name a test", name)
				}
				test := strings.TrimSuffix(parts[2]+"/"+parts[3], "/")
				wanted[parts[1]] = append(wanted[parts[1]], strings.ReplaceAll(test, " ", "_"))
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(wanted)) {
		passed := runTests(t, pkg)
		for _, name := range wanted[pkg] {
			if !slices.ContainsFunc(passed, func(p string) bool { return p == name || strings.HasPrefix(p, name+"/") }) {
				t.Errorf("%s: %s did not pass", pkg, name)
			}
		}
	}
}

// runTests runs a package's tests and returns the names of those that passed, or at least
// passed beneath a name that goes on: the last part of a sub-test's name may be longer.
func runTests(t *testing.T, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "test", "-json", "./"+pkg)
	cmd.Dir = harness.Root()
	output, err := cmd.Output()
	var passed []string
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Test string }
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue
		}
		if event.Test != "" && event.Action == "pass" {
			passed = append(passed, event.Test)
		}
		if event.Test != "" && event.Action == "fail" {
			t.Errorf("%s: %s failed", pkg, event.Test)
		}
	}
	if err != nil {
		t.Logf("go test ./%s: %v", pkg, err)
	}
	return passed
}
