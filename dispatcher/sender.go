package dispatcher

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// Message is one attempt: an event, where it goes and how. The sender reads the
// Event and never changes it.
type Message struct {
	To Destination

	// Event goes to a URL, written as Format says, or to To.Topic.
	Event  *event.Message
	Format Format
	// Headers are sent beside those of the event.
	Headers []event.Header
	// Namespace becomes Kn-Namespace; empty leaves it out.
	Namespace string
	// WantReply marks the request to a subscriber: "Prefer: reply" is sent and an
	// event in the response is read. Other responses' bodies are ignored (DL-31).
	WantReply bool
	// MaxReply bounds that event in bytes; 0 means DefaultMaxEventBytes.
	MaxReply int

	// Record goes to To.Topic as it is, instead of the Event.
	Record *sarama.ProducerMessage

	// May is asked when nothing is left but to write, which can be long after Send
	// was called: there was no connection, or the process was stopped. If it says no
	// nothing is written and the error is ErrMayNot. nil means yes.
	May func() bool

	// Begun is when the attempt began; zero means now. Timeout is that of the attempt,
	// from Begun to the last body byte; 0 means DefaultTimeout.
	Begun   time.Time
	Timeout time.Duration
}

// Result is an attempt's success: a 2xx response, or an acknowledged record
// (Code 0). Headers and Body are set only when the response claims an event or
// has a body. They belong to the caller.
type Result struct {
	Code    int
	Headers []event.Header // names and values as received
	Body    []byte         // whole when ClaimsEvent, else its beginning
	// ClaimsEvent: the headers say that the response is a CloudEvent.
	ClaimsEvent bool
	// Ended is when the last byte of the response was read; zero for a record.
	Ended time.Time
}

// ErrMayNot is returned by Send when Message.May said no.
var ErrMayNot = errors.New("the right to send was lost before anything was written")

func (m *Message) timeout() time.Duration {
	if m.Timeout <= 0 {
		return DefaultTimeout
	}
	return m.Timeout
}

func (m *Message) may() bool { return m.May == nil || m.May() }

// Sender makes one attempt. A response other than 2xx, and no response, is an
// *AttemptError; when ctx ended first, the error is ctx's and the attempt does
// not count. Safe for concurrent use. Subscriber, reply, dead letter sink and
// topic are all reached through this one method.
type Sender interface {
	Send(ctx context.Context, m Message) (Result, error)
}

// Producer stores a record. It returns nil when Kafka acknowledged it; done runs
// exactly once, when Kafka's client has let go of the record, maybe later.
type Producer interface {
	Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error
}
