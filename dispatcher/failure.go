package dispatcher

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/valyala/fasthttp"

	"kurier.dev/kurier/internal/event"
)

// Reason says why an attempt failed that got no HTTP response; it is the value
// of the extension kurierreason (section 4.9).
type Reason string

// The reasons.
const (
	ReasonNone              Reason = "" // there was a response, its code says it
	ReasonTimeout           Reason = "timeout"
	ReasonConnection        Reason = "connection"
	ReasonUnsupportedScheme Reason = "unsupported-scheme"
	ReasonReplyTooLarge     Reason = "reply-too-large"
	ReasonReplyNotStored    Reason = "reply-not-stored"
	ReasonTTLExhausted      Reason = "ttl-exhausted"
)

// AttemptError is a failed attempt. Code is 0 when there was no HTTP response,
// Reason then says why. Use errors.As to get at it and Retryable to judge it.
type AttemptError struct {
	URL        string // where it was sent, as resolved
	Code       int    // status of the response; 502 for a malformed reply
	Reason     Reason
	Body       []byte         // of the response, at most its first 1024 bytes
	Headers    []event.Header // of the response, as received
	RetryAfter string         // of the response, as received
	Err        error          // the cause, when there was no response or it was unusable
}

// Error is the text that users of Knative know (section 4.4).
func (e *AttemptError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("unable to complete request to %s: %v", e.URL, e.Err)
	case e.Code != 0:
		return fmt.Sprintf("unable to complete request to %s: unexpected HTTP response, expected 2xx, got %d", e.URL, e.Code)
	}
	return fmt.Sprintf("unable to complete request to %s: %s", e.URL, e.Reason)
}

// Unwrap returns the cause.
func (e *AttemptError) Unwrap() error { return e.Err }

// replyError is a reply that did not reach its place.
type replyError struct {
	url string
	err error
}

func (e *replyError) Error() string {
	return fmt.Sprintf("failed to forward reply to %s: %v", e.url, e.err)
}
func (e *replyError) Unwrap() error { return e.err }

// Retryable is the only judge of "can a retry help?" (C14, DL-10, DL-11). It
// sees through wrapped errors. nil needs no retry.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	// Kafka refuses the same bytes for ever.
	if errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		return false
	}
	var attempt *AttemptError
	if !errors.As(err, &attempt) {
		return true // trouble on the way: connection, DNS, Kafka
	}
	switch attempt.Reason {
	case ReasonUnsupportedScheme, ReasonReplyTooLarge, ReasonTTLExhausted:
		return false // what is wrong is in the settings or in the event
	case ReasonNone, ReasonTimeout, ReasonConnection, ReasonReplyNotStored:
	}
	if attempt.Code == 0 {
		return true // no response
	}
	return retryableCode(attempt.Code)
}

// retryableCode is the table of section 4.5: everything from 500, and the codes
// that a healthy subscriber may answer for a while.
func retryableCode(code int) bool {
	switch code {
	case fasthttp.StatusNotFound, // not deployed yet
		fasthttp.StatusRequestTimeout,
		fasthttp.StatusConflict, // upstream's receivers reject with it
		fasthttp.StatusTooManyRequests:
		return true
	}
	return code >= fasthttp.StatusInternalServerError || code < 0
}

// tooLarge reports whether the target refused the event for its size, so that a
// smaller dead letter may fit.
func tooLarge(err error) bool {
	if errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		return true
	}
	var attempt *AttemptError
	return errors.As(err, &attempt) && attempt.Code == fasthttp.StatusRequestEntityTooLarge
}
