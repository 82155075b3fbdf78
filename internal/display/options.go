// Package display is an HTTP server that prints every event it gets, in the
// form that users of Knative's event_display know, and answers as it is told:
// the subscriber to try things with, and the double of one in tests. It stores
// and forwards nothing.
package display

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"kurier.dev/kurier/internal/event"
)

// Options are a display's settings.
type Options struct {
	// Addr is the listen address; empty means :8080, port 0 any free port.
	Addr string

	// Label stands before each line that is printed; empty: nothing does.
	Label string

	// Printer takes what is printed; displays that share a writer share it.
	// nil: a plain one on standard output.
	Printer *Printer

	// Status is the answer to an event, 200 to 599; 0 means 202, or 200 with a
	// reply.
	Status int

	// Delay is waited before each answer.
	Delay time.Duration

	// FailFirst requests are answered with FailStatus; later ones normally.
	FailFirst int

	// FailTypes are event types whose events are always answered with
	// FailStatus; a batch, when one of its events is of such a type.
	FailTypes []string

	// FailStatus is 300 to 599; 0 means 503.
	FailStatus int

	// Reply is the event in each answer that is 2xx; nil: none.
	Reply *Reply

	// MaxBytes bounds a request's body; 0 means 16 MiB. A larger one is
	// answered 413.
	MaxBytes int64

	// Logger takes what goes wrong in the server itself; nil: nothing is logged.
	Logger *slog.Logger
}

// Reply is the event that a display answers with.
type Reply struct {
	// Echo replies with the event received, in which the fields below replace
	// what it has; otherwise a new event is made, with an id of its own.
	Echo bool

	Type        string // required without Echo
	Source      string // empty: /kurier/display, or the event's own with Echo
	Data        string // empty: no data, or the event's own with Echo
	ContentType string // of Data; empty: application/json
}

const (
	defaultAddr     = ":8080"
	defaultMaxBytes = 16 << 20
)

// withDefaults returns o with every zero value filled in. The error names the
// field.
func (o Options) withDefaults() (Options, error) {
	if err := o.Check(); err != nil {
		return o, err
	}
	if o.Addr == "" {
		o.Addr = defaultAddr
	}
	if o.Printer == nil {
		o.Printer = NewPrinter(os.Stdout, false)
	}
	if o.FailStatus == 0 {
		o.FailStatus = 503
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Check returns what is wrong with the options; the error names the field.
func (o *Options) Check() error {
	if o.Status != 0 && (o.Status < 200 || o.Status > 599) {
		return fmt.Errorf("status %d: allowed: 200 to 599", o.Status)
	}
	if o.FailStatus != 0 && (o.FailStatus < 300 || o.FailStatus > 599) {
		return fmt.Errorf("fail status %d: allowed: 300 to 599", o.FailStatus)
	}
	if o.Delay < 0 {
		return fmt.Errorf("delay %s: allowed: zero or more", o.Delay)
	}
	if o.FailFirst < 0 {
		return fmt.Errorf("fail first %d: allowed: zero or more", o.FailFirst)
	}
	if o.MaxBytes < 0 {
		return fmt.Errorf("max bytes %d: allowed: zero or more", o.MaxBytes)
	}
	if r := o.Reply; r != nil {
		if !r.Echo && r.Type == "" {
			return errors.New("reply type: a reply that is no echo needs a type")
		}
		if err := r.event(&event.Message{}).Validate(); err != nil && !r.Echo {
			return fmt.Errorf("reply: %w", err)
		}
	}
	return nil
}

// New checks the options and starts to listen, so that Addr is known; Run
// serves. The error says which port is taken.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("display: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", o.Addr) // does not block
	if err != nil {
		return nil, fmt.Errorf("display: cannot listen on %s: %w", o.Addr, err)
	}
	return newServer(o, listener), nil
}
