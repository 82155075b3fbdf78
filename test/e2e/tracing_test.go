package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
	"kurier.dev/kurier/test/otlptest"
)

const (
	clientTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan   = "00f067aa0ba902b7"
	clientParent = "00-" + clientTrace + "-" + clientSpan + "-01"
)

// replying answers the first event with another one.
func replying(r *harness.Request) harness.Answer {
	if r.Attribute("type") != "ask" {
		return harness.Answer{}
	}
	return harness.Answer{Status: http.StatusOK, Header: http.Header{
		"Ce-Specversion": {"1.0"}, "Ce-Id": {"answer"}, "Ce-Type": {"answer"}, "Ce-Source": {"/subscriber"},
	}}
}

// traced is a receiver and a dispatcher, two processes on a real Kafka, that send
// their spans to a collector; env says more.
func traced(t *testing.T, endpoint string, env harness.Env) (receiver, dispatcher *harness.System) {
	t.Helper()
	receiver = harness.NewSystem(t, harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": kafkatest.Shared(t).Bootstrap(), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100",
	}.With(env), "receiver")
	return receiver, receiver.Sibling(t, harness.Env{"INSTANCE_NAME": "dispatcher"}, "dispatcher")
}

// TestOneTrace: an event, its reply into the Broker's topic and a dead letter are
// one trace over both processes, from the client's span to the subscribers.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	collector := otlptest.Start(t)
	receiver, dispatcher := traced(t, collector.URL, harness.Env{"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test"})
	w := newWorld(t, receiver)
	answering, refusing, sink := harness.NewSubscriber(t, replying), harness.NewSubscriber(t, func(*harness.Request) harness.Answer {
		return harness.Answer{Status: http.StatusBadRequest}
	}), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.channel("c", "")
	w.trigger("asked", "b", answering.URL, consumer{filter: "filter: {attributes: {type: ask}}"})
	w.trigger("answered", "b", refusing.URL, consumer{
		filter: "filter: {attributes: {type: answer}}", delivery: fmt.Sprintf("{retry: 0, deadLetterSink: {uri: %q}}", sink.URL),
	})
	w.subscription("s", "c", answering.URL, consumer{})
	w.write()
	receiver.StartReady(t)
	dispatcher.StartReady(t)
	dispatcher.AwaitObjects(t, w.refs...)
	w.send("b", harness.Event{ID: "question", Type: "ask", Header: http.Header{
		"Traceparent": {clientParent}, "Tracestate": {"a=b"}, "Baggage": {"k=v"},
	}})
	w.sendTo("c", harness.Event{ID: "alone"})
	letter := sink.AwaitReceived(t, 1)[0]
	answering.AwaitReceived(t, 2)
	w.s = dispatcher
	w.settled(w.ref("trigger", "asked"), w.ref("trigger", "answered"), w.ref("subscription", "s"))
	dispatcher.Command.Stop(t)
	receiver.Command.Stop(t)

	trace := collector.Of(clientTrace)
	ns := "." + w.ns
	want := strings.Join([]string{
		"broker:b" + ns,
		"  produce broker:b" + ns,
		"    trigger:asked" + ns,
		"      dispatch trigger:asked" + ns,
		"      reply trigger:asked" + ns,
		"        trigger:answered" + ns,
		"          dispatch trigger:answered" + ns,
		"          dead-letter trigger:answered" + ns,
		"",
	}, "\n")
	// Each Trigger refuses what is meant for the other one: these come in any order.
	refused := func(s otlptest.Span) bool { return s.Attributes["kurier.outcome"] == "filtered" }
	if n := len(slices.Collect(filtered(trace, refused))); n != 2 {
		t.Errorf("%d spans of events that a filter refused, want 2", n)
	}
	trace = slices.DeleteFunc(trace, refused)
	if got := otlptest.Tree(trace); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	oneTrace(t, trace)
	carried := map[string]string{}
	for _, s := range trace {
		carried[s.Name] = s.TraceParent()
	}
	question := answering.Received()[slices.IndexFunc(answering.Received(), func(r harness.Request) bool { return r.ID() == "question" })]
	for what, header := range map[string]http.Header{
		"dispatch trigger:asked": question.Header, "dispatch trigger:answered": refusing.Requests()[0].Header, "dead-letter trigger:answered": letter.Header,
	} {
		if got := header["Traceparent"]; len(got) != 1 || got[0] != carried[what+ns] {
			t.Errorf("%s: traceparent %q, want %q", what, got, carried[what+ns])
		}
	}
	if question.Header.Get("Tracestate") != "a=b" || question.Header.Get("Baggage") != "k=v" {
		t.Errorf("the subscriber got tracestate %q, baggage %q", question.Header.Get("Tracestate"), question.Header.Get("Baggage"))
	}
	alone(t, collector, ns)
}

func filtered(all []otlptest.Span, keep func(otlptest.Span) bool) func(func(otlptest.Span) bool) {
	return func(yield func(otlptest.Span) bool) {
		for _, s := range all {
			if keep(s) && !yield(s) {
				return
			}
		}
	}
}

