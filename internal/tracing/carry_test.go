package tracing_test

import (
	"context"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/tracing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func seq(pairs ...string) event.HeaderSeq {
	return func(yield func(name, value string) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}

func consumed(pairs ...string) *sarama.ConsumerMessage {
	rec := &sarama.ConsumerMessage{}
	for i := 0; i < len(pairs); i += 2 {
		rec.Headers = append(rec.Headers, &sarama.RecordHeader{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return rec
}

// What names a parent, and what is not taken for one.
func TestExtract(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		state   string
		valid   bool
	}{
		"nothing":                 {nil, "", false},
		"a parent":                {[]string{"traceparent", parent}, "", true},
		"any case":                {[]string{"TraceParent", parent, "TRACESTATE", "a=b"}, "a=b", true},
		"two lines of state":      {[]string{"tracestate", "a=b", "x", "y", "traceparent", parent, "tracestate", "c=d"}, "a=b,c=d", true},
		"state that is none":      {[]string{"traceparent", parent, "tracestate", "no state at all"}, "", true},
		"a later version":         {[]string{"traceparent", "cc" + parent[2:] + "-what-the-future-brings"}, "", true},
		"two parents":             {[]string{"traceparent", parent, "traceparent", parent}, "", false},
		"zero":                    {[]string{"traceparent", "00-00000000000000000000000000000000-0000000000000000-01"}, "", false},
		"garbage":                 {[]string{"traceparent", "0", "tracestate", "a=b"}, "", false},
		"an attribute's header":   {[]string{"ce_traceparent", parent}, "", false},
		"state without a parent":  {[]string{"tracestate", "a=b"}, "", false},
		"something of its length": {[]string{"tracebranch", parent}, "", false},
	} {
		for how, ctx := range map[string]context.Context{
			"headers": tracing.FromHeaders(t.Context(), seq(c.headers...)),
			"record":  tracing.FromRecord(t.Context(), consumed(c.headers...)),
		} {
			sc := trace.SpanContextFromContext(ctx)
			if sc.IsValid() != c.valid || sc.IsRemote() != c.valid || sc.TraceState().String() != c.state {
				t.Errorf("%s in %s: %v, state %q", name, how, sc, sc.TraceState())
			}
			if c.valid && (sc.TraceID().String() != parent[3:35] || sc.SpanID().String() != parent[36:52] || !sc.IsSampled()) {
				t.Errorf("%s in %s: got %v", name, how, sc)
			}
		}
	}
}

func spanContext(t *rapid.T) trace.SpanContext {
	id := func(n int, what string) []byte {
		b := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, what)
		b[n-1] |= 1 // not zero
		return b
	}
	cfg := trace.SpanContextConfig{
		TraceID: trace.TraceID(id(16, "trace")), SpanID: trace.SpanID(id(8, "span")),
		TraceFlags: trace.TraceFlags(rapid.IntRange(0, 3).Draw(t, "flags")),
	}
	if rapid.Bool().Draw(t, "state") {
		cfg.TraceState, _ = trace.ParseTraceState("a=b,c=d")
	}
	return trace.NewSpanContext(cfg)
}

// What is put in comes out again, alone, and nothing else of the headers changes.
func TestInject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before, others []event.Header
		rec := &sarama.ProducerMessage{}
		for _, name := range rapid.SliceOf(rapid.SampledFrom([]string{"traceparent", "tracestate", "baggage", "x-request-id", "knative-a"})).Draw(t, "names") {
			h := event.Header{Name: name, Value: rapid.SampledFrom([]string{parent, "a=b", ""}).Draw(t, "value")}
			before = append(before, h)
			rec.Headers = append(rec.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: []byte(h.Value)})
			if name != "traceparent" && name != "tracestate" {
				others = append(others, h)
			}
		}
		kept := slices.Clone(before)
		want := spanContext(t)
		ctx := trace.ContextWithSpanContext(context.Background(), want)
		after := tracing.Headers(ctx, before)
		tracing.Record(ctx, rec)
		if !slices.Equal(before, kept) {
			t.Fatalf("the headers it was given were written to: %v", before)
		}
		var fromRecord, pairs []string
		for _, h := range rec.Headers {
			fromRecord = append(fromRecord, string(h.Key), string(h.Value))
		}
		for _, h := range after {
			pairs = append(pairs, h.Name, h.Value)
		}
		if !slices.Equal(pairs, fromRecord) {
			t.Fatalf("headers %q, record %q", pairs, fromRecord)
		}
		got := trace.SpanContextFromContext(tracing.FromHeaders(context.Background(), seq(pairs...)))
		if !got.Equal(want.WithRemote(true)) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if rest := after[:len(others)]; !slices.Equal(rest, others) {
			t.Fatalf("others: %v, want %v", rest, others)
		}
	})
}

// Without a span nothing is touched.
func TestInject_nothing(t *testing.T) {
	headers := []event.Header{{Name: "traceparent", Value: parent}}
	if got := tracing.Headers(t.Context(), headers); &got[0] != &headers[0] || got[0].Value != parent {
		t.Errorf("got %v", got)
	}
	rec := &sarama.ProducerMessage{Headers: []sarama.RecordHeader{{Key: []byte("traceparent"), Value: []byte(parent)}}}
	tracing.Record(t.Context(), rec)
	if string(rec.Headers[0].Value) != parent {
		t.Errorf("got %s", rec.Headers[0].Value)
	}
}

func TestMessageID(t *testing.T) {
	m := &event.Message{Attributes: []event.Attribute{
		{Name: "specversion", Value: "1.0"}, {Name: "id", Value: "7"}, {Name: "type", Value: "t"}, {Name: "source", Value: "/s"},
	}}
	for _, structured := range []bool{false, true} {
		rec, err := m.Record("t", structured)
		if err != nil {
			t.Fatal(err)
		}
		if got := tracing.MessageID(rec); got != "7" {
			t.Errorf("structured %v: %q", structured, got)
		}
	}
	for _, rec := range []*sarama.ProducerMessage{{}, {Value: sarama.StringEncoder("{")}} {
		if got := tracing.MessageID(rec); got != "" {
			t.Errorf("no event: %q", got)
		}
	}
}
