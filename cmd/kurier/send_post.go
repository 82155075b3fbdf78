package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/time/rate"

	"kurier.dev/kurier/internal/display"
	"kurier.dev/kurier/internal/event"
)

// sending is one run of kurier send.
type sending struct {
	post       *poster
	structured bool
	limit      *rate.Limiter
	say        func(format string, arguments ...any) error
	sent       int // events in requests that were tried
	accepted   int // events answered 2xx
	requests   int
}

// each sends the events one after the other, and says how each was answered.
func (s *sending) each(ctx context.Context, events eventSource) error {
	for m, err := range events {
		if ctx.Err() != nil {
			return nil // stopped by a signal; the sum tells how far it came
		}
		if err != nil {
			return err
		}
		if s.limit.Wait(ctx) != nil {
			return nil // as above
		}
		id, _ := m.Get(event.ID)
		body, headers := m.Data, m.BinaryHeaders()
		if s.structured {
			if body, err = m.Structured(); err != nil {
				return fmt.Errorf("event %s: %w", id, err)
			}
			headers = contentType(event.StructuredContentType)
		}
		eventType, _ := m.Get(event.Type)
		if err := s.request(ctx, headers, body, 1, id+"  "+eventType); err != nil {
			return err
		}
	}
	return nil
}

// batch sends all events with one request.
func (s *sending) batch(ctx context.Context, events eventSource) error {
	array := []json.RawMessage{}
	for m, err := range events {
		if ctx.Err() != nil {
			return nil // stopped by a signal before anything was sent
		}
		if err != nil {
			return err
		}
		envelope, err := m.Structured()
		if err != nil {
			return fmt.Errorf("event %d: %w", len(array)+1, err)
		}
		array = append(array, envelope)
	}
	body, err := json.Marshal(array)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("a batch of %d", len(array))
	return s.request(ctx, contentType("application/cloudevents-batch+json"), body, len(array), what)
}

func contentType(value string) event.HeaderSeq {
	return func(yield func(string, string) bool) { yield("Content-Type", value) }
}

// request sends one request and writes the answer as one line.
func (s *sending) request(ctx context.Context, headers event.HeaderSeq, body []byte, events int, what string) error {
	what = display.Printable(what)
	code, detail, err := s.post.do(ctx, headers, body)
	if err != nil && ctx.Err() != nil {
		err = errors.New("stopped before the answer came; it may or may not be stored")
	}
	s.requests++
	s.sent += events
	switch {
	case err != nil:
		return s.say("no answer     %s: %v\n", what, err)
	case code/100 == 2:
		s.accepted += events
		return s.say("%d %s  %s\n", code, http.StatusText(code), what)
	}
	if detail != "" {
		detail = ": " + display.Printable(detail)
	}
	return s.say("%d %s  %s%s\n", code, http.StatusText(code), what, detail)
}

// sum says how many were accepted, when there was more than one request. The
// error is errSilent when some were not.
func (s *sending) sum() error {
	if s.requests > 1 {
		if err := s.say("%d sent, %d accepted\n", s.sent, s.accepted); err != nil {
			return err
		}
	}
	if s.accepted < s.sent {
		return errSilent
	}
	return nil
}

// poster posts events to one address.
type poster struct {
	address   string
	transport *http.Transport
	client    *http.Client
}

func newPoster(address string, timeout time.Duration) *poster {
	transport := &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute}
	return &poster{address, transport, &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (p *poster) close() { p.transport.CloseIdleConnections() }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// do posts one request. detail is what an error answer says.
func (p *poster) do(ctx context.Context, headers event.HeaderSeq, body []byte) (code int, detail string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		request.Header.Add(name, value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return 0, "", fmt.Errorf("%s: %w", p.address, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read as far as it was wanted
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return response.StatusCode, "the answer broke off: " + err.Error(), nil
	}
	return response.StatusCode, detailOf(answer), nil
}

// detailOf is the detail of a problem, or the answer itself.
func detailOf(answer []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &problem) == nil && problem.Detail != "" {
		return problem.Detail
	}
	return string(bytes.TrimSpace(answer))
}
