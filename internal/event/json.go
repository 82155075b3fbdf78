package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// checkJSON says why a document is not JSON.
func checkJSON(doc []byte) *InvalidError {
	if json.Valid(doc) {
		return nil
	}
	var raw json.RawMessage
	err := json.Unmarshal(doc, &raw)
	var syntax *json.SyntaxError
	switch {
	case len(bytes.TrimSpace(doc)) == 0:
		return invalid("", "", "the body is empty, want a CloudEvent in JSON")
	case errors.As(err, &syntax):
		return invalid("", "", fmt.Sprintf("the body is not JSON: %v at byte %d", err, syntax.Offset))
	}
	return invalid("", "", fmt.Sprintf("the body is not JSON: %v", err))
}

// members walks an object that checkJSON has accepted. Keys are unescaped,
// values are the raw text. It stops at the first error.
func members(object []byte, visit func(key string, value []byte) *InvalidError) *InvalidError {
	i := skipSpace(object, 0) + 1 // {
	for i = skipSpace(object, i); object[i] != '}'; i = skipSpace(object, i) {
		end := skipValue(object, i)
		key, ok := unquoteJSON(object[i:end])
		if !ok {
			return invalid("", "", "a member's name is not UTF-8")
		}
		i = skipSpace(object, skipSpace(object, end)+1) // :
		end = skipValue(object, i)
		if err := visit(key, object[i:end:end]); err != nil {
			return err
		}
		i = skipComma(object, end)
	}
	return nil
}

// elements walks an array that checkJSON has accepted.
func elements(array []byte, visit func(index int, value []byte) error) error {
	i := skipSpace(array, 0) + 1 // [
	for n := 0; ; n++ {
		i = skipSpace(array, i)
		if array[i] == ']' {
			return nil
		}
		end := skipValue(array, i)
		if err := visit(n, array[i:end:end]); err != nil {
			return err
		}
		i = skipComma(array, end)
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func skipComma(b []byte, i int) int {
	i = skipSpace(b, i)
	if b[i] == ',' {
		i++
	}
	return i
}

// skipValue returns the end of the value that starts at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	for depth := 0; ; i++ {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// unquoteJSON reads a JSON string; ok is false when it is not UTF-8.
func unquoteJSON(raw []byte) (_ string, ok bool) {
	b, ok := stringBytes(raw)
	return string(b), ok
}

// stringBytes gives the text of a JSON string, without a copy where it has no
// escapes; ok is false when it is not UTF-8.
func stringBytes(raw []byte) (_ []byte, ok bool) {
	if !utf8.Valid(raw) {
		return nil, false
	}
	inner := raw[1 : len(raw)-1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}

// appendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, size := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += size - 1
		}
	}
	return append(dst, '"')
}
