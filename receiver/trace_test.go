package receiver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/internal/tracing"
)

// kept is a Producer that keeps records, or refuses them.
type kept struct {
	mu      sync.Mutex
	records []*sarama.ProducerMessage
	err     error
}

func (k *kept) Produce(_ context.Context, rec *sarama.ProducerMessage, done func()) error {
	defer done()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, rec)
	return k.err
}

// traces is a receiver whose spans are recorded.
type traces struct {
	t     *testing.T
	spans *tracetest.SpanRecorder
	kafka *kept
	addr  string
}

func newTraces(t *testing.T, options ...sdktrace.TracerProviderOption) *traces {
	t.Helper()
	f := &traces{t: t, spans: tracetest.NewSpanRecorder(), kafka: &kept{}}
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(f.spans))...)
	r, err := New(Config{Tracer: provider.Tracer(tracing.Scope)})
	if err != nil {
		t.Fatal(err)
	}
	r.SetRoutes([]Route{
		{Kind: Broker, Namespace: "ns", Name: "b", Path: "/ns/b", Topic: "topic-b", Producer: f.kafka},
		{Kind: Channel, Namespace: "ns", Name: "c", Path: "/channels/ns/c", Topic: "topic-c", Producer: f.kafka},
		{Kind: Sink, Namespace: "ns", Name: "s", Path: "/sinks/ns/s", Topic: "topic-s", Producer: f.kafka, Structured: true},
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(r.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return f
}

// post sends a body with headers given as name, value, and waits until the
// request's span has ended.
func (f *traces) post(path, body string, headers ...string) int {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+f.addr+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Close = true
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

var minimal = []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "t", "Ce-Source", "/s"}

func attr(s sdktrace.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// parentOf is the traceparent header of a record.
func parentOf(rec *sarama.ProducerMessage) string {
	var all []string
	for _, h := range rec.Headers {
		if string(h.Key) == "traceparent" {
			all = append(all, string(h.Value))
		}
	}
	return strings.Join(all, " ")
}

func named(s sdktrace.ReadOnlySpan) string {
	flags := "00"
	if s.SpanContext().IsSampled() {
		flags = "01"
	}
	return "00-" + s.SpanContext().TraceID().String() + "-" + s.SpanContext().SpanID().String() + "-" + flags
}

const clientParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// A request is a span under the client's, its record one below it, and the
// record carries that one on.
func TestTrace(t *testing.T) {
	for _, c := range []struct{ path, name, topic string }{
		{"/ns/b", "broker:b.ns", "topic-b"}, {"/channels/ns/c", "channel:c.ns", "topic-c"}, {"/sinks/ns/s", "sink:s.ns", "topic-s"},
	} {
		f := newTraces(t)
		if code := f.post(c.path, "", append(minimal, "Traceparent", clientParent, "Tracestate", "a=b", "Baggage", "k=v")...); code != 202 {
			t.Fatalf("%s: %d", c.path, code)
		}
		ended := f.spans.Ended()
		if len(ended) != 2 || len(f.kafka.records) != 1 {
			t.Fatalf("%s: %d spans, %d records", c.path, len(ended), len(f.kafka.records))
		}
		produce, ingress := ended[0], ended[1]
		if ingress.Name() != c.name || produce.Name() != "produce "+c.name {
			t.Errorf("%s: names %q, %q", c.path, ingress.Name(), produce.Name())
		}
		if ingress.SpanKind() != trace.SpanKindServer || produce.SpanKind() != trace.SpanKindProducer {
			t.Errorf("%s: kinds %v, %v", c.path, ingress.SpanKind(), produce.SpanKind())
		}
		if got := ingress.Parent(); got.SpanID().String() != clientParent[36:52] || !got.IsRemote() || ingress.SpanContext().TraceState().String() != "a=b" {
			t.Errorf("%s: ingress is under %v", c.path, got)
		}
		if produce.Parent().SpanID() != ingress.SpanContext().SpanID() || produce.SpanContext().TraceID().String() != clientParent[3:35] {
			t.Errorf("%s: produce is under %v", c.path, produce.Parent())
		}
		if got := parentOf(f.kafka.records[0]); got != named(produce) {
			t.Errorf("%s: the record says %q, want %q", c.path, got, named(produce))
		}
		for _, s := range ended {
			if attr(s, "messaging.system") != "knative" || attr(s, "messaging.destination.name") != c.name || attr(s, "messaging.message.id") != "1" {
				t.Errorf("%s: %s has %v", c.path, s.Name(), s.Attributes())
			}
		}
		if attr(produce, "kurier.topic") != c.topic || attr(ingress, "http.response.status_code") != "202" {
			t.Errorf("%s: %v, %v", c.path, produce.Attributes(), ingress.Attributes())
		}
		state := slices.ContainsFunc(f.kafka.records[0].Headers, func(h sarama.RecordHeader) bool { return string(h.Key) == "tracestate" && string(h.Value) == "a=b" })
		baggage := slices.ContainsFunc(f.kafka.records[0].Headers, func(h sarama.RecordHeader) bool { return string(h.Key) == "baggage" && string(h.Value) == "k=v" })
		if !state || !baggage {
			t.Errorf("%s: tracestate %v, baggage %v", c.path, state, baggage)
		}
	}
}

// Each event of a batch has a span and a traceparent of its own.
func TestTrace_batch(t *testing.T) {
	f := newTraces(t)
	const one = `{"specversion":"1.0","id":"1","source":"s","type":"t"}`
	if code := f.post("/ns/b", "["+one+","+strings.Replace(one, `"1"`, `"2"`, 1)+"]", "Content-Type", "application/cloudevents-batch+json"); code != 202 {
		t.Fatal(code)
	}
	ended := f.spans.Ended()
	if len(ended) != 3 {
		t.Fatalf("%d spans", len(ended))
	}
	ingress := ended[2]
	if attr(ingress, "messaging.batch.message_count") != "2" || attr(ingress, "messaging.message.id") != "" {
		t.Errorf("ingress: %v", ingress.Attributes())
	}
	byParent := map[string]string{}
	for _, rec := range f.kafka.records {
		byParent[parentOf(rec)] = tracing.MessageID(rec)
	}
	for _, produce := range ended[:2] {
		if id := byParent[named(produce)]; id == "" || id != attr(produce, "messaging.message.id") || produce.Parent().SpanID() != ingress.SpanContext().SpanID() {
			t.Errorf("%v: records %v", produce.Attributes(), byParent)
		}
	}
}

// What is refused is a span, too; only what is ours is an error.
func TestTrace_refused(t *testing.T) {
	f := newTraces(t)
	if code := f.post("/ns/b", "", "Ce-Specversion", "1.0"); code != 400 {
		t.Fatal(code)
	}
	f.kafka.err = errors.New("no leader")
	if code := f.post("/ns/b", "", minimal...); code != 503 {
		t.Fatal(code)
	}
	ended := f.spans.Ended()
	if len(ended) != 3 {
		t.Fatalf("%d spans", len(ended))
	}
	bad, produce, ingress := ended[0], ended[1], ended[2]
	if attr(bad, "http.response.status_code") != "400" || bad.Status().Code != otelcodes.Unset {
		t.Errorf("400: %v, %v", bad.Attributes(), bad.Status())
	}
	if attr(ingress, "http.response.status_code") != "503" || ingress.Status().Code != otelcodes.Error ||
		produce.Status() != (sdktrace.Status{Code: otelcodes.Error, Description: "no leader"}) {
		t.Errorf("503: %v, %v, %v", ingress.Attributes(), ingress.Status(), produce.Status())
	}
	if code := f.post("/nobody/x", "", minimal...); code != 404 || len(f.spans.Ended()) != 3 {
		t.Errorf("what has no route has no span: %d, %d spans", code, len(f.spans.Ended()))
	}
}

// What is not sampled goes on in its trace and tells so.
func TestTrace_notSampled(t *testing.T) {
	f := newTraces(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	if code := f.post("/ns/b", "", append(minimal, "Traceparent", clientParent)...); code != 202 {
		t.Fatal(code)
	}
	got := parentOf(f.kafka.records[0])
	if len(f.spans.Ended()) != 0 || !strings.HasPrefix(got, clientParent[:36]) || !strings.HasSuffix(got, "-00") {
		t.Errorf("%d spans, %q", len(f.spans.Ended()), got)
	}
}

// Without a tracer the seam costs no allocation, and the producer is asked itself.
func TestTrace_offCostsNothing(t *testing.T) {
	e := &entry{Route: Route{Producer: &kept{}}}
	req := &request{}
	var p Producer
	if n := testing.AllocsPerRun(1000, func() {
		req.ingress.batchOf(3)
		p = e.producer(req)
	}); n != 0 || p != e.Producer {
		t.Errorf("%v allocations, producer %T", n, p)
	}
}
