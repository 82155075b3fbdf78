// Package otlptest is a collector in the test's own process: an HTTP server that
// takes spans over OTLP and keeps them.
package otlptest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"kurier.dev/kurier/test/harness"
)

// Span is a span as it arrived.
type Span struct {
	Name               string
	Kind               spans.Span_SpanKind
	Trace, ID, Parent  string            // hex; Parent is empty for a root
	Attributes         map[string]string // of the span
	Resource           map[string]string // of the process
	Failed             bool
	Status, TraceState string
	Start, End         time.Time
}

// TraceParent is the header that names the span as parent.
func (s *Span) TraceParent() string { return "00-" + s.Trace + "-" + s.ID + "-01" }

// Collector keeps what it gets. Its methods are safe for concurrent use.
type Collector struct {
	URL string // the endpoint: without path

	mu       sync.Mutex
	spans    []Span
	requests int
	answer   func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	problem  error
}

// Start starts a collector that ends with the test.
func Start(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := harness.NewServer(t, c)
	c.URL = server.URL
	t.Cleanup(func() {
		server.Close() // what it has got by then counts
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.problem != nil {
			t.Error(c.problem)
		}
	})
	return c
}

// Answer lets f answer requests; when it reports true the spans are not kept.
func (c *Collector) Answer(f func(w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = f
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.requests++
	answer := c.answer
	c.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	request, err := read(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.problem = err
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, of := range request.GetResourceSpans() {
		resource := texts(of.GetResource().GetAttributes())
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, span(s, resource))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func read(r *http.Request) (*collect.ExportTraceServiceRequest, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("unexpected %s %s with %s", r.Method, r.URL.Path, r.Header.Get("Content-Type"))
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	request := &collect.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(raw, request); err != nil {
		return nil, fmt.Errorf("decode the body: %w", err)
	}
	return request, nil
}

func span(s *spans.Span, resource map[string]string) Span {
	return Span{
		Name: s.GetName(), Kind: s.GetKind(), TraceState: s.GetTraceState(),
		Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Attributes: texts(s.GetAttributes()), Resource: resource,
		Failed: s.GetStatus().GetCode() == spans.Status_STATUS_CODE_ERROR, Status: s.GetStatus().GetMessage(),
		Start: time.Unix(0, int64(s.GetStartTimeUnixNano())), End: time.Unix(0, int64(s.GetEndTimeUnixNano())), //nolint:gosec // a time of today
	}
}

func texts(attributes []*common.KeyValue) map[string]string {
	all := make(map[string]string, len(attributes))
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.GetKey()] = fmt.Sprint(v.IntValue)
		default:
			all[a.GetKey()] = fmt.Sprint(v)
		}
	}
	return all
}

// Requests is the number of requests so far.
func (c *Collector) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Spans are all so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Of are the spans of a trace, in the order of their starts.
func (c *Collector) Of(trace string) []Span {
	of := slices.DeleteFunc(c.Spans(), func(s Span) bool { return s.Trace != trace })
	slices.SortStableFunc(of, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return of
}

// Tree is a trace as text, a line per span, children indented below their
// parents; a span whose parent is not there is a root.
func Tree(all []Span) string {
	known := map[string]bool{}
	for _, s := range all {
		known[s.ID] = true
	}
	var b strings.Builder
	var write func(parent string, depth int)
	write = func(parent string, depth int) {
		for _, s := range all {
			if root := !known[s.Parent]; depth == 0 && root || depth > 0 && s.Parent == parent {
				fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", depth), s.Name)
				write(s.ID, depth+1)
			}
		}
	}
	write("", 0)
	return b.String()
}
