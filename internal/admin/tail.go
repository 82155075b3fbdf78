package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TrailerError is the HTTP trailer that says why a tail ended by itself.
const TrailerError = "Kurier-Error"

// tail streams the events of an object: one CloudEvent per line, each flushed,
// and an empty line (which readers of JSON lines skip) while there is nothing.
func (s *Server) tail(w http.ResponseWriter, r *http.Request) {
	options, err := tailOptions(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	object := s.find(w, r)
	if object == nil {
		return
	}
	ref := Ref{Kind: strings.ToLower(object.Kind), Namespace: object.Metadata.Namespace, Name: object.Metadata.Name}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "application/x-ndjson")
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	out := &stream{writer: w, control: http.NewResponseController(w), patience: s.config.Patience}
	var beats sync.WaitGroup
	beats.Go(func() { s.heartbeats(ctx, stop, out) })
	err = s.config.Process.Tail(ctx, ref, options, func(e Event) error { return out.event(e) })
	gone := ctx.Err() != nil
	stop()
	beats.Wait()
	if err != nil && !gone {
		out.fail(err)
	}
}

// tailOptions reads the query. An unknown parameter is an error: a misspelt
// dead-letters must not show something else.
func tailOptions(r *http.Request) (TailOptions, error) {
	var options TailOptions
	var err error
	for name, values := range r.URL.Query() {
		value := values[len(values)-1]
		switch name {
		case "dead-letters":
			if options.DeadLetters, err = strconv.ParseBool(value); err != nil {
				return options, fmt.Errorf("dead-letters=%q: allowed: true, false", value)
			}
		case "from":
			if options.From, err = ParseFrom(value); err != nil {
				return options, err
			}
		default:
			return options, fmt.Errorf("unknown parameter %q; allowed: dead-letters, from", name)
		}
	}
	return options, nil
}

// heartbeats writes an empty line now and then until ctx ends. It stops the
// tail when the client does not take it.
func (s *Server) heartbeats(ctx context.Context, stop context.CancelFunc, out *stream) {
	timer := time.NewTimer(min(firstByte, s.config.Heartbeat))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if out.line(nil) != nil {
			stop()
			return
		}
		timer.Reset(s.config.Heartbeat)
	}
}

// stream is a response written line by line by several goroutines.
type stream struct {
	mu       sync.Mutex
	writer   http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	started  bool // the status code has been sent
}

// event writes an event on one line.
func (s *stream) event(e Event) error {
	var line bytes.Buffer
	if err := json.Compact(&line, e.CloudEvent); err != nil {
		return fmt.Errorf("an event is not valid JSON: %w", err)
	}
	return s.line(line.Bytes())
}

// line writes and flushes one line. The error means that the client has gone or
// does not read.
func (s *stream) line(content []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.started = true
		s.writer.Header().Set("Content-Type", "application/x-ndjson")
		s.writer.Header().Set("Trailer", TrailerError)
		s.writer.WriteHeader(http.StatusOK)
	}
	// Recorders in tests have no deadlines; real connections do.
	_ = s.control.SetWriteDeadline(time.Now().Add(s.patience))
	if _, err := s.writer.Write(append(content, '\n')); err != nil {
		return err
	}
	return s.control.Flush()
}

// fail answers with a status code while there is still one to be sent, and
// with a trailer afterwards.
func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		s.writer.Header().Set(TrailerError, err.Error())
		return
	}
	code := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, ErrNotFound):
		code = http.StatusNotFound
	case errors.Is(err, ErrNotTailable):
		code = http.StatusBadRequest
	}
	problem(s.writer, code, err.Error())
}
