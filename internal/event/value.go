package event

import (
	"strings"
	"unicode/utf8"
)

// DecodeValue turns the value of a ce-* header into an attribute's value: a
// double-quoted value is unquoted, then one round of percent-decoding is made.
// A "%" that starts no valid escape stays as it is, and so does a quote that is
// not closed. The error says that the decoded bytes are not UTF-8.
//
// Source: CloudEvents HTTP binding 1.0, section 3.1.3.2.
func DecodeValue(s string) (string, error) {
	if isPlain(s) {
		return s, nil
	}
	b, ok := appendDecoded(nil, s)
	if !ok {
		return "", invalid("", "", "is not UTF-8 after percent-decoding")
	}
	return string(b), nil
}

// isPlain tells that decoding s gives s: ASCII without quotes and escapes.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '%' || c == '"' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendDecoded appends the decoded value; ok is false when it is not UTF-8.
func appendDecoded(dst []byte, s string) (_ []byte, ok bool) {
	if isPlain(s) {
		return append(dst, s...), true
	}
	start := len(dst)
	if inner, quoted := unquote(s); quoted {
		s = inner
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi >= 0 && lo >= 0 {
				dst = append(dst, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		dst = append(dst, s[i])
	}
	return dst, utf8.Valid(dst[start:])
}

// unquote resolves a quoted-string. It reports false, and s counts as it is,
// when s is not wholly one quoted string.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	inner := s[1 : len(s)-1]
	if !strings.ContainsAny(inner, `"\`) {
		return inner, true
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '"':
			return "", false
		case '\\':
			i++
			if i == len(inner) {
				return "", false
			}
		}
		b.WriteByte(inner[i])
	}
	return b.String(), true
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// EncodeValue turns an attribute's value into that of a ce-* header: space, the
// double quote, "%" and every byte outside U+0021 to U+007E are percent-encoded
// with upper-case hex digits. A value without them is returned as it is.
func EncodeValue(s string) string {
	for i := range len(s) {
		if unsafeBytes[s[i]] {
			return string(appendEncoded(make([]byte, 0, len(s)+8), s))
		}
	}
	return s
}

// appendEncoded appends what EncodeValue returns.
func appendEncoded(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	start := 0
	for i := range len(s) {
		if c := s[i]; unsafeBytes[c] {
			b = append(b, s[start:i]...)
			b = append(b, '%', hex[c>>4], hex[c&15])
			start = i + 1
		}
	}
	return append(b, s[start:]...)
}

// unsafeBytes are the bytes that a ce-* header does not hold as they are.
var unsafeBytes = func() (table [256]bool) {
	for c := range table {
		table[c] = c < '!' || c > '~' || c == '"' || c == '%'
	}
	return table
}()
