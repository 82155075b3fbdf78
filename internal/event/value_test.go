package event_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/test/mutate"
)

// DP-36: the table of header values, and the corners of the rule.
func TestHeaderValues_DP36(t *testing.T) {
	for _, tc := range []struct{ received, attribute, sent string }{
		{`a%20b`, `a b`, `a%20b`},
		{`"a b"`, `a b`, `a%20b`},
		{`100%`, `100%`, `100%25`},
		{`%E2%82%AC`, `€`, `%E2%82%AC`},
		{`%e2%82%ac`, `€`, `%E2%82%AC`},
		{`€`, `€`, `%E2%82%AC`},
		{`plain`, `plain`, `plain`},
		{``, ``, ``},
		{`""`, ``, ``},
		{`"`, `"`, `%22`},
		{`"a`, `"a`, `%22a`},
		{`"a\"b"`, `a"b`, `a%22b`},
		{`"a\\b"`, `a\b`, `a\b`},
		{`"a\"`, `"a\"`, `%22a\%22`},
		{`"a"b"`, `"a"b"`, `%22a%22b%22`},
		{`"a%20b"`, `a b`, `a%20b`},
		{`%2`, `%2`, `%252`},
		{`%zz`, `%zz`, `%25zz`},
		{`%2520`, `%20`, `%2520`},
		{`%%20`, `% `, `%25%20`},
		{`~!#`, `~!#`, `~!#`},
		{`%00%0D%0A`, "\x00\r\n", `%00%0D%0A`},
		{`%F0%9F%98%80`, `😀`, `%F0%9F%98%80`},
	} {
		got, err := event.DecodeValue(tc.received)
		if err != nil || got != tc.attribute {
			t.Errorf("DecodeValue(%q) = %q, %v, want %q", tc.received, got, err, tc.attribute)
		}
		if sent := event.EncodeValue(tc.attribute); sent != tc.sent {
			t.Errorf("EncodeValue(%q) = %q, want %q", tc.attribute, sent, tc.sent)
		}
	}
	for _, bad := range []string{`%C0%A0`, `%FF`, "\xff", `%E2%82`, `"%80"`} {
		if got, err := event.DecodeValue(bad); err == nil {
			t.Errorf("DecodeValue(%q) = %q, want an error: not UTF-8", bad, got)
		}
	}
}

// Whatever an attribute holds, the other side reads the same.
func TestEncodeThenDecodeIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		sent := event.EncodeValue(value)
		for i := range len(sent) {
			if sent[i] <= ' ' || sent[i] > '~' || sent[i] == '"' {
				t.Fatalf("EncodeValue(%q) = %q has a character that must be encoded", value, sent)
			}
		}
		if got, err := event.DecodeValue(sent); err != nil || got != value {
			t.Fatalf("DecodeValue(%q) = %q, %v, want %q", sent, got, err, value)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	seeds := []string{`a%20b`, `"a b"`, `100%`, `%C0%A0`, `"\"`, `"a\"b"`, `%`, `%%%`, "\xff"}
	for _, seed := range seeds {
		f.Add(seed)
	}
	mutate.More(f, seeds, func(s string) { f.Add(s) })
	f.Fuzz(func(t *testing.T, s string) {
		got, err := event.DecodeValue(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(got) {
			t.Fatalf("DecodeValue(%q) = %q is not UTF-8", s, got)
		}
		if !strings.ContainsAny(s, `%"`) && got != s {
			t.Fatalf("DecodeValue(%q) = %q changed a value without escapes", s, got)
		}
		if back, err := event.DecodeValue(event.EncodeValue(got)); err != nil || back != got {
			t.Fatalf("value %q came back as %q, %v", got, back, err)
		}
	})
}
