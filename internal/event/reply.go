package event

import "strings"

// ReplyKind is what a subscriber's 2xx response carries.
type ReplyKind int

// The kinds of replies.
const (
	// ReplyNone: an empty body and no ce-specversion. The event is settled.
	ReplyNone ReplyKind = iota
	// ReplyEvent: a CloudEvent, binary or structured.
	ReplyEvent
	// ReplyOther: a body that does not claim to be a CloudEvent. The event is
	// settled, the body is ignored and counted.
	ReplyOther
	// ReplyMalformed: a body that claims to be a CloudEvent and is none: a
	// failed attempt, as if the subscriber had answered 502.
	ReplyMalformed
)

func (k ReplyKind) String() string {
	switch k {
	case ReplyNone:
		return "none"
	case ReplyEvent:
		return "event"
	case ReplyOther:
		return "other"
	default:
		return "malformed"
	}
}

// FromResponse reads the reply in a 2xx response. The Message is non-nil for
// ReplyEvent alone, carries the response's pass-through headers with retry-after
// among them, and may alias body. err is non-nil for ReplyMalformed alone and
// says what is wrong. With strict, what would be ReplyOther is ReplyMalformed.
func FromResponse(headers HeaderSeq, body []byte, strict bool) (reply *Message, kind ReplyKind, err error) {
	contentType := header(headers, "content-type")
	if len(body) == 0 && !hasHeader(headers, "ce-specversion") {
		return nil, ReplyNone, nil
	}
	if !hasHeader(headers, "ce-specversion") && !hasPrefixFold(mediaType(contentType), cloudEventTypes) {
		if !strict {
			return nil, ReplyOther, nil
		}
		return nil, ReplyMalformed, invalid("", "", "the response has a body that is not a CloudEvent")
	}
	if reply, err = fromResponse(contentType, headers, body); err != nil {
		return nil, ReplyMalformed, err
	}
	if value := header(headers, retryAfter); value != "" && isHeaderValue(value) {
		reply.Headers = append(reply.Headers, Header{Name: retryAfter, Value: value})
	}
	return reply, ReplyEvent, nil
}

func fromResponse(contentType string, headers HeaderSeq, body []byte) (*Message, error) {
	mode, err := ModeOf(contentType, headers)
	if err != nil {
		return nil, err
	}
	switch mode {
	case Binary:
		return FromBinary(headers, body)
	case Structured:
		m, err := FromStructured(body)
		if err != nil {
			return nil, err
		}
		m.Headers = PassThrough(headers)
		return m, nil
	default:
		return nil, invalid("", "", "a batch is no reply, want one CloudEvent")
	}
}

// header is a copy of the first value of a header, "" when it is absent.
func header(headers HeaderSeq, name string) string {
	for n, value := range headers {
		if strings.EqualFold(n, name) {
			return strings.Clone(value)
		}
	}
	return ""
}
