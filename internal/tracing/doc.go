// Package tracing holds what the spans of receiver and dispatcher have in
// common: their names, their attributes, and how trace context (W3C) travels in
// HTTP headers and Kafka records.
//
// It refuses to export, to sample and to read the environment: whoever makes
// spans is handed a trace.Tracer, and package otlp makes one.
package tracing

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Scope is the instrumentation scope of all spans.
const Scope = "kurier.dev/kurier"

// The operations of spans below those of ingress and process, which are named by
// their destination alone.
const (
	Produce    = "produce"
	Dispatch   = "dispatch"
	Reply      = "reply"
	DeadLetter = "dead-letter"
)

// Keys of attributes that have no name in OpenTelemetry's conventions.
const (
	Topic   = attribute.Key("kurier.topic")
	Attempt = attribute.Key("kurier.attempt") // of the event at its subscriber, from 1
	Outcome = attribute.Key("kurier.outcome") // of a call of the pipeline
)

// Destination is what spans and messaging.destination.name call an object:
// broker:<name>.<namespace>, as Knative does. Kind may be in any case.
func Destination(kind, namespace, name string) string {
	return strings.ToLower(kind) + ":" + name + "." + namespace
}

// Common are the attributes of every span.
func Common(destination string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("knative"),
		semconv.MessagingDestinationName(destination),
	}
}
