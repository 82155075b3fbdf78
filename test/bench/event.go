package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// Where the events of a bench stand in for those of users: six attributes, a JSON text.
const (
	eventType   = "com.example.bench"
	eventSource = "/bench/source"
	eventTime   = "2026-01-02T03:04:05.678901Z"
	idWidth     = 16 // digits of an event's number, which is its id
)

// payload is a JSON string of size bytes.
func payload(size int) []byte {
	return []byte(`"` + strings.Repeat("x", max(size-2, 0)) + `"`)
}

func eventID(number int64) string { return fmt.Sprintf("%0*d", idWidth, number) }

// request is an HTTP request with room for the event's number.
type request struct {
	bytes []byte
	id    int // where the number stands; -1: nowhere
}

// number writes an event's number into the request.
func (r *request) number(n int64) {
	for i := r.id + idWidth - 1; i >= r.id && r.id >= 0; i-- {
		r.bytes[i] = byte('0' + n%10)
		n /= 10
	}
}

func (r *request) clone() *request { return &request{bytes: bytes.Clone(r.bytes), id: r.id} }

// newRequest builds the request that posts an event of size bytes, or a batch of them.
func newRequest(host, path, mode string, size int) (*request, error) {
	var head, body string
	switch mode {
	case "", "binary":
		head = fmt.Sprintf("ce-specversion: 1.0\r\nce-id: %s\r\nce-source: %s\r\nce-type: %s\r\nce-time: %s\r\nContent-Type: application/json\r\n",
			eventID(0), eventSource, eventType, eventTime)
		body = string(payload(size))
	case "structured":
		head, body = "Content-Type: application/cloudevents+json\r\n", envelope(size)
	case "batch":
		head = "Content-Type: application/cloudevents-batch+json\r\n"
		body = "[" + strings.TrimSuffix(strings.Repeat(envelope(size)+",", batchSize), ",") + "]"
	default:
		return nil, fmt.Errorf("there is no mode %q", mode)
	}
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s", path, host, head, len(body), body)
	return &request{bytes: []byte(text), id: strings.Index(text, eventID(0))}, nil
}

// batchSize is the number of events in a batch.
const batchSize = 100

func envelope(size int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s","source":"%s","type":"%s","time":"%s","datacontenttype":"application/json","data":%s}`,
		eventID(0), eventSource, eventType, eventTime, payload(size))
}

// record is the event as Kurier stores it. key may be empty.
func record(topic, key string, number int64, data []byte) *sarama.ProducerMessage {
	header := func(name, value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
	}
	rec := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(data), Headers: []sarama.RecordHeader{
		header("ce_specversion", "1.0"), header("ce_id", eventID(number)), header("ce_source", eventSource),
		header("ce_type", eventType), header("ce_time", eventTime), header("content-type", "application/json"),
		header("ce_knativebrokerttl", "255"), header("ce_knativearrivaltime", eventTime),
	}}
	if key != "" {
		rec.Key = sarama.StringEncoder(key)
	}
	return rec
}
