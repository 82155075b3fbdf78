package event_test

import (
	"bytes"
	"testing"

	"kurier.dev/kurier/internal/event"
)

var benchHeaders = []string{"Host", "localhost:8080", "User-Agent", "bench", "Content-Length", "1024",
	"Content-Type", "application/json", "Ce-Specversion", "1.0", "Ce-Id", "0c7f2d2e-5c1a-4a5e", "Ce-Type", "com.example.order.created",
	"Ce-Source", "/shop/orders", "Ce-Subject", "order%201234", "Ce-Time", "2020-03-21T12:34:56.78Z", "Ce-Partitionkey", "customer-17"}

// BenchmarkBinaryIn is the way in: request to record.
func BenchmarkBinaryIn(b *testing.B) {
	headers, body := pairs(benchHeaders...), bytes.Repeat([]byte("x"), 1024)
	b.ReportAllocs()
	for b.Loop() {
		m, err := event.FromBinary(headers, body)
		if err != nil {
			b.Fatal(err)
		}
		m.Set(event.BrokerTTL, "255")
		if _, err := m.Record("topic", false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBinaryOut is the way out: record to request headers.
func BenchmarkBinaryOut(b *testing.B) {
	in, err := event.FromBinary(pairs(benchHeaders...), bytes.Repeat([]byte("x"), 1024))
	if err != nil {
		b.Fatal(err)
	}
	rec, err := in.Record("topic", false)
	if err != nil {
		b.Fatal(err)
	}
	fetched := consumed(b, rec)
	b.ReportAllocs()
	for b.Loop() {
		m, err := event.FromRecord(fetched)
		if err != nil {
			b.Fatal(err)
		}
		m.Set(event.KafkaOffset, "7")
		for range m.BinaryHeaders() {
		}
	}
}

// BenchmarkStructuredIn is a request with a JSON envelope.
func BenchmarkStructuredIn(b *testing.B) {
	in, err := event.FromBinary(pairs(benchHeaders...), append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 1000)...), `"}`...))
	if err != nil {
		b.Fatal(err)
	}
	envelope, err := in.Structured()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := event.FromStructured(envelope)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Record("topic", false); err != nil {
			b.Fatal(err)
		}
	}
}
