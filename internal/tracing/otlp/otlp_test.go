package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"kurier.dev/kurier/test/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log for several goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func start(t *testing.T, cfg Config) *Provider {
	t.Helper()
	p, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Spans arrive with what was said about the process, and are counted.
func TestExport(t *testing.T) {
	c := otlptest.Start(t)
	registry := prometheus.NewRegistry()
	p := start(t, Config{
		URL: c.URL + "/v1/traces", ServiceName: "named", Instance: "one",
		Attributes: "service.name=other,deployment.environment=a%20b", Registerer: registry,
	})
	_, span := p.Tracer().Start(t.Context(), "a")
	span.End()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := c.Spans()
	if len(got) != 1 || got[0].Name != "a" {
		t.Fatalf("got %v", got)
	}
	for key, want := range map[string]string{
		"service.name": "named", "service.instance.id": "one", "deployment.environment": "a b", "telemetry.sdk.language": "go",
	} {
		if got[0].Resource[key] != want {
			t.Errorf("%s is %q, want %q", key, got[0].Resource[key], want)
		}
	}
	want := "# HELP kurier_tracing_exported_spans_total Spans that the collector took; the others wait or are lost.\n" +
		"# TYPE kurier_tracing_exported_spans_total counter\nkurier_tracing_exported_spans_total 1\n" +
		"# HELP kurier_tracing_spans_total Spans that ended and were sampled.\n" +
		"# TYPE kurier_tracing_spans_total counter\nkurier_tracing_spans_total 1\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// The default name is Kurier's, and that among the attributes comes before it.
func TestServiceName(t *testing.T) {
	for attributes, want := range map[string]string{"": DefaultServiceName, "service.name=other": "other"} {
		c := otlptest.Start(t)
		p := start(t, Config{URL: c.URL + "/v1/traces", Attributes: attributes})
		_, span := p.Tracer().Start(t.Context(), "a")
		span.End()
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.Spans(); len(got) != 1 || got[0].Resource["service.name"] != want {
			t.Errorf("%q: got %v, want %s", attributes, got, want)
		}
	}
}

func TestNewNamesTheField(t *testing.T) {
	for field, cfg := range map[string]Config{
		"Config.Sampler":    {Sampler: "sometimes"},
		"Config.Attributes": {Attributes: "a"},
	} {
		if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestNewSampler(t *testing.T) {
	on, off := sdktrace.AlwaysSample(), sdktrace.NeverSample()
	for text, want := range map[string]sdktrace.Sampler{
		"": sdktrace.ParentBased(on), "always_on": on, " Always_OFF ": off,
		"parentbased_always_on": sdktrace.ParentBased(on), "parentbased_always_off": sdktrace.ParentBased(off),
		"traceidratio": sdktrace.TraceIDRatioBased(1), "traceidratio 0.25": sdktrace.TraceIDRatioBased(0.25),
		"parentbased_traceidratio 0.5": sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.5)),
	} {
		name, arg, _ := strings.Cut(text, " 0")
		if arg != "" {
			arg = "0" + arg
		}
		got, err := NewSampler(name, arg)
		if err != nil || got.Description() != want.Description() {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want.Description())
		}
	}
	if _, err := NewSampler("jaeger_remote", ""); err == nil || errors.Is(err, ErrRatio) || !strings.Contains(err.Error(), "always_on") {
		t.Errorf("unknown: %v", err)
	}
	for _, arg := range []string{"x", "-0.1", "1.1", "NaN"} {
		if _, err := NewSampler("traceidratio", arg); !errors.Is(err, ErrRatio) {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestParseAttributes(t *testing.T) {
	got, err := ParseAttributes(" a = b , c=d%2Ce=f,, g=")
	var text []string
	for _, a := range got {
		text = append(text, string(a.Key)+"="+a.Value.AsString())
	}
	if want := []string{"a=b", "c=d,e=f", "g="}; err != nil || !slices.Equal(text, want) {
		t.Errorf("got %q, %v, want %q", text, err, want)
	}
	for _, bad := range []string{"a", "=b", "a=%zz", "a=b,c"} {
		if _, err := ParseAttributes(bad); err == nil || !strings.Contains(err.Error(), "key=value") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A collector that answers nothing holds up neither the end of a span nor a stop
// beyond its bound.
func TestCollectorHangs(t *testing.T) {
	c := otlptest.Start(t)
	reached := make(chan struct{}, 100)
	c.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices who goes only then
		reached <- struct{}{}
		<-r.Context().Done()
		return true
	})
	p := start(t, Config{URL: c.URL + "/v1/traces"})
	const many = 10_000 // more than the queue holds
	for range many {
		_, span := p.Tracer().Start(t.Context(), "a")
		span.End()
	}
	if got := testutil.ToFloat64(p.sink.ended); got != many {
		t.Errorf("%v spans counted", got)
	}
	<-reached
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
}

// A collector that is away gets a line when it begins and one a minute, not one
// for each batch; the stop does not wait for it.
func TestCollectorAway(t *testing.T) {
	log := &lines{}
	p := start(t, Config{URL: "http://127.0.0.1:1/v1/traces", Logger: slog.New(slog.NewTextHandler(log, nil))})
	now := time.Unix(1000, 0)
	p.sink.now = func() time.Time { return now }
	export := func() {
		t.Helper()
		_, span := p.Tracer().Start(t.Context(), "a")
		span.End()
		if err := p.sdk.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const line = "spans do not reach the collector"
	for range 5 {
		export()
	}
	if got := log.count(line); got != 1 {
		t.Errorf("%d lines, want one", got)
	}
	now = now.Add(complainEvery)
	export()
	if got := log.count("lost=5"); got != 1 {
		t.Errorf("%d sums of what was lost, want one", got)
	}
	p.sink.complain(errors.New("one"))
	p.sink.complain(errors.New("two"))
	if got := log.count("complains"); got != 1 {
		t.Errorf("%d complaints, want one", got)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// exporter fails as long as it is told to.
type exporter struct{ err error }

func (e *exporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return e.err }
func (e *exporter) Shutdown(context.Context) error                             { return e.err }

// The end of a failure is told, once.
func TestCollectorComesBack(t *testing.T) {
	log := &lines{}
	s, err := newSink(&Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	e := &exporter{err: errors.New("no")}
	s.exporter = e
	spans := make([]sdktrace.ReadOnlySpan, 3)
	for i := range 4 {
		if i == 2 {
			e.err = nil
		}
		if err := s.ExportSpans(t.Context(), spans); err != nil {
			t.Fatal(err)
		}
	}
	got := fmt.Sprintf("%d %d %v", log.count("do not reach"), log.count("again"), testutil.ToFloat64(s.exported))
	if got != "1 1 6" || s.failing() {
		t.Errorf("got %s, failing %v", got, s.failing())
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
