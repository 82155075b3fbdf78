package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Event is an event to send in binary mode. Zero fields get defaults.
type Event struct {
	ID          string            // required
	Type        string            // default com.example.test
	Source      string            // default /test
	SpecVersion string            // default 1.0
	ContentType string            // default application/json with data
	Extensions  map[string]string // and other attributes, as they stand in the header
	Header      http.Header       // other headers
	Data        []byte
}

// FullEvent is the event with every attribute that conformance cases send.
func FullEvent() Event {
	return Event{
		ID: "full-event", Type: "com.example.FullEvent", Source: "http://example.com/source",
		ContentType: "text/json", Data: []byte(`"hello"`),
		Extensions: map[string]string{
			"subject": "topic", "time": "2020-03-21T12:34:56.78Z", "dataschema": "http://example.com/schema",
			"exbool": "true", "exint": "42", "exstring": "exstring", "exbinary": "AAECAw==",
			"exurl": "http://example.com/source", "extime": "2020-03-21T12:34:56.78Z",
		},
	}
}

// MinEvent is the smallest event that conformance cases send, with a type of choice.
func MinEvent(eventType string) Event {
	return Event{ID: "min-event", Type: eventType, Source: "http://example.com/source"}
}

// httpClient has limits of its own; connections are many, because senders are.
func httpClient() *http.Client {
	return &http.Client{
		Timeout:   Wait,
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second},
	}
}

// header sets the event's attributes.
func (e *Event) header() http.Header {
	h := http.Header{}
	for name, values := range e.Header {
		h[name] = values
	}
	set := func(name, value, otherwise string) {
		if value == "" {
			value = otherwise
		}
		h.Set("Ce-"+name, value)
	}
	set("id", e.ID, "")
	set("type", e.Type, "com.example.test")
	set("source", e.Source, "/test")
	set("specversion", e.SpecVersion, "1.0")
	for name, value := range e.Extensions {
		h.Set("Ce-"+name, value)
	}
	if e.ContentType != "" {
		h.Set("Content-Type", e.ContentType)
	} else if e.Data != nil {
		h.Set("Content-Type", "application/json")
	}
	return h
}

// Sender posts events. Its methods are safe for concurrent use.
type Sender struct{ client *http.Client }

// NewSender makes a sender whose connections end with the test.
func NewSender(t testing.TB) *Sender {
	s := &Sender{client: httpClient()}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// Post sends one event and returns the answer.
func (s *Sender) Post(address string, e Event) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(e.Data))
	if err != nil {
		return 0, "", err
	}
	req.Header = e.header()
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text), err
}

// Send sends one event and fails the test unless it is accepted.
func (s *Sender) Send(t testing.TB, address string, e Event) {
	t.Helper()
	status, body, err := s.Post(address, e)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("send event %q to %s: status %d, error %v\n%s", e.ID, address, status, err, body)
	}
}

// SendAgain sends one event, again and again until it is accepted: what a client does that
// was answered 503, or not at all.
func (s *Sender) SendAgain(t testing.TB, within time.Duration, address string, e Event) {
	t.Helper()
	Eventually(t, within, fmt.Sprintf("event %q to be accepted at %s", e.ID, address), func() error {
		status, body, err := s.Post(address, e)
		if err == nil && status != http.StatusAccepted {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		return err
	})
}

// Get fetches a URL and returns status and body.
func (s *Sender) Get(address string) (int, string, error) {
	resp, err := s.client.Get(address)
	if err != nil {
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// Numbered makes n events with ids prefix-1 to prefix-n and a `sequence` extension.
func Numbered(prefix string, n int) []Event {
	events := make([]Event, 0, n)
	for i := range n {
		events = append(events, Event{
			ID: fmt.Sprintf("%s-%d", prefix, i+1), Data: fmt.Appendf(nil, `{"n":%d}`, i+1),
			Extensions: map[string]string{"sequence": fmt.Sprint(i + 1)},
		})
	}
	return events
}

// IDsOf lists the ids of events.
func IDsOf(events []Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

// Missing lists the wanted ids that are not in got, and how often each got id repeats.
func Missing(want, got []string) (missing []string, repeats int) {
	count := map[string]int{}
	for _, id := range got {
		count[id]++
		if count[id] > 1 {
			repeats++
		}
	}
	for _, id := range want {
		if count[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing, repeats
}

// Join shortens a list for a message.
func Join(ids []string) string {
	if len(ids) > 12 {
		return strings.Join(ids[:12], " ") + fmt.Sprintf(" … (%d)", len(ids))
	}
	return strings.Join(ids, " ")
}
