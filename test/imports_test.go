package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "kurier.dev/kurier"

// pkg is what `go list -json` tells about a package.
type pkg struct {
	ImportPath, Dir string
	Imports, Deps   []string
	GoFiles         []string
	Standard        bool
}

// list returns our own packages by their path inside the module ("." for the root).
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,Deps,GoFiles,Standard", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := map[string]pkg{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p
	}
}

// under tells whether path is prefix or lies below it.
func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// isStandard tells a standard package from a module's: only the latter has a dot in its
// first element.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// A forbidden import, with the reason that the failure prints.
type forbidden struct{ who, what, why string }

// rules is the direction of imports: cmd -> app -> roles -> consumer -> offsets. A name
// without a dot in its first element is a path inside this module.
var rules = []forbidden{
	{"consumer", "github.com/cloudevents", "the consumer moves records; what a CloudEvent is, its handler knows"},
	{"consumer", "internal/event", "the consumer moves records; what a CloudEvent is, its handler knows"},
	{"consumer", "github.com/valyala/fasthttp", "the consumer knows no HTTP"},
	{"consumer", "net/http", "the consumer knows no HTTP"},
	{"consumer", "dispatcher", "the dispatcher is built on the consumer"},
	{"consumer", "internal/kafka", "connections are handed in"},
	{"receiver", "dispatcher", "the roles are deployed apart; a route between them would tie their releases"},
	{"receiver", "consumer", "a receiver consumes nothing"},
	{"receiver", "internal/kafka", "a Producer is handed in, so that the embedded broker and tests can be one"},
	{"receiver", "internal/resources", "routes are plain data; another source of manifests must plug in"},
	{"dispatcher", "receiver", "the roles are deployed apart; a route between them would tie their releases"},
	{"dispatcher", "internal/kafka", "connections are handed in"},
	{"dispatcher", "internal/resources", "subscriptions are plain data; another source of manifests must plug in"},
	{"internal/event", "receiver", "the translator serves both roles and knows neither"},
	{"internal/event", "dispatcher", "the translator serves both roles and knows neither"},
	{"internal/resources", "internal/kafka", "manifests are checked without a Kafka"},
	{"internal/resources", "receiver", "manifests become plain data; internal/app turns them into routes"},
	{"internal/resources", "dispatcher", "manifests become plain data; internal/app turns them into subscriptions"},
	{"internal/kafka", "internal/resources", "topics are plain data here"},
	{"consumer", "go.opentelemetry.io/otel", "the consumer moves records; its handler makes the spans"},
	{"internal/event", "go.opentelemetry.io/otel", "the translator passes trace context on as headers and knows no spans"},
	{"internal/kafka", "go.opentelemetry.io/otel", "who hands in a record has put the span into it"},
	{"internal/tracing", "receiver", "what spans have in common serves both roles and knows neither"},
	{"internal/tracing", "dispatcher", "what spans have in common serves both roles and knows neither"},
	{"cmd/kurier", "receiver", "commands parse flags; internal/app wires"},
	{"cmd/kurier", "dispatcher", "commands parse flags; internal/app wires"},
	{"cmd/kurier", "consumer", "commands parse flags; internal/app wires"},
	{"cmd/kurier", "github.com/IBM/sarama", "commands parse flags; internal/app wires"},
}

// onlyIn says which packages alone may import something.
var onlyIn = []struct {
	what string
	who  []string
	why  string
}{
	{"internal/kafka/embedded", []string{"internal/app"}, "the embedded broker serves kurier dev and tests; it is no store for production"},
	{"github.com/twmb/franz-go/pkg/kfake", []string{"internal/kafka/embedded"}, "its socket must stay behind the frame guard"},
	{"github.com/valyala/fasthttp", []string{"receiver", "dispatcher"}, "its requests are reused after the handler; no other package may see them"},
	{"github.com/kelseyhightower/envconfig", []string{"internal/app"}, "one place reads the environment"},
	{"github.com/spf13/cobra", []string{"cmd/kurier"}, "flags end where the process begins"},
	{"github.com/fsnotify/fsnotify", []string{"internal/resources"}, "one watcher of the manifests"},
	{"internal/tracing/otlp", []string{"internal/app"}, "a tracer is handed in: who makes spans does not know where they go"},
	{"go.opentelemetry.io/otel/sdk", []string{"internal/tracing/otlp"}, "the SDK samples, queues and drops; packages that make spans see the API alone"},
	{"go.opentelemetry.io/otel/exporters", []string{"internal/tracing/otlp"}, "the exporter brings an HTTP client, retries and gRPC's packages"},
	{"go.opentelemetry.io/otel", []string{"receiver", "dispatcher", "internal/tracing", "internal/app"}, "spans are made where events come in and go out"},
	{"deploy", []string{"internal/app", "cmd/kurier"}, "the examples are for kurier dev"},
	{"internal/app", []string{"cmd/kurier"}, "nothing is built on the wiring"},
	{"testing", nil, "test helpers live in test/"},
	{"test", nil, "the product does not know its tests"},
}

