package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// head is what stands above the tables of the page.
const head = `# Conformance

<!-- Made by go test ./test/conformance -run TestPage -update, from test/conformance/rows. Do not edit. -->

What Kurier does, statement by statement, where each comes from, how it compares with Knative, and the test that proves it. "Knative" is its Go reference (knative/eventing), its Java data plane for Kafka (knative-extensions/eventing-kafka-broker) and its specifications (knative/specs, cloudevents/spec).

- **same**: as Knative does it. **better**: on purpose other than at least one of them, and a user has only good of it. **differs**: on purpose, and worth knowing. **own**: Knative has no such thing. **missing**: not there yet. **n/a**: without meaning outside Kubernetes, or left for a later version.
- *Black box* cases run against the real binary over HTTP and a folder of manifests, on the embedded broker and on a real Apache Kafka. "Once" and "exactly" mean that nothing more comes after everything is settled. Each expectation is altered in every fact after the comparison, and each altered one must fail.
- The lines of tables in unit tests have the ID in the name of their sub-test; they run twice, as they are and with every expectation altered, and must pass and fail.

`

// foot of the head: how to run.
const howToRun = `
Run them: ` + "`make test`" + ` (the black-box cases on the embedded broker, a chosen part of them on Kafka); with ` + "`KURIER_CONFORMANCE_KAFKA=all`" + ` all of them on Kafka; with ` + "`KURIER_CONFORMANCE_PROVE=1`" + ` each test named here is run, and ` + "`TestRows`" + ` has a sub-test for each ID.
`

// page is docs/conformance.md.
func page(t *testing.T) string {
	t.Helper()
	sections := withCases(readList(t))
	moving, err := os.ReadFile(filepath.Join("rows", "moving.md"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(head + "## If you come from Knative\n\n" + string(moving))
	for _, s := range sections {
		for _, r := range s.rows {
			if r.verdict == missing {
				fmt.Fprintf(&b, "| missing | %s | %s |\n", cell(r.says), cell(r.id))
			}
		}
	}
	b.WriteString("\n## Counts\n\n" + counts(sections) + howToRun)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| ID | Statement | | Source | Test |\n|---|---|---|---|---|\n", s.title)
		for _, r := range s.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(r.id), cell(r.says), r.verdict, cell(r.source), tests(&r))
		}
	}
	return b.String()
}

// cell is a text that may stand in a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`, "~", `\~`).Replace(s)
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

// tests names the tests of a row in few words.
func tests(r *row) string {
	var all []string
	for _, name := range r.tests {
		target, found := strings.CutPrefix(name, "test/conformance.")
		switch {
		case !found:
			all = append(all, code(name))
		case strings.HasPrefix(target, "TestKafka/"):
			all = append(all, "black box, on Kafka")
		default:
			all = append(all, "black box")
		}
	}
	return strings.Join(all, "<br>")
}

// counts is a line per section and one for all.
func counts(sections []section) string {
	var b strings.Builder
	b.WriteString("| Section | statements | black box |")
	for _, v := range verdicts {
		fmt.Fprintf(&b, " %s |", v)
	}
	b.WriteString("\n|---" + strings.Repeat("|---:", len(verdicts)+2) + "|\n")
	line := func(title string, rows []row) {
		black, by := 0, map[verdict]int{}
		for _, r := range rows {
			by[r.verdict]++
			if len(r.tests) > 0 && strings.HasPrefix(r.tests[0], "test/conformance.") {
				black++
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d |", title, len(rows), black)
		for _, v := range verdicts {
			fmt.Fprintf(&b, " %d |", by[v])
		}
		b.WriteString("\n")
	}
	var every []row
	for _, s := range sections {
		line(s.title, s.rows)
		every = append(every, s.rows...)
	}
	line("**all**", every)
	b.WriteString("\nOne statement may stand for many cases: the 18 rows of CloudEvents SQL are its 275 conformance cases.\n")
	return b.String()
}

// TestPage: docs/conformance.md is made from the list, and current.
func TestPage(t *testing.T) {
	path := filepath.Join(harness.Root(), "docs", "conformance.md")
	want := page(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current: go test ./test/conformance -run TestPage -update", path)
	}
}

// TestMoving: the table for somebody who comes from Knative names statements that exist,
// and that compare as it says.
func TestMoving(t *testing.T) {
	known := map[string]verdict{}
	for _, s := range readList(t) {
		for _, r := range s.rows {
			known[r.id] = r.verdict
		}
	}
	text, err := os.ReadFile(filepath.Join("rows", "moving.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^\| ([\w/]+) \| (.+) \| (.+) \|$`).FindAllStringSubmatch(string(text), -1) {
		agree := false
		for _, id := range strings.Split(line[3], ", ") {
			v, ok := known[id]
			if !ok {
				t.Errorf("%q: there is no statement %s", line[2], id)
			}
			agree = agree || v == verdict(line[1])
		}
		if !agree {
			t.Errorf("%q is told to be %q, and no statement named there is", line[2], line[1])
		}
	}
}
