// Package admin serves what people and machines ask a running process: probes,
// metrics, the status of every object, and a view of the events that pass. It
// knows neither Kafka nor manifests: it asks a Process. It changes nothing.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kurier.dev/kurier/internal/status"
)

// Process is what the server asks. All methods are called concurrently.
type Process interface {
	// Status returns every object, complete (see status.History). An error is
	// answered with 503.
	Status(ctx context.Context) ([]status.Object, error)

	// Ready returns why the process is not ready; empty means ready.
	Ready() []string

	// Tail calls each with the events of one object until ctx ends or each
	// fails, whose error it then returns. It disturbs no consumer. ref is that of
	// an object which Status has just answered. Errors before the first event: ErrNotFound (wrapped) answers 404,
	// ErrNotTailable 400, any other 503.
	Tail(ctx context.Context, ref Ref, options TailOptions, each func(Event) error) error
}

// Errors of Process.Tail; wrap them with what a person should know.
var (
	ErrNotFound    = errors.New("there is no such object")
	ErrNotTailable = errors.New("no events pass through this kind of object")
)

// Ref names an object. Kind is in lower case.
type Ref struct{ Kind, Namespace, Name string }

// String is the form the commands use: trigger/default/orders.
func (r Ref) String() string { return r.Kind + "/" + r.Namespace + "/" + r.Name }

// TailOptions say what to show.
type TailOptions struct {
	DeadLetters bool // of a Trigger or Subscription: its dead letter topic
	From        From
}

// From says where a tail begins. The zero value is the newest end: only what
// comes from now on.
type From struct {
	Oldest bool
	Last   int // the last n events of the topic (about n: of each partition its share)
}

// ParseFrom reads oldest, newest (or nothing) or a count.
func ParseFrom(text string) (From, error) {
	switch strings.ToLower(text) {
	case "", "newest":
		return From{}, nil
	case "oldest":
		return From{Oldest: true}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return From{}, fmt.Errorf("from=%q: allowed: oldest, newest, or how many of the last events to start with", text)
	}
	return From{Last: n}, nil
}

// String is the form ParseFrom reads.
func (f From) String() string {
	switch {
	case f.Oldest:
		return "oldest"
	case f.Last > 0:
		return strconv.Itoa(f.Last)
	}
	return "newest"
}

// Event is what a tail shows: one CloudEvent in JSON format (the structured
// envelope). Line breaks in it are taken out before it is sent. A record that
// is no CloudEvent is shown as one, see ForeignRecord.
type Event struct{ CloudEvent json.RawMessage }
