package filter

import (
	"maps"
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/altered"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// attrs is an event for tests.
type attrs map[string]string

func (a attrs) Get(name string) (string, bool) {
	v, ok := a[name]
	return v, ok
}

// with gives a copy with more attributes: name, value, name, value...
func (a attrs) with(pairs ...string) attrs {
	c := maps.Clone(a)
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = pairs[i+1]
	}
	return c
}

// The events of the unit tables.
var (
	eventE = attrs{
		"specversion": "1.0", "type": "dev.knative.example", "source": "knativesource", "id": "1234", "knativebrokerttl": "20",
	}
	eventEPlus = eventE.with("myextension", "my-extension-value")
	eventA     = attrs{"specversion": "1.0", "type": "com.example.someevent", "source": "/mycontext", "id": "1234"}
	eventAPlus = eventA.with("myextension", "my-extension-value")
	eventAs    = eventA.with("subject", "mysubject")
	fullEvent  = attrs{
		"specversion": "1.0", "type": "com.example.FullEvent", "source": "http://example.com/source", "id": "full-event",
		"time": "2020-03-21T12:34:56.78Z", "dataschema": "http://example.com/schema", "subject": "topic",
		"datacontenttype": "text/json", "exbool": "true", "exint": "42", "exstring": "exstring", "exbinary": "AAECAw==",
		"exurl": "http://example.com/source", "extime": "2020-03-21T12:34:56.78Z",
	}
)

func mustCompile(t testing.TB, attributes map[string]string, filters ...Spec) *Filter {
	t.Helper()
	f, err := Compile(attributes, filters)
	if err != nil {
		t.Fatalf("Compile(%v, %v): %v", attributes, filters, err)
	}
	return f
}

// check wants an outcome without error.
func check(t testing.TB, f *Filter, e Event, want bool) {
	t.Helper()
	want = altered.Want(want)
	if got, err := f.Match(e); err != nil || got != want {
		t.Errorf("Match(%v) = %v, %v; want %v", e, got, err, want)
	}
}