// oneTrace checks what the tree does not show.
func oneTrace(t *testing.T, trace []otlptest.Span) {
	t.Helper()
	if trace[0].Parent != clientSpan || trace[0].TraceState != "a=b" {
		t.Errorf("ingress has the parent %s and the state %q", trace[0].Parent, trace[0].TraceState)
	}
	for i, want := range []struct {
		kind         spans.Span_SpanKind
		process, id  string
		code, result string
	}{
		{spans.Span_SPAN_KIND_SERVER, "receiver", "question", "202", ""},
		{spans.Span_SPAN_KIND_PRODUCER, "receiver", "question", "", ""},
		{spans.Span_SPAN_KIND_CONSUMER, "dispatcher", "question", "", "delivered"},
		{spans.Span_SPAN_KIND_CLIENT, "dispatcher", "question", "200", ""},
		{spans.Span_SPAN_KIND_PRODUCER, "dispatcher", "answer", "", ""},
		{spans.Span_SPAN_KIND_CONSUMER, "dispatcher", "answer", "", "dead-lettered"},
		{spans.Span_SPAN_KIND_CLIENT, "dispatcher", "answer", "400", ""},
		{spans.Span_SPAN_KIND_CLIENT, "dispatcher", "answer", "202", ""},
	} {
		s := trace[i]
		got := fmt.Sprint(s.Kind, s.Resource["service.instance.id"], s.Attributes["messaging.message.id"],
			s.Attributes["http.response.status_code"], s.Attributes["kurier.outcome"])
		if w := fmt.Sprint(want.kind, want.process, want.id, want.code, want.result); got != w {
			t.Errorf("%s: got %s, want %s", s.Name, got, w)
		}
		if s.Attributes["messaging.system"] != "knative" || !strings.HasSuffix(s.Name, s.Attributes["messaging.destination.name"]) ||
			s.Resource["service.name"] != "kurier" || s.Resource["deployment.environment"] != "test" {
			t.Errorf("%s: %v of %v", s.Name, s.Attributes, s.Resource)
		}
	}
}

// alone checks the event that came to a channel without a trace: it begins one.
func alone(t *testing.T, collector *otlptest.Collector, ns string) {
	t.Helper()
	all := collector.Spans()
	i := slices.IndexFunc(all, func(s otlptest.Span) bool { return s.Name == "channel:c"+ns })
	if i < 0 {
		t.Fatal("no span of the channel")
	}
	want := "channel:c" + ns + "\n  produce channel:c" + ns + "\n    subscription:s" + ns + "\n      dispatch subscription:s" + ns + "\n"
	if got := otlptest.Tree(collector.Of(all[i].Trace)); got != want || all[i].Parent != "" {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTraceNotSampled: without sampling no span leaves a process; events stay in
// their trace and say that it is not recorded.
func TestTraceNotSampled(t *testing.T) {
	t.Parallel()
	collector := otlptest.Start(t)
	receiver, dispatcher := traced(t, collector.URL, harness.Env{"OTEL_TRACES_SAMPLER": "always_off"})
	got := throughTraced(t, receiver, dispatcher)
	if !strings.HasPrefix(got, "00-"+clientTrace+"-") || strings.Contains(got, clientSpan) || !strings.HasSuffix(got, "-00") {
		t.Errorf("traceparent %q", got)
	}
	if n := collector.Requests(); n != 0 {
		t.Errorf("the collector got %d requests", n)
	}
}

// TestTracingDisabled: with OTEL_SDK_DISABLED headers pass as they came.
func TestTracingDisabled(t *testing.T) {
	t.Parallel()
	collector := otlptest.Start(t)
	receiver, dispatcher := traced(t, collector.URL, harness.Env{"OTEL_SDK_DISABLED": "true"})
	if got := throughTraced(t, receiver, dispatcher); got != clientParent || collector.Requests() != 0 {
		t.Errorf("traceparent %q, %d requests at the collector", got, collector.Requests())
	}
}

// TestCollectorDown: nobody listens where spans should go. Events are delivered,
// the log says so once, and the stop does not wait.
func TestCollectorDown(t *testing.T) {
	t.Parallel()
	ports, err := kafkatest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	receiver, dispatcher := traced(t, fmt.Sprintf("http://127.0.0.1:%d", ports[0]), nil)
	if got := throughTraced(t, receiver, dispatcher); !strings.HasPrefix(got, "00-"+clientTrace+"-") || strings.Contains(got, clientSpan) {
		t.Errorf("traceparent %q", got)
	}
	for _, s := range []*harness.System{receiver, dispatcher} {
		if lines := s.Command.Stderr.Lines("spans do not reach the collector"); len(lines) == 0 || len(lines) > 3 {
			t.Errorf("%d lines about the collector:\n%s", len(lines), strings.Join(lines, "\n"))
		}
	}
}

// throughTraced sends 200 events one after the other, of which the first is of the
// client's trace, stops both processes and returns the traceparent that its
// subscriber got.
func throughTraced(t *testing.T, receiver, dispatcher *harness.System) string {
	t.Helper()
	w := newWorld(t, receiver)
	sub := harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{})
	w.write()
	receiver.StartReady(t)
	dispatcher.StartReady(t)
	dispatcher.AwaitObjects(t, w.refs...)
	events := harness.Numbered("e", 200)
	events[0].Header = http.Header{"Traceparent": {clientParent}}
	w.send("b", events...)
	received := sub.AwaitReceived(t, len(events))
	w.s = dispatcher
	w.settled(w.ref("trigger", "t"))
	began := time.Now()
	dispatcher.Command.Stop(t)
	receiver.Command.Stop(t)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the two stops took %s", took)
	}
	if missing, repeats := harness.Missing(harness.IDsOf(events), sub.IDs()); len(missing)+repeats > 0 {
		t.Errorf("missing %s, %d repeats", harness.Join(missing), repeats)
	}
	first := received[slices.IndexFunc(received, func(r harness.Request) bool { return r.ID() == events[0].ID })]
	if got := first.Header["Traceparent"]; len(got) == 1 {
		return got[0]
	}
	t.Fatalf("the subscriber got the traceparents %q", first.Header["Traceparent"])
	return ""
}
