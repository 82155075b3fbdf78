package event_test

import (
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pairs makes a HeaderSeq of name, value, name, value.
func pairs(s ...string) event.HeaderSeq {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(s); i += 2 {
			if !yield(s[i], s[i+1]) {
				return
			}
		}
	}
}

// minimal is a valid event in headers, with more behind it.
func minimal(more ...string) event.HeaderSeq {
	return pairs(append([]string{"ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "ce-source", "/s"}, more...)...)
}

func mustBinary(t *testing.T, headers event.HeaderSeq, body []byte) *event.Message {
	t.Helper()
	m, err := event.FromBinary(headers, body)
	if err != nil {
		t.Fatalf("FromBinary: %v", err)
	}
	return m
}

func mustStructured(t *testing.T, doc string) *event.Message {
	t.Helper()
	m, err := event.FromStructured([]byte(doc))
	if err != nil {
		t.Fatalf("FromStructured(%s): %v", doc, err)
	}
	return m
}

// attributes as a map, for comparisons that do not care about order.
func attributes(m *event.Message) map[string]string {
	all := map[string]string{}
	for _, a := range m.Attributes {
		all[a.Name] = a.Value
	}
	return all
}
