package dispatcher

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/tracing"
)

const produced = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traced plays an event with a traceparent, as the receiver stores it, and
// returns the spans in the order of their ends.
func traced(t *testing.T, s *script, sub Subscription) []sdktrace.ReadOnlySpan {
	t.Helper()
	m := minEvent()
	m.Headers = []event.Header{{Name: "x-request-id", Value: "x"}, {Name: "traceparent", Value: produced}, {Name: "tracestate", Value: "a=b"}}
	return tracedDelivery(t, s, sub, &consumer.Delivery{Record: record(t, m)})
}

func tracedDelivery(t *testing.T, s *script, sub Subscription, d *consumer.Delivery) []sdktrace.ReadOnlySpan {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer(tracing.Scope)
	p := testPipeline(t, &tracedSender{next: s, tracer: tracer}, Config{Tracer: tracer}, sub)
	if waits, done := run(p, d, 20); !done {
		t.Fatalf("unsettled after %v", waits)
	}
	return spans.Ended()
}

func attrOf(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// tree writes spans as lines: depth, name, kind, what its attributes and status
// say. All must be of the producer's trace.
func tree(t *testing.T, spans []sdktrace.ReadOnlySpan) string {
	t.Helper()
	depth := map[trace.SpanID]int{}
	var lines []string
	for i := len(spans) - 1; i >= 0; i-- { // a parent ends behind its children
		s := spans[i]
		if s.SpanContext().TraceID().String() != produced[3:35] {
			t.Errorf("%s is of another trace", s.Name())
		}
		level, ok := depth[s.Parent().SpanID()]
		if !ok && s.Parent().SpanID().String() != produced[36:52] {
			t.Errorf("%s has the parent %v", s.Name(), s.Parent().SpanID())
		}
		depth[s.SpanContext().SpanID()] = level + 1
		line := fmt.Sprintf("%s%s (%v)", strings.Repeat("  ", level), s.Name(), s.SpanKind())
		for _, key := range []attribute.Key{tracing.Attempt, tracing.Outcome, "http.response.status_code"} {
			if v := attrOf(s, key); v != "" {
				line += " " + v
			}
		}
		if s.Status().Code == otelcodes.Error {
			line += " !"
		}
		lines = append([]string{line}, lines...)
	}
	return strings.Join(lines, "\n")
}

// carries checks that a place got the span that ended as i-th.
func carries(t *testing.T, where string, headers []event.Header, span sdktrace.ReadOnlySpan) {
	t.Helper()
	want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	var got []string
	for _, h := range headers {
		if h.Name == "traceparent" {
			got = append(got, h.Value)
		}
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%s got %q, want %q", where, got, want)
	}
}

func check(t *testing.T, got string, want ...string) {
	t.Helper()
	if w := strings.Join(want, "\n"); got != w {
		t.Errorf("got\n%s\nwant\n%s", got, w)
	}
}

// A retry is a span of its own, and each attempt carries its own.
func TestTrace_retry(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"] = []string{"503", "202"}
	spans := traced(t, s, trigger(func(sub *Subscription) { sub.Delivery.Retry = 1 }))
	check(t, tree(t, spans),
		"  dispatch trigger:t.default (client) 503 !", "trigger:t.default (consumer) 1 retry !",
		"  dispatch trigger:t.default (client) 202", "trigger:t.default (consumer) 2 delivered")
	for i, m := range s.seen["subscriber"] {
		carries(t, "the subscriber", m.Event.Headers, spans[2*i])
		if got := headers(m.Event.Headers); !strings.HasPrefix(got, "x-request-id=x traceparent=") || !strings.HasSuffix(got, " tracestate=a=b") {
			t.Errorf("the subscriber got %s", got)
		}
	}
	for _, span := range spans {
		for key, want := range map[attribute.Key]string{
			"messaging.system": "knative", "messaging.destination.name": "trigger:t.default", "messaging.message.id": "1",
		} {
			if got := attrOf(span, key); got != want {
				t.Errorf("%s: %s is %q", span.Name(), key, got)
			}
		}
	}
	process := spans[1]
	for key, want := range map[attribute.Key]string{
		"kurier.topic": sourceTopic, "messaging.destination.partition.id": "3", "messaging.kafka.offset": "42", "messaging.consumer.group.name": "g",
	} {
		if got := attrOf(process, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := attrOf(spans[0], "url.full"); got != subscriberURL {
		t.Errorf("url.full is %q", got)
	}
}

// A reply joins the trace, on its way to a Broker's topic and to an address.
func TestTrace_reply(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"], s.answers["broker"] = []string{"event"}, []string{"ok"}
	spans := traced(t, s, trigger(nil))
	check(t, tree(t, spans), "  dispatch trigger:t.default (client) 200", "  reply trigger:t.default (producer)", "trigger:t.default (consumer) 1 delivered")
	var got []event.Header
	for _, h := range s.last("broker").Record.Headers {
		got = append(got, event.Header{Name: string(h.Key), Value: string(h.Value)})
	}
	carries(t, "the Broker's topic", got, spans[1])

	s = newScript(t)
	s.answers["subscriber"], s.answers["reply"] = []string{"event"}, []string{"202"}
	spans = traced(t, s, trigger(func(sub *Subscription) { setKind(sub, "subscription with reply"); sub.Kind = "Subscription" }))
	check(t, tree(t, spans), "  dispatch subscription:t.default (client) 200", "  reply subscription:t.default (client) 202", "subscription:t.default (consumer) 1 delivered")
	carries(t, "the reply's place", s.last("reply").Event.Headers, spans[1])
	if got := attrOf(spans[1], "messaging.message.id"); got != "r" {
		t.Errorf("the reply's id is %q", got)
	}
}

// Dead letters join, in a sink and in the topic; a drop says so.
func TestTrace_deadLetter(t *testing.T) {
	for _, c := range []struct {
		place, answer, line, end string
		change                   func(*Subscription)
	}{
		{"sink", "202", "  dead-letter trigger:t.default (client) 202\n", "dead-lettered", func(s *Subscription) { s.Delivery.DeadLetterSink = &Destination{URL: sinkURL} }},
		{"topic", "ok", "  dead-letter trigger:t.default (producer)\n", "dead-lettered", nil},
		{"", "", "", "dropped", func(s *Subscription) { s.DeadLetter.Drop = true }},
	} {
		s := newScript(t)
		s.answers["subscriber"], s.answers[c.place] = []string{"400"}, []string{c.answer}
		spans := traced(t, s, trigger(c.change))
		check(t, tree(t, spans), "  dispatch trigger:t.default (client) 400 !", c.line+"trigger:t.default (consumer) 1 "+c.end+" !")
		if c.place != "" {
			carries(t, c.place, s.last(c.place).Event.Headers, spans[1])
		}
	}
}

// A dead letter sink that fails shows as held.
func TestTrace_held(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"], s.answers["topic"] = []string{"400"}, []string{"refused", "ok"}
	spans := traced(t, s, trigger(nil))
	check(t, tree(t, spans), "  dispatch trigger:t.default (client) 400 !", "  dead-letter trigger:t.default (producer) !", "trigger:t.default (consumer) 1 held !",
		"  dead-letter trigger:t.default (producer)", "trigger:t.default (consumer) 2 dead-lettered !")
}

// What the filter refuses is told in one span.
func TestTrace_filtered(t *testing.T) {
	spans := traced(t, newScript(t), trigger(func(s *Subscription) { s.Attributes = map[string]string{"type": "other"} }))
	check(t, tree(t, spans), "trigger:t.default (consumer) 1 filtered")
}

// A record that is no CloudEvent keeps its headers in the dead letter topic.
func TestTrace_notCloudEvent(t *testing.T) {
	s := newScript(t)
	s.answers["topic"] = []string{"ok"}
	m := minEvent()
	m.Headers = []event.Header{{Name: "traceparent", Value: produced}}
	rec := record(t, m)
	rec.Headers = rec.Headers[len(rec.Headers)-1:] // no attributes left
	spans := tracedDelivery(t, s, trigger(nil), &consumer.Delivery{Record: rec})
	check(t, tree(t, spans), "  dead-letter trigger:t.default (producer)", "trigger:t.default (consumer) 1 dead-lettered !")
	if got := string(s.last("topic").Record.Headers[0].Value); got != produced {
		t.Errorf("traceparent is now %q", got)
	}
}

// An attempt that ends with its context says so and is no outcome.
func TestTrace_cancelled(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"] = []string{"hang"}
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer(tracing.Scope)
	p := testPipeline(t, &tracedSender{next: s, tracer: tracer}, Config{Tracer: tracer}, trigger(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.handle(ctx, &consumer.Delivery{Record: record(t, minEvent())}); err == nil {
		t.Fatal("no error")
	}
	ended := spans.Ended()
	if len(ended) != 2 || attrOf(ended[1], tracing.Outcome) != outcomeCancelled {
		t.Errorf("got %v", ended)
	}
}

// A password of a URL does not reach the collector.
func TestTrace_password(t *testing.T) {
	if got := goesTo(&Destination{URL: "http://me:secret@host/path"}).Value.AsString(); strings.Contains(got, "secret") || !strings.Contains(got, "host/path") {
		t.Errorf("got %s", got)
	}
}

// Without a tracer the pipeline allocates what it allocates without the seam.
func TestTrace_offCostsNothing(t *testing.T) {
	p := testPipeline(t, newScript(t), Config{}, trigger(func(s *Subscription) { s.Attributes = map[string]string{"type": "other"} }))
	d := &consumer.Delivery{Record: record(t, minEvent())}
	v, _ := p.open(d, p.settings.Load())
	ctx := t.Context()
	measure := func(f func(context.Context, *delivery) error) float64 {
		return testing.AllocsPerRun(1000, func() {
			v.stage = atSubscriber
			if err := f(ctx, v); err != nil {
				t.Fatal(err)
			}
		})
	}
	if with, without := measure(p.follow), measure(p.advance); with != without {
		t.Errorf("%v allocations, %v without the seam", with, without)
	}
}
