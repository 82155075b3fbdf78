package event_test

import (
	"errors"
	"testing"

	"kurier.dev/kurier/internal/event"
)

// Section 3.4: the order of conditions decides.
func TestModeOf_DP33_DP34_DP39(t *testing.T) {
	const unsupported, none event.Mode = -1, -2
	ce := pairs("Ce-SpecVersion", "1.0")
	for _, tc := range []struct {
		contentType string
		headers     event.HeaderSeq
		want        event.Mode
	}{
		{"application/cloudevents-batch+json", pairs(), event.Batch},
		{"Application/CloudEvents-Batch+JSON; charset=utf-8", ce, event.Batch},
		{"application/cloudevents+json", pairs(), event.Structured},
		{"application/cloudevents+json; charset=utf-8", ce, event.Structured},
		{"APPLICATION/CLOUDEVENTS+JSON", pairs(), event.Structured},
		{"application/cloudevents+json ;charset=utf-8", pairs(), event.Structured},
		{"application/cloudevents+xml", pairs(), unsupported},
		{"application/cloudevents+xml", ce, unsupported},
		{"application/cloudevents", ce, unsupported},
		{"application/cloudevents-batch+avro", pairs(), unsupported},
		{"application/json", ce, event.Binary},
		{"", ce, event.Binary},
		{"text/plain", pairs("ce-specversion", ""), event.Binary},
		{"application/json", pairs(), none},
		{"", pairs("ce-id", "1"), none},
	} {
		got, err := event.ModeOf(tc.contentType, tc.headers)
		unsupportedErr, invalidErr := (*event.UnsupportedError)(nil), (*event.InvalidError)(nil)
		switch {
		case errors.As(err, &unsupportedErr):
			got = unsupported
		case errors.As(err, &invalidErr):
			got = none
		case err != nil:
			t.Errorf("ModeOf(%q): unexpected error %T", tc.contentType, err)
		}
		if got != tc.want {
			t.Errorf("ModeOf(%q) = %d, want %d", tc.contentType, got, tc.want)
		}
	}
}
