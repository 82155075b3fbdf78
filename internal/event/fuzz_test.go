package event_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/test/mutate"
)

// survives checks what holds for every event that was accepted, wherever it
// came from: it is valid and comes back the same from a record.
func survives(t *testing.T, m *event.Message) {
	t.Helper()
	if err := m.Validate(); err != nil {
		t.Fatalf("accepted an invalid event: %v", err)
	}
	rec, err := m.Record("t", false)
	if err != nil {
		t.Fatal(err)
	}
	back, err := event.FromRecord(consumed(t, rec))
	if err != nil {
		t.Fatalf("%+v: its own record is refused: %v", m, err)
	}
	if string(back.Data) != string(m.Data) || len(back.Attributes) != len(m.Attributes) {
		t.Fatalf("%+v came back as %+v", m, back)
	}
	for _, a := range m.Attributes {
		if v, ok := back.Get(a.Name); !ok || v != a.Value {
			t.Fatalf("%s=%q came back as %q", a.Name, a.Value, v)
		}
	}
	for name, value := range m.BinaryHeaders() {
		if strings.ContainsAny(value, "\r\n\x00") {
			t.Fatalf("header %s=%q would break a request", name, value)
		}
	}
	envelope, err := m.Structured()
	if err != nil || !json.Valid(envelope) {
		t.Fatalf("envelope %s, %v", envelope, err)
	}
	again, err := event.FromStructured(envelope)
	if err != nil {
		t.Fatalf("envelope %s is refused: %v", envelope, err)
	}
	if string(again.Data) != string(m.Data) && !bytes.Equal(bytes.TrimSpace(again.Data), bytes.TrimSpace(m.Data)) {
		t.Fatalf("data %q came back as %q from %s", m.Data, again.Data, envelope)
	}
}

// lines makes headers of "name: value" lines.
func lines(text string) event.HeaderSeq {
	var all []string
	for _, line := range strings.Split(text, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		all = append(all, name, value)
	}
	return pairs(all...)
}

func FuzzFromBinary(f *testing.F) {
	const valid = "ce-specversion: 1.0\nce-id: 1\nce-type: t\nce-source: /s"
	f.Add(valid, []byte("x"))
	f.Add(valid+"\nce-subject: %E2%82%AC\ncontent-type: application/json", []byte("{}"))
	f.Add(valid+"\nce-x: \"a\\\"b\"\nknative-a: b\ntraceparent: 0", []byte(nil))
	f.Add(valid+"\nCe-Time: 2020-03-21T12:34:56.78Z\ncontent-type: a/b; c=\"\r\"", []byte("null"))
	mutate.More(f, []string{valid + "\nce-subject: %E2%82%AC\ncontent-type: text/plain", valid + "\nce-x: \"a\\\"b\"\nbaggage: a=b\nce-time: 2020-03-21T12:34:56.78Z"},
		func(s string) { f.Add(s, []byte(`{"a":1}`)) })
	f.Fuzz(func(t *testing.T, headers string, body []byte) {
		if m, err := event.FromBinary(lines(headers), body); err == nil {
			survives(t, m)
		}
	})
}

func FuzzFromStructured(f *testing.F) {
	f.Add([]byte("{" + head + "}"))
	f.Add([]byte("{" + head + `,"data":{"a":"}"},"ext":true}`))
	f.Add([]byte("{" + head + `,"datacontenttype":"text/plain","data":"\u20ac\ud800"}`))
	f.Add([]byte("{" + head + `,"data_base64":"AAE="}`))
	f.Add([]byte(`{"specversion":"0.3","id":"1","type":"t","source":"/s","datacontentencoding":"base64","data":"AAE="}`))
	f.Add([]byte(`[{` + head + `},{"data":1}]`))
	mutate.More(f, []string{"{" + head + `,"datacontenttype":"text/plain","data":"\u20ac","x":1}`, `[{` + head + `,"data_base64":"AAE="},{` + head + `,"time":null}]`},
		func(s string) { f.Add([]byte(s)) })
	f.Fuzz(func(t *testing.T, doc []byte) {
		if m, err := event.FromStructured(doc); err == nil {
			survives(t, m)
		}
		if batch, err := event.FromBatch(doc); err == nil {
			for _, m := range batch {
				survives(t, m)
			}
		}
	})
}

func FuzzFromRecord(f *testing.F) {
	const valid = "ce_specversion: 1.0\nce_id: 1\nce_type: t\nce_source: /s"
	f.Add(valid, []byte("x"))
	f.Add(valid+"\ncontent-type: text/plain\nknative-\xff: b\nCE_x: y", []byte("x"))
	f.Add("content-type: application/cloudevents+json", []byte("{"+head+"}"))
	f.Add("", []byte("not an event"))
	mutate.More(f, []string{valid + "\ncontent-type: text/plain\nknative-a: b\nce_x: y", valid + "\nce_time: 2020-03-21T12:34:56.78Z\nce_knativebrokerttl: 3"},
		func(s string) { f.Add(s, []byte("x")) })
	mutate.More(f, []string{"{" + head + `,"data":{"a":[1,null]}}`}, func(s string) { f.Add("content-type: application/cloudevents+json", []byte(s)) })
	f.Fuzz(func(t *testing.T, headers string, value []byte) {
		rec := &sarama.ConsumerMessage{Value: value}
		for name, v := range lines(headers) {
			rec.Headers = append(rec.Headers, &sarama.RecordHeader{Key: []byte(name), Value: []byte(v)})
		}
		if m, err := event.FromRecord(rec); err == nil {
			survives(t, m)
		}
	})
}

// FuzzFromResponse: a subscriber may answer anything. What is taken for a reply is a
// valid event; what is not has no event, and says why if it claims to be one.
func FuzzFromResponse(f *testing.F) {
	const valid = "ce-specversion: 1.0\nce-id: 1\nce-type: t\nce-source: /s"
	seeds := []string{valid, valid + "\nretry-after: 3\ncontent-type: text/plain", "content-type: application/cloudevents+json",
		"content-type: application/cloudevents-batch+json", "content-type: garbage", "ce-specversion: 9000.1", ""}
	add := func(headers string) {
		for _, body := range []string{"", "OK", "{}", "{" + head + "}"} {
			f.Add(headers, []byte(body), false)
		}
	}
	for _, s := range seeds {
		add(s)
	}
	mutate.More(f, seeds, add)
	f.Fuzz(func(t *testing.T, headers string, body []byte, strict bool) {
		reply, kind, err := event.FromResponse(lines(headers), body, strict)
		if (reply != nil) != (kind == event.ReplyEvent) || (err != nil) != (kind == event.ReplyMalformed) || strict && kind == event.ReplyOther {
			t.Fatalf("%v with the event %v and the error %v", kind, reply, err)
		}
		if reply == nil {
			return
		}
		survives(t, reply)
		for _, h := range reply.Headers {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Fatalf("header %q: %q would break a request", h.Name, h.Value)
			}
		}
	})
}
