package event_test

import (
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// consumed turns a record that would be produced into one that was fetched.
func consumed(t testing.TB, rec *sarama.ProducerMessage) *sarama.ConsumerMessage {
	t.Helper()
	cm := &sarama.ConsumerMessage{Topic: rec.Topic, Key: encode(t, rec.Key), Value: encode(t, rec.Value), Offset: 3}
	for i := range rec.Headers {
		cm.Headers = append(cm.Headers, &rec.Headers[i])
	}
	return cm
}

func encode(t testing.TB, e sarama.Encoder) []byte {
	t.Helper()
	if e == nil {
		return nil
	}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encoded(t testing.TB, e sarama.Encoder) string {
	t.Helper()
	return string(encode(t, e))
}

func headersOf(rec *sarama.ProducerMessage) []string {
	var all []string
	for _, h := range rec.Headers {
		all = append(all, string(h.Key)+": "+string(h.Value))
	}
	return all
}

// Section 3.11, writing.
func TestRecord_DP41(t *testing.T) {
	m := mustBinary(t, minimal("content-type", "text/plain", "ce-partitionkey", "k%20€", "knative-x", "y"), []byte("data"))
	m.Headers = append(m.Headers, event.Header{Name: "retry-after", Value: "1"})
	rec, err := m.Record("topic", false)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Topic != "topic" || encoded(t, rec.Key) != "k €" || encoded(t, rec.Value) != "data" {
		t.Errorf("%+v", rec)
	}
	want := []string{"ce_specversion: 1.0", "ce_id: 1", "ce_type: t", "ce_source: /s", "content-type: text/plain",
		"ce_partitionkey: k €", "knative-x: y"}
	if got := headersOf(rec); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	structured, err := m.Record("topic", true)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"content-type: application/cloudevents+json; charset=UTF-8", "knative-x: y"}
	if got := headersOf(structured); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if encoded(t, structured.Key) != "k €" {
		t.Errorf("key %v", structured.Key)
	}
	back, err := event.FromRecord(consumed(t, structured))
	if err != nil || !reflect.DeepEqual(attributes(back), attributes(m)) || string(back.Data) != "data" {
		t.Errorf("%+v, %v", back, err)
	}
	if len(back.Headers) != 1 || back.Headers[0] != (event.Header{Name: "knative-x", Value: "y"}) {
		t.Errorf("headers %v", back.Headers)
	}
}

func TestRecord_NullKeyAndValue(t *testing.T) {
	rec, _ := mustBinary(t, minimal("ce-partitionkey", ""), nil).Record("t", false)
	if rec.Key != nil || rec.Value != nil {
		t.Errorf("key %v, value %v, want null", rec.Key, rec.Value)
	}
	m := mustBinary(t, minimal("ce-partitionkey", "new"), nil)
	m.Key = []byte("kept")
	if rec, _ = m.Record("t", false); encoded(t, rec.Key) != "kept" {
		t.Errorf("key %v, want that of the record it came from", rec.Key)
	}
}

func record(key, value []byte, headers ...string) *sarama.ConsumerMessage {
	cm := &sarama.ConsumerMessage{Key: key, Value: value}
	for i := 0; i < len(headers); i += 2 {
		cm.Headers = append(cm.Headers, &sarama.RecordHeader{Key: []byte(headers[i]), Value: []byte(headers[i+1])})
	}
	return cm
}

func minimalRecord(value []byte, headers ...string) *sarama.ConsumerMessage {
	return record(nil, value, append([]string{"ce_specversion", "1.0", "ce_id", "1", "ce_type", "t", "ce_source", "/s"}, headers...)...)
}

// Section 3.11, reading.
func TestFromRecord_DP41(t *testing.T) {
	rec := minimalRecord([]byte("data"), "ce_subject", "a%20b", "Content-Type", "text/plain", "Knative-X", "y", "other", "no",
		"x-request-id", "bad\r\nevil: 1", "traceparent", "0")
	rec.Key = []byte("k")
	m, err := event.FromRecord(rec)
	if err != nil {
		t.Fatal(err)
	}
	want := &event.Message{
		Attributes: []event.Attribute{{"specversion", "1.0"}, {"id", "1"}, {"type", "t"}, {"source", "/s"},
			{"subject", "a%20b"}, {"datacontenttype", "text/plain"}},
		Headers: []event.Header{{"knative-x", "y"}},
		Data:    []byte("data"), Key: []byte("k"),
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if m, err = event.FromRecord(minimalRecord(nil)); err != nil || m.Data != nil {
		t.Errorf("null value: %+v, %v", m, err)
	}
	m, err = event.FromRecord(record(nil, []byte("{"+head+"}"), "content-type", "application/CloudEvents+json; charset=UTF-8", "ce_id", "ignored"))
	if v, _ := m.Get("id"); err != nil || v != "1" {
		t.Errorf("structured: %+v, %v", m, err)
	}
}

// DL-37: what is no CloudEvent says why.
func TestFromRecord_NotCloudEvent_DL37(t *testing.T) {
	for _, tc := range []struct {
		rec  *sarama.ConsumerMessage
		want string
	}{
		{record(nil, []byte("x")), "not-a-cloudevent: neither the header ce_specversion"},
		{record(nil, []byte("{}"), "content-type", "application/json"), "not-a-cloudevent: neither"},
		{record(nil, nil, "content-type", "application/cloudevents+json"), "not-a-cloudevent: the body is empty"},
		{record(nil, []byte("{}"), "content-type", "application/cloudevents+json"), "not-a-cloudevent: specversion is missing"},
		{record(nil, nil, "ce_specversion", "2.0"), `not-a-cloudevent: specversion "2.0" is not supported`},
		{record(nil, nil, "ce_specversion", "1.0"), "not-a-cloudevent: id is missing"},
		{minimalRecord(nil, "ce_id", "2"), "not-a-cloudevent: id is given twice"},
		{minimalRecord(nil, "ce_x", "\xff"), "not-a-cloudevent: ce_x is not UTF-8"},
		{minimalRecord(nil, "content-type", "\xff"), "not-a-cloudevent: content-type is not UTF-8"},
		{minimalRecord(nil, "ce_a-b", "x"), "not-a-cloudevent: a-b is no attribute name"},
	} {
		m, err := event.FromRecord(tc.rec)
		not := (*event.NotCloudEventError)(nil)
		if !errors.As(err, &not) || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v, %v, want %q", m, err, tc.want)
		}
	}
}

// RecordSize is what the record takes in a batch, to the byte.
func TestRecordSize(t *testing.T) {
	for _, size := range []int{0, 1, 62, 63, 64, 8190, 100_000} {
		m := mustBinary(t, minimal("ce-partitionkey", "k", "ce-x", strings.Repeat("x", size)), []byte(strings.Repeat("y", size)))
		rec, _ := m.Record("t", false)
		if got, want := event.RecordSize(rec), encodedSize(rec); got != want {
			t.Errorf("size %d: RecordSize = %d, want %d", size, got, want)
		}
	}
}

// encodedSize writes the record as Kafka's format version 2 has it.
func encodedSize(rec *sarama.ProducerMessage) int {
	b := []byte{0, 0, 0} // attributes, timestamp delta, offset delta
	bytes := func(v []byte) { b = append(binary.AppendVarint(b, int64(len(v))), v...) }
	for _, e := range []sarama.Encoder{rec.Key, rec.Value} {
		if e == nil {
			b = binary.AppendVarint(b, -1)
			continue
		}
		v, _ := e.Encode()
		bytes(v)
	}
	b = binary.AppendVarint(b, int64(len(rec.Headers)))
	for _, h := range rec.Headers {
		bytes(h.Key)
		bytes(h.Value)
	}
	return len(binary.AppendVarint(nil, int64(len(b)))) + len(b)
}
