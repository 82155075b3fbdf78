package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Request is one request that a Subscriber got.
type Request struct {
	Number   int       // from 1, over all requests of this subscriber
	Begin    time.Time // when it was complete
	End      time.Time // when its answer was written; zero while it is in flight
	Method   string
	Path     string
	Header   http.Header
	Body     []byte
	Answered int // the status of the answer
	// Abandoned: the sender had gone before the answer.
	Abandoned bool
}

// ID is the event's id, in binary or structured mode.
func (r *Request) ID() string { return r.Attribute("id") }

// Attribute is an attribute of the event as it stands on the wire; empty when absent.
func (r *Request) Attribute(name string) string {
	if !r.Structured() {
		if name == "datacontenttype" {
			return r.Header.Get("Content-Type")
		}
		return r.Header.Get("Ce-" + name)
	}
	var envelope map[string]any
	if json.Unmarshal(r.Body, &envelope) != nil || envelope[name] == nil {
		return ""
	}
	return fmt.Sprint(envelope[name])
}

// Structured tells whether the event came as one JSON envelope.
func (r *Request) Structured() bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents+json")
}

// Accepted tells whether the answer was 2xx.
func (r *Request) Accepted() bool { return r.Answered/100 == 2 }

// Answer is what a Subscriber says to one request.
type Answer struct {
	Status int // 0: 202
	Header http.Header
	Body   string
	Delay  time.Duration // waited before the answer; ends early when the sender goes
	Until  <-chan struct{}
	// Hang up instead of answering: the connection is closed after the request was read.
	HangUp bool
}

// Behaviour decides the answer to a request; Number tells which one it is. It is called
// by many goroutines at once.
type Behaviour func(r *Request) Answer

// Subscriber is a recording HTTP server: the double of a service that events are
// delivered to. Its methods are safe for concurrent use.
type Subscriber struct {
	URL    string
	server *Server

	mu       sync.Mutex
	answer   Behaviour
	requests []*Request
	inFlight int
	most     int
}

// NewSubscriber starts a subscriber that answers as told, nil meaning 202 to everything.
// It ends with the test.
func NewSubscriber(t testing.TB, answer Behaviour) *Subscriber {
	t.Helper()
	s := &Subscriber{answer: answer}
	s.server = NewServer(t, s)
	s.URL = s.server.URL
	return s
}

// NewSubscriberAt starts a subscriber on an address, for example that of a closed one.
func NewSubscriberAt(t testing.TB, addr string, answer Behaviour) *Subscriber {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &Subscriber{answer: answer}
	s.server = newServer(s)
	s.server.Listener.Close()
	s.server.Listener = listener
	s.server.Start()
	s.URL = s.server.URL
	t.Cleanup(s.Close)
	return s
}

// Addr is the host:port that the subscriber listens on.
func (s *Subscriber) Addr() string { return s.server.Listener.Addr().String() }

// Close ends the subscriber: connections are refused from now on. It may be called twice.
func (s *Subscriber) Close() { s.server.Close() }

// Answer changes the behaviour from the next request on.
func (s *Subscriber) Answer(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = b
}

// ServeHTTP records the request and answers.
func (s *Subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender went away in the middle
	}
	req, behaviour := s.begin(&Request{
		Begin: time.Now(), Method: r.Method, Path: r.URL.Path, Header: r.Header.Clone(), Body: body,
	})
	var a Answer
	if behaviour != nil {
		a = behaviour(req)
	}
	if a.Status == 0 {
		a.Status = http.StatusAccepted
	}
	waitFor(r, a)
	s.end(req, a.Status, r.Context().Err() != nil)
	if a.HangUp {
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// waitFor waits as the answer asks, or until the sender has gone.
func waitFor(r *http.Request, a Answer) {
	if a.Delay > 0 {
		timer := time.NewTimer(a.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	if a.Until != nil {
		select {
		case <-a.Until:
		case <-r.Context().Done():
		}
	}
}

func (s *Subscriber) begin(r *Request) (*Request, Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Number = len(s.requests) + 1
	s.requests = append(s.requests, r)
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	return r, s.answer
}

func (s *Subscriber) end(r *Request, status int, abandoned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.End, r.Answered, r.Abandoned = time.Now(), status, abandoned
	s.inFlight--
}

// Requests are all so far, in the order in which they were complete.
func (s *Subscriber) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// Received are the requests that were answered 2xx.
func (s *Subscriber) Received() []Request {
	return slices.DeleteFunc(s.Requests(), func(r Request) bool { return !r.Accepted() })
}

// IDs are the ids of all requests, in order.
func (s *Subscriber) IDs() []string { return ids(s.Requests()) }

// ReceivedIDs are the ids of the requests that were answered 2xx, in order.
func (s *Subscriber) ReceivedIDs() []string { return ids(s.Received()) }

func ids(requests []Request) []string {
	var all []string
	for i := range requests {
		all = append(all, requests[i].ID())
	}
	return all
}

// InFlight is the number of requests being answered, and the most there ever were at once.
func (s *Subscriber) InFlight() (now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight, s.most
}

// Pattern is the answers so far as letters, T for 2xx and F for all else: "FFFT".
func (s *Subscriber) Pattern() string {
	var b strings.Builder
	for _, r := range s.Requests() {
		switch {
		case r.End.IsZero():
		case r.Accepted():
			b.WriteByte('T')
		default:
			b.WriteByte('F')
		}
	}
	return b.String()
}

// AwaitReceived waits until at least n requests were answered 2xx and returns them.
func (s *Subscriber) AwaitReceived(t testing.TB, n int) []Request {
	t.Helper()
	s.await(t, "accepted", n, s.Received)
	return s.Received()
}

// AwaitRequests waits until at least n requests came and returns all.
func (s *Subscriber) AwaitRequests(t testing.TB, n int) []Request {
	t.Helper()
	s.await(t, "requested", n, s.Requests)
	return s.Requests()
}

func (s *Subscriber) await(t testing.TB, what string, n int, get func() []Request) {
	t.Helper()
	Eventually(t, Wait, fmt.Sprintf("%d events %s at %s", n, what, s.URL), func() error {
		if got := len(get()); got < n {
			return fmt.Errorf("%d so far, pattern %s", got, s.Pattern())
		}
		return nil
	})
}

// NewSubscriberIdle is a subscriber that closes connections which were idle for a time.
func NewSubscriberIdle(t testing.TB, idle time.Duration, answer Behaviour) *Subscriber {
	t.Helper()
	s := &Subscriber{answer: answer}
	s.server = newServer(s)
	s.server.Config.IdleTimeout = idle
	s.server.Start()
	s.URL = s.server.URL
	t.Cleanup(s.Close)
	return s
}

// NewFlood starts a server that answers 200 with the given headers and then writes for as
// long as anybody reads, at most 1 GiB. It returns the URL.
func NewFlood(t testing.TB, header http.Header) string {
	t.Helper()
	const chunk, most = 1 << 20, 1 << 30
	return NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		maps.Copy(w.Header(), header)
		block := make([]byte, chunk)
		for written := 0; written < most; written += chunk {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})).URL
}
