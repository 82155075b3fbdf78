package conformance

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// verdict is how a statement compares with Knative (Go and Java) and the specifications.
type verdict string

const (
	same          verdict = "same"
	better        verdict = "better"  // differs, and a user has only good of it
	differs       verdict = "differs" // on purpose; the statement says how
	own           verdict = "own"     // exists only in Kurier
	missing       verdict = "missing" // not there yet
	notApplicable verdict = "n/a"     // has no meaning without Kubernetes, or is left for later
)

var verdicts = []verdict{same, better, differs, own, missing, notApplicable}

// row is one line of the list.
type row struct {
	id      string
	verdict verdict
	says    string
	source  string
	tests   []string // "package.Test" or "package.Test/sub-test"
	line    bool     // its test is the line of a table, whose name carries the ID
	section int      // index of its section
}

// section is a file of rows.
type section struct {
	file, title string
	rows        []row
}

// readList reads rows/*.txt. A line is
//
//	ID | verdict | statement | source | test, test
//
// "#" begins the title of the section; "@" names a source once: "@ name = text". A row
// that is a black-box case needs no test: it is its own; "case ID" names another one. In the
// name of a test a comma is written with a backslash, and "$" stands for the ID. "~" stands for the source or the tests
// of the row before.
func readList(t *testing.T) []section {
	t.Helper()
	files, err := filepath.Glob("rows/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no rows", err)
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(leading(a), leading(b)) })
	var sections []section
	sources := map[string]string{}
	for n, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := section{file: file}
		for number, line := range strings.Split(string(content), "\n") {
			switch {
			case strings.TrimSpace(line) == "":
			case strings.HasPrefix(line, "# "):
				s.title = strings.TrimPrefix(line, "# ")
			case strings.HasPrefix(line, "@ "):
				name, text, ok := strings.Cut(strings.TrimPrefix(line, "@ "), " = ")
				if !ok {
					t.Fatalf("%s:%d: want @ name = text", file, number+1)
				}
				sources[name] = text
			default:
				r, err := parseRow(line, sources, s.rows)
				if err != nil {
					t.Fatalf("%s:%d: %v", file, number+1, err)
				}
				r.section = n
				s.rows = append(s.rows, r)
			}
		}
		sections = append(sections, s)
	}
	return sections
}

// leading is the number that the name of a file of rows begins with.
func leading(file string) int {
	digits, _, _ := strings.Cut(filepath.Base(file), "-")
	n, _ := strconv.Atoi(digits)
	return n
}

func parseRow(line string, sources map[string]string, before []row) (row, error) {
	fields := strings.Split(line, " | ")
	if len(fields) < 4 || len(fields) > 5 {
		return row{}, fmt.Errorf("%d fields, want ID | verdict | statement | source | tests: %s", len(fields), line)
	}
	for i := range fields {
		fields[i] = strings.ReplaceAll(strings.TrimSpace(fields[i]), `\|`, "|")
	}
	r := row{id: fields[0], verdict: verdict(fields[1]), says: fields[2], source: fields[3]}
	if !slices.Contains(verdicts, r.verdict) {
		return row{}, fmt.Errorf("verdict %q", r.verdict)
	}
	if r.source == "~" {
		r.source = before[len(before)-1].source
	} else if text, ok := sources[r.source]; ok {
		r.source = text
	}
	switch {
	case len(fields) < 5:
	case fields[4] == "~":
		r.tests = before[len(before)-1].tests
	default:
		names := strings.ReplaceAll(fields[4], `\,`, "\x00")
		for _, name := range strings.Split(names, ", ") {
			name = strings.ReplaceAll(strings.TrimSpace(name), "\x00", ",")
			r.line = r.line || strings.Contains(name, "$")
			r.tests = append(r.tests, strings.ReplaceAll(name, "$", r.id))
		}
	}
	return r, nil
}

// casesByID finds the part of each black-box case.
func casesByID() map[string]string {
	all := map[string]string{}
	for _, p := range parts() {
		target := "TestEmbedded"
		if p.reads {
			target = "TestKafka"
		}
		for _, c := range p.cases {
			all[c.id] = "test/conformance." + target + "/cases/" + p.name + "/" + c.id
		}
	}
	return all
}

