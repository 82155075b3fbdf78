package event_test

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
)

// drawMessage draws a valid event with awkward values.
func drawMessage(t *rapid.T) *event.Message {
	m := &event.Message{}
	text := rapid.StringN(1, 12, 40).Filter(func(s string) bool { return !blank(s) })
	m.Set("specversion", rapid.SampledFrom([]string{"1.0", "0.3"}).Draw(t, "specversion"))
	m.Set("id", text.Draw(t, "id"))
	m.Set("type", text.Draw(t, "type"))
	m.Set("source", rapid.SampledFrom([]string{"/s", "urn:x", "/a b%", "https://example.com/€?q#f", "s"}).Draw(t, "source"))
	if rapid.Bool().Draw(t, "hasSubject") {
		m.Set("subject", rapid.StringN(1, 10, 40).Draw(t, "subject"))
	}
	if rapid.Bool().Draw(t, "hasTime") {
		m.Set("time", rapid.SampledFrom([]string{"2020-03-21T12:34:56.7800Z", "2020-03-21t12:34:56+01:00"}).Draw(t, "time"))
	}
	dct := rapid.SampledFrom([]string{"", "application/json", "text/plain; charset=utf-8", "application/octet-stream", "x/y+json"}).Draw(t, "dct")
	if dct != "" {
		m.Set("datacontenttype", dct)
	}
	for name, value := range rapid.MapOfN(rapid.StringMatching(`[a-z0-9]{1,8}x`), rapid.String(), 0, 5).Draw(t, "extensions") {
		m.Set(name, value)
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"x-request-id", "knative-a", "x-b3-b", "baggage"}).Draw(t, "header")
		m.Headers = append(m.Headers, event.Header{Name: name, Value: rapid.StringMatching(`[ -~]{0,10}`).Draw(t, "value")})
	}
	m.Data = rapid.SampledFrom([][]byte{nil, []byte(`{"a":[1,"b"]}`), []byte("text €\n\"\\"), {0, 255}, []byte(`"s"`)}).Draw(t, "data")
	return m
}

func blank(s string) bool {
	m := event.Message{}
	m.Set("specversion", "1.0")
	m.Set("type", "t")
	m.Set("source", "/s")
	m.Set("id", s)
	return m.Validate() != nil
}

// same compares two events; the order of attributes means nothing.
func same(t *rapid.T, what string, got, want *event.Message) {
	t.Helper()
	if !reflect.DeepEqual(attributes(got), attributes(want)) || !slices.Equal(got.Headers, want.Headers) ||
		string(got.Data) != string(want.Data) || (got.Data == nil) != (want.Data == nil) {
		t.Fatalf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// An event that goes from HTTP into a record and out again is the same event,
// in each content mode.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := drawMessage(rt)
		if err := m.Validate(); err != nil {
			rt.Fatalf("drew an invalid event: %v", err)
		}
		in, err := event.FromBinary(m.BinaryHeaders(), m.Data)
		if err != nil {
			rt.Fatalf("FromBinary: %v", err)
		}
		same(rt, "HTTP binary", in, m)

		rec, err := in.Record("t", false)
		if err != nil {
			rt.Fatal(err)
		}
		stored, err := event.FromRecord(consumed(t, rec))
		if err != nil {
			rt.Fatalf("FromRecord: %v", err)
		}
		same(rt, "record", stored, m)

		out, err := event.FromBinary(stored.BinaryHeaders(), stored.Data)
		if err != nil {
			rt.Fatal(err)
		}
		same(rt, "HTTP binary again", out, m)

		envelope, err := stored.Structured()
		if err != nil {
			rt.Fatal(err)
		}
		structured, err := event.FromStructured(envelope)
		if err != nil {
			rt.Fatalf("FromStructured(%s): %v", envelope, err)
		}
		structured.Headers = m.Headers
		structured.Delete("datacontentencoding") // how 0.3 marks binary data
		same(rt, "HTTP structured", structured, m)

		rec, err = m.Record("t", true)
		if err != nil {
			rt.Fatal(err)
		}
		if stored, err = event.FromRecord(consumed(t, rec)); err != nil {
			rt.Fatalf("FromRecord, structured: %v", err)
		}
		stored.Delete("datacontentencoding")
		same(rt, "structured record", stored, m)
	})
}
