package event_test

import (
	"testing"

	"kurier.dev/kurier/internal/event"
)

// Section 4.8: what a 2xx response is.
func TestFromResponse_DL25_DL28(t *testing.T) {
	structured := pairs("content-type", "application/cloudevents+json; charset=utf-8", "Knative-A", "b", "Retry-After", "7")
	for _, tc := range []struct {
		name    string
		headers event.HeaderSeq
		body    string
		kind    event.ReplyKind
		strict  event.ReplyKind
	}{
		{"DL-25 binary", minimal("Retry-After", "7", "knative-a", "b"), "x", event.ReplyEvent, event.ReplyEvent},
		{"DL-25 binary without data", minimal("retry-after", "7", "knative-a", "b"), "", event.ReplyEvent, event.ReplyEvent},
		{"DL-25 structured", structured, "{" + head + "}", event.ReplyEvent, event.ReplyEvent},
		{"DL-26 nothing", pairs(), "", event.ReplyNone, event.ReplyNone},
		{"DL-26 ce-abc only", pairs("ce-abc", "x"), "", event.ReplyNone, event.ReplyNone},
		{"DL-26 empty with content type", structured, "", event.ReplyNone, event.ReplyNone},
		{"DL-27 text", pairs("content-type", "text/plain"), "OK", event.ReplyOther, event.ReplyMalformed},
		{"DL-27 garbage", pairs("content-type", "garbage"), "x", event.ReplyOther, event.ReplyMalformed},
		{"DL-27 JSON", pairs("content-type", "application/json"), "{}", event.ReplyOther, event.ReplyMalformed},
		{"DL-28 unknown version", pairs("Ce-Specversion", "9000.1"), "", event.ReplyMalformed, event.ReplyMalformed},
		{"DL-28 empty object", structured, "{}", event.ReplyMalformed, event.ReplyMalformed},
		{"DL-28 incomplete", pairs("ce-specversion", "1.0", "ce-id", "1"), "x", event.ReplyMalformed, event.ReplyMalformed},
		{"DL-28 xml", pairs("content-type", "application/cloudevents+xml"), "<a/>", event.ReplyMalformed, event.ReplyMalformed},
		{"batch", pairs("content-type", "application/cloudevents-batch+json"), "[]", event.ReplyMalformed, event.ReplyMalformed},
	} {
		for strict, want := range map[bool]event.ReplyKind{false: tc.kind, true: tc.strict} {
			m, kind, err := event.FromResponse(tc.headers, []byte(tc.body), strict)
			if kind != want || (m != nil) != (kind == event.ReplyEvent) || (err != nil) != (kind == event.ReplyMalformed) {
				t.Errorf("%s (strict %v): %v, %v, %v, want %v", tc.name, strict, m, kind, err, want)
			}
			if m == nil {
				continue
			}
			kept := map[string]string{}
			for _, h := range m.Headers {
				kept[h.Name] = h.Value
			}
			if len(kept) != 2 || kept["knative-a"] != "b" || kept["retry-after"] != "7" {
				t.Errorf("%s: headers %v", tc.name, m.Headers)
			}
		}
	}
}