func imports(p pkg, what string) bool {
	return slices.ContainsFunc(p.Imports, func(i string) bool {
		return under(strings.TrimPrefix(i, module+"/"), what)
	})
}

func TestImportsPointOneWay(t *testing.T) {
	packages := list(t)
	for _, r := range rules {
		for path, p := range packages {
			if under(path, r.who) && imports(p, r.what) && !under(path, r.what) {
				t.Errorf("%s imports %s: %s", path, r.what, r.why)
			}
		}
	}
	for _, r := range onlyIn {
		for path, p := range packages {
			allowed := under(path, "test") || under(path, r.what) ||
				slices.ContainsFunc(r.who, func(who string) bool { return under(path, who) })
			if imports(p, r.what) && !allowed {
				t.Errorf("%s imports %s, which only %v may: %s", path, r.what, r.who, r.why)
			}
		}
	}
}

// TestOffsetsStandsAlone: the arithmetic of offsets has no I/O, goroutine, clock or logger,
// which no linter can promise, and depends on nothing that could bring one.
func TestOffsetsStandsAlone(t *testing.T) {
	p, ok := list(t)["offsets"]
	if !ok {
		t.Fatal("there is no package offsets")
	}
	for _, d := range p.Deps {
		if !isStandard(d) {
			t.Errorf("offsets depends on %s", d)
		}
	}
	for _, i := range p.Imports {
		for _, impure := range []string{"os", "io", "net", "time", "log", "sync", "context"} {
			if under(i, impure) {
				t.Errorf("offsets imports %s; it is pure", i)
			}
		}
	}
	for _, file := range p.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine", file)
			}
			return true
		})
	}
}

// environmentReaders may call os.Getenv and friends.
var environmentReaders = []string{"internal/app", "test"}

// TestOnePlaceReadsTheEnvironment: a variable that is read elsewhere is in no table, is not
// validated at start, and cannot be set by a program that embeds Kurier.
func TestOnePlaceReadsTheEnvironment(t *testing.T) {
	for path, p := range list(t) {
		if slices.ContainsFunc(environmentReaders, func(who string) bool { return under(path, who) }) {
			continue
		}
		eachCall(t, p, func(file, call string) {
			if slices.Contains([]string{"os.Getenv", "os.LookupEnv", "os.Environ"}, call) {
				t.Errorf("%s/%s calls %s; only %v read the environment", path, file, call, environmentReaders)
			}
		})
	}
}

// eachCall reports every call of the form package.Function in a package.
func eachCall(t *testing.T, p pkg, f func(file, call string)) {
	t.Helper()
	for _, file := range p.GoFiles {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok {
					if x, ok := s.X.(*ast.Ident); ok {
						f(file, x.Name+"."+s.Sel.Name)
					}
				}
			}
			return true
		})
	}
}

// TestTopLevel: the folders of the repository are fixed; a new one is a decision.
func TestTopLevel(t *testing.T) {
	want := strings.Fields("cmd receiver dispatcher consumer offsets internal deploy test docs")
	out, err := exec.Command("git", "-C", "..", "ls-tree", "-d", "--name-only", "HEAD").Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	for _, dir := range strings.Fields(string(out)) {
		if !slices.Contains(want, dir) && !strings.HasPrefix(dir, ".") {
			t.Errorf("a new top-level folder: %s", dir)
		}
	}
}
