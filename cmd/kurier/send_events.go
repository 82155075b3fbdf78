package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"kurier.dev/kurier/internal/event"
)

// eventSource yields events, or the error that ends them.
type eventSource = iter.Seq2[*event.Message, error]

// overlay is what flags set on every event of a source.
type overlay struct {
	attributes []event.Attribute
	keys       []string // partitionkeys, in turn
}

// over sets the overlay on each event, with {n} replaced by its number.
func (o *overlay) over(events eventSource) eventSource {
	return func(yield func(*event.Message, error) bool) {
		n := 0
		for m, err := range events {
			if err != nil {
				yield(nil, err)
				return
			}
			n++
			for _, a := range o.attributes {
				m.Set(a.Name, numbered(a.Value, n))
			}
			if len(o.keys) > 0 {
				m.Set(event.PartitionKey, o.keys[(n-1)%len(o.keys)])
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

func numbered(text string, n int) string { return strings.ReplaceAll(text, "{n}", strconv.Itoa(n)) }

// made yields the events that flags describe, without what the overlay sets.
func (f *sendFlags) made() (eventSource, error) {
	data := f.data
	if name, ok := strings.CutPrefix(data, "@"); ok {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
		data = string(content)
	}
	return func(yield func(*event.Message, error) bool) {
		for n := 1; n <= f.repeat; n++ {
			m := &event.Message{}
			m.Set(event.SpecVersion, "1.0")
			m.Set(event.ID, uuid.NewString())
			m.Set(event.Time, time.Now().UTC().Format(time.RFC3339Nano))
			if data != "" {
				m.Data = []byte(numbered(data, n))
				m.Set(event.DataContentType, guessType(m.Data))
			}
			if !yield(m, nil) {
				return
			}
		}
	}, nil
}

func guessType(data []byte) string {
	if json.Valid(data) {
		return "application/json"
	}
	return "text/plain"
}

// eventsOf reads CloudEvents in JSON from a stream, one after the other as they
// come; arrays hold several. name stands for the stream in errors.
func eventsOf(stream io.Reader, name string) eventSource {
	return func(yield func(*event.Message, error) bool) {
		decoder := json.NewDecoder(stream)
		for n := 1; ; n++ {
			var document json.RawMessage
			if err := decoder.Decode(&document); err != nil {
				if !errors.Is(err, io.EOF) {
					yield(nil, fmt.Errorf("%s: document %d is no JSON: %w", name, n, err))
				}
				return
			}
			events, err := parseEvents(document)
			if err != nil {
				yield(nil, fmt.Errorf("%s: document %d: %w", name, n, err))
				return
			}
			for _, m := range events {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// interruptible returns a reader of in that fails when ctx ends, also while a
// read from a terminal waits for somebody to type. That one read may then stay
// behind until the process ends.
func interruptible(ctx context.Context, in io.Reader) io.ReadCloser {
	out, into := io.Pipe()
	go func() {
		_, err := io.Copy(into, in)
		into.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	return out
}

// parseEvents reads one event, or an array of them.
func parseEvents(document []byte) ([]*event.Message, error) {
	if document[0] == '[' {
		return event.FromBatch(document)
	}
	m, err := event.FromStructured(document)
	if err != nil {
		return nil, err
	}
	return []*event.Message{m}, nil
}
