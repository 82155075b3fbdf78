package display

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/iso8601"
)

// wish is what the request's path asks for.
type wish struct {
	status int // 0: nothing
	delay  time.Duration
}

// routes takes events on every path; some paths ask for an answer.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			problem(w, http.StatusNotFound, fmt.Sprintf("/status/%s: the code must be 200 to 599", r.PathValue("code")))
			return
		}
		s.take(w, r, wish{status: code})
	})
	mux.HandleFunc("/delay/{duration}", func(w http.ResponseWriter, r *http.Request) {
		delay, err := iso8601.Parse(r.PathValue("duration"))
		if err != nil {
			problem(w, http.StatusNotFound, fmt.Sprintf("/delay/%s: %v", r.PathValue("duration"), err))
			return
		}
		s.take(w, r, wish{delay: delay})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.take(w, r, wish{}) })
	return mux
}

// take handles one request with events: decode, print, wait, answer.
func (s *Server) take(w http.ResponseWriter, r *http.Request, wish wish) {
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		allowWebhook(w, r)
		return
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		problem(w, http.StatusMethodNotAllowed, "events come with POST")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.options.MaxBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit))
		}
		return // otherwise the client has gone
	}
	events, err := decode(r, body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	answer := s.decide(events, wish)
	if err := s.print(events, answer); err != nil {
		s.options.Logger.Error("the event cannot be printed", "error", err)
		problem(w, http.StatusInternalServerError, "the event cannot be printed: "+err.Error())
		return
	}
	if !s.wait(r, answer.delay) {
		problem(w, http.StatusServiceUnavailable, "the display is stopping")
		return
	}
	answer.write(w)
}

// wait returns false when the display stops or the client goes meanwhile.
func (s *Server) wait(r *http.Request, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopping:
		return false
	case <-r.Context().Done():
		return false
	}
}

// decode reads the events of a request: one, or those of a batch.
func decode(r *http.Request, body []byte) ([]*event.Message, error) {
	mode, err := event.ModeOf(r.Header.Get("Content-Type"), headers(r.Header))
	if err != nil {
		return nil, err
	}
	var events []*event.Message
	switch mode {
	case event.Batch:
		events, err = event.FromBatch(body)
	case event.Structured:
		events = make([]*event.Message, 1)
		events[0], err = event.FromStructured(body)
	default:
		events = make([]*event.Message, 1)
		events[0], err = event.FromBinary(headers(r.Header), body)
	}
	if err != nil {
		return nil, err
	}
	for i, m := range events {
		if err := m.Validate(); err != nil {
			if mode == event.Batch {
				err = fmt.Errorf("event %d of the batch: %w", i, err)
			}
			return nil, err
		}
	}
	return events, nil
}

func headers(h http.Header) event.HeaderSeq {
	return func(yield func(string, string) bool) {
		for name, values := range h {
			for _, value := range values {
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// refuse prints why a request holds no valid event, and answers 400 or 415.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := http.StatusBadRequest
	var unsupported *event.UnsupportedError
	if errors.As(err, &unsupported) {
		code = http.StatusUnsupportedMediaType
	}
	text := fmt.Sprintf("%s\nValidation: invalid\nValidation Error: %s\nAnswered %d\n",
		Headline, Printable(err.Error()), code)
	if printErr := s.options.Printer.Print(s.options.Label, text); printErr != nil {
		s.options.Logger.Error("an invalid event cannot be printed", "error", printErr, "path", r.URL.Path)
	}
	problem(w, code, err.Error())
}

// print writes the events with one call, so that nothing comes between them.
// An answer that is no success is told in a line of its own.
func (s *Server) print(events []*event.Message, a answer) error {
	var text strings.Builder
	for _, m := range events {
		text.WriteString(Format(m))
		if a.status >= 300 {
			fmt.Fprintf(&text, "Answered %d\n", a.status)
		}
	}
	if text.Len() == 0 { // an empty batch
		return nil
	}
	return s.options.Printer.Print(s.options.Label, text.String())
}

// allowWebhook grants what the webhook handshake asks for.
func allowWebhook(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("WebHook-Request-Origin")
	if origin == "" {
		origin = "*"
	}
	w.Header().Set("Allow", "POST, OPTIONS")
	w.Header().Set("WebHook-Allowed-Origin", origin)
	w.Header().Set("WebHook-Allowed-Rate", "*")
	w.WriteHeader(http.StatusOK)
}

// problem answers with an RFC 9457 body.
func problem(w http.ResponseWriter, code int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{ // fails only when the client has gone
		"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": detail,
	})
}
