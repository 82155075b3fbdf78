package dispatcher

import (
	"context"
	"errors"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/tracing"
)

// Outcomes of a call that an event survives.
const (
	outcomeRetry     = "retry"
	outcomeCancelled = "cancelled"
)

// followed finds the *delivery of a call in the context of its attempts.
type followed struct{}

// follow is advance, with a span around it when spans are wanted. A call is a
// span: one for the whole way of an event would be lost with the process or the
// partition, and could end days later.
func (p *pipeline) follow(ctx context.Context, v *delivery) error {
	if p.cfg.Tracer == nil {
		return p.advance(ctx, v)
	}
	s := v.settings
	name := tracing.Destination(s.Kind, s.Namespace, s.Name)
	ctx, span := p.cfg.Tracer.Start(tracing.FromRecord(ctx, v.Record), name,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(tracing.Common(name)...))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(messageID(v.event), semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationPartitionID(strconv.Itoa(int(v.Record.Partition))),
			semconv.MessagingKafkaOffset(int(v.Record.Offset)),
			semconv.MessagingConsumerGroupName(s.Group),
			tracing.Topic.String(v.Record.Topic), tracing.Attempt.Int(v.Attempts+1))
	}
	err := p.advance(context.WithValue(ctx, followed{}, v), v)
	v.tell(span, err)
	return err
}

// tell notes how a call went.
func (v *delivery) tell(span trace.Span, err error) {
	var later *consumer.Later
	switch {
	case err == nil:
		span.SetAttributes(tracing.Outcome.String(v.outcome.String()))
		if v.outcome == outcomeDeadLettered || v.outcome == outcomeDropped {
			span.SetStatus(codes.Error, v.reasonText())
		}
	case errors.As(err, &later):
		how := outcomeRetry
		if later.Held {
			how = outcomeHeld.String()
		}
		span.SetAttributes(tracing.Outcome.String(how))
		if later.Err != nil {
			span.SetStatus(codes.Error, later.Err.Error())
		}
	default:
		span.SetAttributes(tracing.Outcome.String(outcomeCancelled))
	}
}

// reasonText is why an event did not reach its subscriber.
func (v *delivery) reasonText() string {
	switch {
	case v.err != nil:
		return v.err.Error()
	case v.failure != nil:
		return v.failure.err.Error()
	}
	return ""
}

// tracedSender makes a span of each attempt and hands it to who gets the event.
type tracedSender struct {
	next   Sender
	tracer trace.Tracer
}

// Send implements Sender.
func (t *tracedSender) Send(ctx context.Context, m Message) (Result, error) {
	v, ok := ctx.Value(followed{}).(*delivery)
	if !ok {
		return t.next.Send(ctx, m)
	}
	s := v.settings
	name := tracing.Destination(s.Kind, s.Namespace, s.Name)
	kind := trace.SpanKindClient
	if m.To.Topic != "" {
		kind = trace.SpanKindProducer
	}
	ctx, span := t.tracer.Start(ctx, operation(v.stage)+" "+name,
		trace.WithSpanKind(kind), trace.WithAttributes(tracing.Common(name)...))
	defer span.End()
	if span.IsRecording() {
		span.SetAttributes(messageID(m.Event), semconv.MessagingOperationTypeSend, goesTo(&m.To))
	}
	hand(ctx, &m)
	res, err := t.next.Send(ctx, m)
	finish(span, &res, err)
	return res, err
}

// hand puts the span of ctx into what is sent. A record that is no CloudEvent
// keeps the headers that it had (DL-37).
func hand(ctx context.Context, m *Message) {
	switch {
	case m.Event == nil:
	case m.Record != nil:
		tracing.Record(ctx, m.Record)
	default:
		e := *m.Event
		e.Headers = tracing.Headers(ctx, e.Headers)
		m.Event = &e
	}
}

func finish(span trace.Span, res *Result, err error) {
	code := res.Code
	if attempt := asAttempt(err); attempt != nil {
		code = attempt.Code
	}
	if code != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(code))
	}
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
}

func operation(s stage) string {
	switch s {
	case atReply:
		return tracing.Reply
	case atDeadLetter:
		return tracing.DeadLetter
	case atSubscriber, settled:
	}
	return tracing.Dispatch
}

// goesTo is where an attempt goes, without a password.
func goesTo(to *Destination) attribute.KeyValue {
	if to.Topic != "" {
		return tracing.Topic.String(to.Topic)
	}
	text := to.URL
	if u, err := url.Parse(to.URL); err == nil {
		text = u.Redacted()
	}
	return semconv.URLFull(text)
}

func messageID(m *event.Message) attribute.KeyValue {
	if m == nil {
		return semconv.MessagingMessageID("")
	}
	id, _ := m.Get(event.ID)
	return semconv.MessagingMessageID(id)
}
