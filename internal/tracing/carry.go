package tracing

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/IBM/sarama"
	"go.opentelemetry.io/otel/propagation"

	"kurier.dev/kurier/internal/event"
)

const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// propagator is the only one: what Kurier passes on is W3C trace context.
var propagator propagation.TraceContext

// carrier is trace context on its way; its zero value has none.
type carrier struct {
	parent, state string
	parents       int
}

// Get implements propagation.TextMapCarrier. A second traceparent makes both
// worthless, as it does where headers are passed on.
func (c *carrier) Get(key string) string {
	switch {
	case c.parents != 1:
		return ""
	case key == traceParent:
		return c.parent
	case key == traceState:
		return c.state
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c *carrier) Set(key, value string) {
	switch key {
	case traceParent:
		c.parent = value
	case traceState:
		c.state = value
	}
}

// Keys implements propagation.TextMapCarrier.
func (c *carrier) Keys() []string { return []string{traceParent, traceState} }

// take looks at a header. The value may be a view: it is copied.
func (c *carrier) take(name, value string) {
	switch {
	case len(name) == len(traceParent) && strings.EqualFold(name, traceParent):
		c.parent = strings.Clone(value)
		c.parents++
	case len(name) == len(traceState) && strings.EqualFold(name, traceState):
		if c.state != "" {
			c.state += ","
		}
		c.state += strings.Clone(value)
	}
}

// FromHeaders returns ctx with the span that a request's headers name as remote
// parent, or ctx itself when they name none that is valid.
func FromHeaders(ctx context.Context, headers event.HeaderSeq) context.Context {
	var c carrier
	for name, value := range headers {
		c.take(name, value)
	}
	return propagator.Extract(ctx, &c)
}

// FromRecord is FromHeaders for the headers of a record.
func FromRecord(ctx context.Context, rec *sarama.ConsumerMessage) context.Context {
	var c carrier
	for _, h := range rec.Headers {
		if isContext(h.Key) {
			c.take(string(h.Key), string(h.Value))
		}
	}
	return propagator.Extract(ctx, &c)
}

// Headers returns headers with the trace context of ctx's span instead of what
// they had. The slice it is given is not written to.
func Headers(ctx context.Context, headers []event.Header) []event.Header {
	var c carrier
	propagator.Inject(ctx, &c)
	if c.parent == "" {
		return headers
	}
	out := make([]event.Header, 0, len(headers)+2)
	for _, h := range headers {
		if h.Name != traceParent && h.Name != traceState {
			out = append(out, h)
		}
	}
	out = append(out, event.Header{Name: traceParent, Value: c.parent})
	if c.state != "" {
		out = append(out, event.Header{Name: traceState, Value: c.state})
	}
	return out
}

// Record puts the trace context of ctx's span into a record, instead of what it
// had. Nobody else may be using the record's list of headers.
func Record(ctx context.Context, rec *sarama.ProducerMessage) {
	var c carrier
	propagator.Inject(ctx, &c)
	if c.parent == "" {
		return
	}
	rec.Headers = slices.DeleteFunc(rec.Headers, func(h sarama.RecordHeader) bool { return isContext(h.Key) })
	rec.Headers = append(rec.Headers, sarama.RecordHeader{Key: []byte(traceParent), Value: []byte(c.parent)})
	if c.state != "" {
		rec.Headers = append(rec.Headers, sarama.RecordHeader{Key: []byte(traceState), Value: []byte(c.state)})
	}
}

func isContext(name []byte) bool {
	return len(name) == len(traceParent) && strings.EqualFold(string(name), traceParent) ||
		len(name) == len(traceState) && strings.EqualFold(string(name), traceState)
}

// MessageID is the id of the event in a record that was made for Kafka, binary
// or structured; empty when there is none.
func MessageID(rec *sarama.ProducerMessage) string {
	for _, h := range rec.Headers {
		if string(h.Key) == "ce_id" {
			return string(h.Value)
		}
	}
	if rec.Value == nil {
		return ""
	}
	envelope, err := rec.Value.Encode()
	if err != nil {
		return ""
	}
	var id struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(envelope, &id) != nil {
		return ""
	}
	return id.ID
}
