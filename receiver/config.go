package receiver

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/internal/event"
)

// Config is what a Receiver needs. The zero value of each field gives the
// default that is named with it.
type Config struct {
	// MaxEventBytes bounds an event: its record's key, value and headers, in
	// bytes, less 4 KiB that are kept free for a dead letter's extensions.
	// Default 1 MiB.
	MaxEventBytes int
	// MaxBatchBytes bounds the body of a batch. Default 4 MiB.
	MaxBatchBytes int
	// MaxInflightRequests bounds the events' requests between their headers
	// and the return of their records from Kafka's client. Default 4096.
	MaxInflightRequests int
	// MaxInflightBytes bounds the memory of those requests. Default 128 MiB; at
	// least what one event and one batch of the largest size need.
	MaxInflightBytes int64
	// ProduceTimeout bounds the wait for Kafka's acknowledgement. Default 30 s.
	ProduceTimeout time.Duration
	// BrokerTTL is the number of hops a new event may make through Brokers.
	// Default 255.
	BrokerTTL int
	// WebhookAllowedOrigins are the origins that OPTIONS grants; empty: all.
	WebhookAllowedOrigins []string
	// WebhookAllowedRate is what OPTIONS grants, in requests per minute, or
	// "*" (default) for any rate.
	WebhookAllowedRate string

	// HeaderTimeout bounds reading a request's headers from its first byte,
	// default 10 s; BodyTimeout reading its body, default 30 s; WriteTimeout
	// writing an answer, default 10 s; IdleTimeout the wait for the next
	// request on a connection, default 2 min.
	HeaderTimeout, BodyTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxConnections bounds open connections; one more is answered 503 and
	// closed. Default 20,000.
	MaxConnections int

	// Logger gets warnings, at most one per second; nil: none.
	Logger *slog.Logger
	// Registerer gets the metrics kurier_ingress_*; nil: none.
	Registerer prometheus.Registerer
	// Tracer makes the spans of requests and of their records; the records then
	// carry them in traceparent. nil: no spans.
	Tracer trace.Tracer
	// Now is the clock for attributes and headers; nil: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	orDefault(&c.MaxEventBytes, 1<<20)
	orDefault(&c.MaxBatchBytes, 4<<20)
	orDefault(&c.MaxInflightRequests, 4096)
	orDefault(&c.MaxInflightBytes, 128<<20)
	orDefault(&c.ProduceTimeout, 30*time.Second)
	orDefault(&c.BrokerTTL, 255)
	orDefault(&c.WebhookAllowedRate, "*")
	orDefault(&c.HeaderTimeout, 10*time.Second)
	orDefault(&c.BodyTimeout, 30*time.Second)
	orDefault(&c.WriteTimeout, 10*time.Second)
	orDefault(&c.IdleTimeout, 2*time.Minute)
	orDefault(&c.MaxConnections, 20_000)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, c.validate()
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxEventBytes", int64(c.MaxEventBytes)},
		{"MaxBatchBytes", int64(c.MaxBatchBytes)},
		{"MaxInflightRequests", int64(c.MaxInflightRequests)},
		{"MaxInflightBytes", c.MaxInflightBytes},
		{"ProduceTimeout", int64(c.ProduceTimeout)},
		{"BrokerTTL", int64(c.BrokerTTL)},
		{"HeaderTimeout", int64(c.HeaderTimeout)},
		{"BodyTimeout", int64(c.BodyTimeout)},
		{"WriteTimeout", int64(c.WriteTimeout)},
		{"IdleTimeout", int64(c.IdleTimeout)},
		{"MaxConnections", int64(c.MaxConnections)},
	} {
		if f.value < 0 {
			return fmt.Errorf("receiver: %s is %d, want more than 0", f.name, f.value)
		}
	}
	if need := c.largest(); c.MaxInflightBytes < need {
		return fmt.Errorf("receiver: MaxInflightBytes is %d, want at least %d: "+
			"one event of MaxEventBytes %d or one batch of MaxBatchBytes %d would never fit",
			c.MaxInflightBytes, need, c.MaxEventBytes, c.MaxBatchBytes)
	}
	if !isHeaderText(c.WebhookAllowedRate) {
		return fmt.Errorf("receiver: WebhookAllowedRate is %q, want a number or *", c.WebhookAllowedRate)
	}
	return nil
}

// largest is the budget that the largest request needs.
func (c *Config) largest() int64 {
	structured := memoryOf(structuredLimit(c.MaxEventBytes), event.Structured)
	return largeHead + headBytes + max(structured, memoryOf(c.MaxBatchBytes, event.Batch))
}

// isHeaderText tells whether s can be sent in a header as it is.
func isHeaderText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
