package receiver

import (
	"context"

	"github.com/IBM/sarama"
	otelcodes "go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/internal/tracing"
)

// ingress is the span of a request, and what the spans of its records need. A
// nil *ingress means that nobody wants spans.
type ingress struct {
	ctx         context.Context // carries the span; for its children alone
	span        trace.Span
	tracer      trace.Tracer
	destination string
	batch       bool
}

// traced is store with a span around it, joined to the trace that the client's
// headers name.
func (r *Receiver) traced(e *entry, req *request) answer {
	in := &ingress{tracer: r.cfg.Tracer, destination: tracing.Destination(e.Kind.String(), e.Namespace, e.Name)}
	in.ctx, in.span = in.tracer.Start(tracing.FromHeaders(context.Background(), req.headers), in.destination,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(tracing.Common(in.destination)...))
	defer in.span.End()
	req.ingress = in
	a := r.store(e, req)
	in.span.SetAttributes(semconv.HTTPResponseStatusCode(a.status))
	if a.status >= 500 { // what is below is the client's error, not ours
		in.span.SetStatus(otelcodes.Error, a.detail)
	}
	return a
}

// producer stores the records of a request.
func (e *entry) producer(req *request) Producer {
	if req.ingress == nil {
		return e.Producer
	}
	return &tracedProducer{ingress: req.ingress, entry: e}
}

// batchOf notes that a request holds a batch.
func (in *ingress) batchOf(events int) {
	if in != nil {
		in.batch = true
		in.span.SetAttributes(semconv.MessagingBatchMessageCount(events))
	}
}

// tracedProducer makes the spans of produces and hands them to whoever reads the
// records.
type tracedProducer struct {
	*ingress
	entry *entry
}

// Produce implements Producer.
func (p *tracedProducer) Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error {
	parent, span := p.tracer.Start(p.ctx, tracing.Produce+" "+p.destination,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(tracing.Common(p.destination)...))
	defer span.End()
	if span.IsRecording() {
		id := semconv.MessagingMessageID(tracing.MessageID(rec))
		span.SetAttributes(id, semconv.MessagingOperationTypeSend, tracing.Topic.String(rec.Topic))
		if !p.batch {
			p.span.SetAttributes(id)
		}
	}
	tracing.Record(parent, rec)
	err := p.entry.Producer.Produce(ctx, rec, done)
	if err != nil {
		span.SetStatus(otelcodes.Error, err.Error())
	}
	return err
}
