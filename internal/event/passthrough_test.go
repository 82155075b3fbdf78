package event_test

import (
	"slices"
	"testing"
	"unsafe"

	"kurier.dev/kurier/internal/event"
)

func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Section 3.7.
func TestPassThrough_DP48(t *testing.T) {
	got := event.PassThrough(pairs(
		"x-requEst-id", "1234", "knatIve-will-pass-through", "true", "Knative-Will-Pass-Through", "always",
		"X-B3-TraceId", "b3", "Traceparent", parent, "TraceState", "a=b", "tracestate", "c=d", "Baggage", "k=v",
		"foo", "no", "Prefer", "reply", "Authorization", "no", "User-Agent", "no", "Retry-After", "1", "ce-knative", "no",
		"X-Request-Idx", "no", "knative-", "no", "x-b3-", "no", "kn-namespace", "no", "knative", "no"))
	want := []event.Header{
		{"x-request-id", "1234"}, {"knative-will-pass-through", "true"}, {"knative-will-pass-through", "always"},
		{"x-b3-traceid", "b3"}, {"traceparent", parent}, {"tracestate", "a=b"}, {"tracestate", "c=d"}, {"baggage", "k=v"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := event.PassThrough(pairs("a", "b")); got != nil {
		t.Errorf("got %v, want nil", got)
	}
}

// Section 8.9: an invalid traceparent is dropped, and tracestate means nothing without it.
func TestPassThrough_Traceparent(t *testing.T) {
	for _, bad := range []string{"0", "", parent + "x", parent + "-x", "ff" + parent[2:], "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01"} {
		got := event.PassThrough(pairs("traceparent", bad, "tracestate", "a=b", "knative-a", "b"))
		if !slices.Equal(got, []event.Header{{"knative-a", "b"}}) {
			t.Errorf("traceparent %q: %v", bad, got)
		}
	}
	if got := event.PassThrough(pairs("traceparent", parent, "traceparent", parent)); got != nil {
		t.Errorf("two parents: %v", got)
	}
	if got := event.PassThrough(pairs("tracestate", "a=b")); got != nil {
		t.Errorf("tracestate alone: %v", got)
	}
	if got := event.PassThrough(pairs("traceparent", "cc"+parent[2:]+"-what-the-future-brings")); len(got) != 1 {
		t.Errorf("a later version: %v", got)
	}
	// A CloudEvents extension of that name is an ordinary attribute.
	m := mustBinary(t, minimal("ce-traceparent", "0"), nil)
	if v, _ := m.Get("traceparent"); v != "0" {
		t.Errorf("extension traceparent = %q", v)
	}
}