// withCases adds to each row that is a black-box case that case.
func withCases(sections []section) []section {
	cases := casesByID()
	for i := range sections {
		for j := range sections[i].rows {
			r := &sections[i].rows[j]
			for k, test := range r.tests {
				if id, ok := strings.CutPrefix(test, "case "); ok && cases[id] != "" {
					r.tests[k] = cases[id]
				}
			}
			if name := cases[r.id]; name != "" {
				r.tests = append([]string{name}, r.tests...)
			}
		}
	}
	return sections
}

// TestList: each statement has a test or says that it is missing, each named test exists,
// and each black-box case is in the list.
func TestList(t *testing.T) {
	seen := map[string]bool{}
	source := &sources{packages: map[string]*testFiles{}}
	for _, s := range withCases(readList(t)) {
		if s.title == "" {
			t.Errorf("%s has no title", s.file)
		}
		for _, r := range s.rows {
			if seen[r.id] {
				t.Errorf("%s: %s stands twice", s.file, r.id)
			}
			seen[r.id] = true
			if r.says == "" || r.source == "" {
				t.Errorf("%s: %s says nothing, or not where it comes from", s.file, r.id)
			}
			if absent := r.verdict == missing || r.verdict == notApplicable; absent == (len(r.tests) > 0) {
				t.Errorf("%s: %s is %q and has %d tests", s.file, r.id, r.verdict, len(r.tests))
			}
			for _, name := range r.tests {
				if r.line { // TestLines runs it
					name = tableOf(name)
				}
				if err := source.find(name); err != nil {
					t.Errorf("%s: %s: %v", s.file, r.id, err)
				}
			}
		}
	}
	for id := range casesByID() {
		if !seen[id] {
			t.Errorf("case %s is not in the list", id)
		}
	}
}

// sources looks into the test files of packages.
type sources struct{ packages map[string]*testFiles }

type testFiles struct {
	functions map[string]bool
	literals  map[string]bool // strings in test files, as sub-tests may be named
}

var testName = regexp.MustCompile(`^([a-z0-9/]+)\.((?:Test|Fuzz)\w+)(?:/(.+))?$`)

// find tells what is wrong with the name of a test; nil when it exists.
func (s *sources) find(name string) error {
	parts := testName.FindStringSubmatch(name)
	if parts == nil {
		return fmt.Errorf("%q does not name a test", name)
	}
	if parts[1] == "test/conformance" {
		return nil // the cases are there by construction
	}
	files := s.packages[parts[1]]
	if files == nil {
		var err error
		if files, err = readTests(filepath.Join(harness.Root(), parts[1])); err != nil {
			return err
		}
		s.packages[parts[1]] = files
	}
	switch {
	case !files.functions[parts[2]]:
		return fmt.Errorf("%s has no %s", parts[1], parts[2])
	case parts[3] != "" && !files.has(parts[3]):
		return fmt.Errorf("%s names no sub-test %q", parts[1], parts[3])
	}
	return nil
}

// tableOf is the test of which a line is a sub-test.
func tableOf(name string) string {
	parts := testName.FindStringSubmatch(name)
	if parts == nil {
		return name
	}
	return parts[1] + "." + parts[2]
}

// has tells whether a sub-test's name can be put together from strings of the test files,
// with slashes between them. TestRows proves that it runs.
func (f *testFiles) has(sub string) bool {
	sub += "/"
	reached := make([]bool, len(sub)+1)
	reached[0] = true
	for end := 1; end <= len(sub); end++ {
		for begin := 0; begin < end && !reached[end]; begin++ {
			piece := sub[begin:end]
			reached[end] = reached[begin] && (piece == "/" || len(piece) > 1 && f.literals[piece])
		}
	}
	return reached[len(sub)]
}

func readTests(dir string) (*testFiles, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no tests in %s", dir)
	}
	f := &testFiles{functions: map[string]bool{}, literals: map[string]bool{}}
	for _, name := range names {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				f.functions[n.Name.Name] = n.Recv == nil
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					f.literals[text] = true
				}
			}
			return true
		})
	}
	return f, nil
}
