package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/altered"
)

// C14, DL-10, DL-11: the retry code table of section 4.5.
func TestRetryable(t *testing.T) {
	code := func(c int) error { return &AttemptError{Code: c} }
	reason := func(r Reason) error { return &AttemptError{Reason: r} }
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"success", nil, false},
		{"nil (no response)", io.ErrUnexpectedEOF, true},
		{"error, even with 200", fmt.Errorf("short body after %d: %w", 200, io.ErrUnexpectedEOF), true},
		{"-1", code(-1), true},
		{"timeout", reason(ReasonTimeout), true},
		{"connection", reason(ReasonConnection), true},
		{"reply not stored", reason(ReasonReplyNotStored), true},
		{"unsupported scheme", reason(ReasonUnsupportedScheme), false},
		{"reply too large", reason(ReasonReplyTooLarge), false},
		{"ttl exhausted", reason(ReasonTTLExhausted), false},
		{"record too large", sarama.ErrMessageSizeTooLarge, false},
		{"record too large, wrapped", &AttemptError{Reason: ReasonConnection, Err: fmt.Errorf("topic: %w", sarama.ErrMessageSizeTooLarge)}, false},
		{"produce timeout", context.DeadlineExceeded, true},
		{"Kafka's own", sarama.ErrNotEnoughReplicas, true},
		{"malformed reply", code(502), true},
	} {
		t.Run("C14/"+c.name, func(t *testing.T) {
			if got, want := Retryable(c.err), altered.Want(c.want); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	table := map[bool][]int{
		true: {404, 408, 409, 429, 500, 501, 502, 503, 504, 599},
		false: {100, 101, 102, 200, 201, 202, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 405, 410, 413, 415,
			422, 425, 426, 451},
	}
	for want, codes := range table {
		for _, c := range codes {
			t.Run(fmt.Sprintf("C14/%d", c), func(t *testing.T) {
				if got := Retryable(&replyError{"u", fmt.Errorf("wrapped: %w", code(c))}); got != altered.Want(want) {
					t.Errorf("%d: %v, want %v", c, got, altered.Want(want))
				}
			})
		}
	}
}

// The texts of section 4.4.
func TestErrorTexts(t *testing.T) {
	first := &AttemptError{URL: "http://s/", Code: 503}
	second := &AttemptError{URL: "http://dls/", Reason: ReasonTimeout, Err: errors.New("no answer")}
	for want, err := range map[string]error{
		"unable to complete request to http://s/: unexpected HTTP response, expected 2xx, got 503":                                    first,
		"unable to complete request to http://dls/: no answer":                                                                        second,
		"unable to complete request to http://x/: timeout":                                                                            &AttemptError{URL: "http://x/", Reason: ReasonTimeout},
		"failed to forward reply to http://r/: boom":                                                                                  &replyError{"http://r/", errors.New("boom")},
		"unable to complete request to either http://s/ (unexpected HTTP response, expected 2xx, got 503) or http://dls/ (no answer)": &eitherError{newFailure("http://s/", first), second, "http://dls/"},
	} {
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	}
}
