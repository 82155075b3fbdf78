package event

import "strings"

const (
	traceParent = "traceparent"
	traceState  = "tracestate"
	retryAfter  = "retry-after"
)

// PassThrough returns copies of the headers that travel with an event from
// request to record to subscriber: x-request-id, knative-*, x-b3-*, traceparent,
// tracestate and baggage, all values, in order, names lower case. A traceparent
// that is not valid W3C trace context is left out, and tracestate with it. Nil
// when there are none.
func PassThrough(headers HeaderSeq) []Header {
	var kept []Header
	for name, value := range headers {
		if passes(name) && isHeaderValue(value) {
			kept = append(kept, Header{Name: strings.ToLower(strings.Clone(name)), Value: strings.Clone(value)})
		}
	}
	return withValidTrace(kept)
}

// passes tells whether a header travels with the event, by its name.
func passes(name string) bool {
	if name == "" {
		return false
	}
	switch name[0] | 0x20 {
	case 'x':
		return strings.EqualFold(name, "x-request-id") ||
			len(name) > len("x-b3-") && hasPrefixFold(name, "x-b3-") && isTokenString(name)
	case 'k':
		return len(name) > len("knative-") && hasPrefixFold(name, "knative-") && isTokenString(name)
	case 't':
		return strings.EqualFold(name, traceParent) || strings.EqualFold(name, traceState)
	case 'b':
		return strings.EqualFold(name, "baggage")
	}
	return false
}

func isTokenString(s string) bool {
	for i := range len(s) {
		if !isToken(s[i]) {
			return false
		}
	}
	return s != ""
}

// isHeaderValue keeps out what would break a header apart. HTTP cannot bring
// such a value, a record written by another program can.
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// withValidTrace drops the trace context unless it has exactly one valid
// traceparent.
func withValidTrace(headers []Header) []Header {
	parents, valid, traced := 0, 0, false
	for i := range headers {
		switch headers[i].Name {
		case traceParent:
			parents++
			if isTraceParent(headers[i].Value) {
				valid++
			}
		case traceState:
			traced = true
		}
	}
	if parents == 1 && valid == 1 || parents == 0 && !traced {
		return headers
	}
	kept := headers[:0]
	for _, h := range headers {
		if h.Name != traceParent && h.Name != traceState {
			kept = append(kept, h)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// isTraceParent checks version-traceid-parentid-flags of W3C trace context.
func isTraceParent(s string) bool {
	const size = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(s) < size || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if version == "00" && len(s) != size || len(s) > size && s[size] != '-' {
		return false
	}
	return isLowerHex(version) && version != "ff" && isLowerHex(flags) &&
		isLowerHex(trace) && strings.Trim(trace, "0") != "" &&
		isLowerHex(parent) && strings.Trim(parent, "0") != ""
}

func isLowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
