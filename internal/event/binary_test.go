package event_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/event"
)

func TestFromBinary(t *testing.T) {
	body := []byte("\x00\xff raw")
	m := mustBinary(t, pairs(
		"Host", "localhost", "Ce-Specversion", "1.0", "CE-ID", "a%20b", "ce-type", "T", "cE-sOurce", "/S",
		"Content-Type", "text/Plain; charset=UTF-8", "Ce-MyExt", "€", "ce-time", "2020-03-21T12:34:56.7800Z",
		"X-Request-Id", "r", "Knative-Foo", "%20", "Authorization", "no", "Content-Length", "7"), body)
	want := &event.Message{
		Attributes: []event.Attribute{
			{"specversion", "1.0"}, {"id", "a b"}, {"type", "T"}, {"source", "/S"},
			{"datacontenttype", "text/Plain; charset=UTF-8"}, {"myext", "€"}, {"time", "2020-03-21T12:34:56.7800Z"},
		},
		Headers: []event.Header{{"x-request-id", "r"}, {"knative-foo", "%20"}},
		Data:    body,
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if &m.Data[0] != &body[0] {
		t.Error("the body was copied")
	}
}

// DP-40: an empty body is an event without data.
func TestFromBinary_NoData_DP40(t *testing.T) {
	for _, body := range [][]byte{nil, {}} {
		if m := mustBinary(t, minimal(), body); m.Data != nil {
			t.Errorf("Data = %q, want nil", m.Data)
		}
	}
}

// The header strings may be overwritten as soon as FromBinary has returned.
func TestFromBinary_KeepsNothingOfTheHeaders(t *testing.T) {
	buf := []byte("ce-specversion1.0ce-id1ce-typetce-source/sknative-foobar")
	cut := func(from, to int) string { return unsafeString(buf[from:to]) }
	m := mustBinary(t, pairs(cut(0, 14), cut(14, 17), cut(17, 22), cut(22, 23), cut(23, 30), cut(30, 31),
		cut(31, 40), cut(40, 42), cut(42, 53), cut(53, 56)), nil)
	for i := range buf {
		buf[i] = '!'
	}
	if got := fmt.Sprint(m.Attributes, m.Headers); strings.Contains(got, "!") {
		t.Errorf("got %s", got)
	}
}

func TestFromBinary_ManyAttributes(t *testing.T) {
	headers := []string{"ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "ce-source", "/s"}
	for i := range 3000 {
		headers = append(headers, fmt.Sprintf("Ce-X%d", i), "v")
	}
	if m := mustBinary(t, pairs(headers...), nil); len(m.Attributes) != 3004 {
		t.Errorf("%d attributes", len(m.Attributes))
	}
	if _, err := event.FromBinary(pairs(append(headers, "ce-x77", "v")...), nil); err == nil {
		t.Error("a duplicate among thousands was not found")
	}
}

func TestBinaryHeaders(t *testing.T) {
	m := mustBinary(t, minimal("ce-subject", "a%20b", "ce-myext", `"100% €"`, "content-type", "text/plain; charset=utf-8",
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-b3-foo", "a b"), []byte("x"))
	var got []string
	for name, value := range m.BinaryHeaders() {
		got = append(got, name+": "+value)
	}
	want := []string{"ce-specversion: 1.0", "ce-id: 1", "ce-type: t", "ce-source: /s", "ce-subject: a%20b",
		"ce-myext: 100%25%20%E2%82%AC", "Content-Type: text/plain; charset=utf-8",
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-b3-foo: a b"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if lines, want := string(m.AppendBinaryHeaders(nil)), strings.Join(want, "\r\n")+"\r\n"; lines != want {
		t.Errorf("got  %q\nwant %q", lines, want)
	}
	for range m.BinaryHeaders() { // stopping early is fine
		break
	}
}

func TestSetDeleteClone(t *testing.T) {
	m := mustBinary(t, minimal("ce-a", "1", "knative-x", "y"), []byte("data"))
	before := attributes(m)
	c := m.Clone()
	c.Set("a", "2")
	c.Set("knativekafkaoffset", "7")
	c.Delete("type")
	c.Delete("absent")
	c.Headers = append(c.Headers, event.Header{Name: "retry-after", Value: "1"})
	c.Data = nil
	if !reflect.DeepEqual(attributes(m), before) || len(m.Headers) != 1 || string(m.Data) != "data" {
		t.Errorf("changing the clone changed the original: %+v", m)
	}
	if v, ok := c.Get("a"); !ok || v != "2" {
		t.Errorf("a = %q, %v", v, ok)
	}
	if _, ok := c.Get("type"); ok {
		t.Error("type is still there")
	}
	m.Set("a", "3")
	if v, _ := c.Get("a"); v != "2" {
		t.Error("changing the original changed the clone")
	}
}
