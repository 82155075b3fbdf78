package dispatcher

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kurier.dev/kurier/internal/event"
)

// sendTo makes one attempt with a sender of its own.
func sendTo(t *testing.T, url string, change func(*Message)) (Result, error) {
	t.Helper()
	sender := NewHTTPSender()
	defer sender.Close()
	return sender.Send(context.Background(), message(url, change))
}

func message(url string, change func(*Message)) Message {
	m := Message{To: Destination{URL: url}, Event: minEvent(), Namespace: "ns", WantReply: true, Timeout: 20 * time.Second}
	if change != nil {
		change(&m)
	}
	return m
}

// raw serves connections by hand: handle gets each connection with its number,
// from 1, and the connection is closed when it returns.
func raw(t *testing.T, handle func(n int, c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			all.Go(func() {
				handle(n, c, bufio.NewReader(c))
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + ln.Addr().String()
}

// readRequest reads one request to its end.
func readRequest(r *bufio.Reader) error {
	req, err := http.ReadRequest(r)
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	return err
}

func attemptOf(t *testing.T, err error) *AttemptError {
	t.Helper()
	var attempt *AttemptError
	if !errors.As(err, &attempt) {
		t.Fatalf("%v is no AttemptError", err)
	}
	return attempt
}

// 4.4: what goes over the wire, byte by byte.
func TestRequestOnTheWire(t *testing.T) {
	got := make(chan string, 1)
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			head.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		body := make([]byte, 4)
		_, _ = io.ReadFull(r, body)
		got <- head.String() + string(body)
		_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
	})
	_, err := sendTo(t, url+"/a//b/../%2Fc?q=1&r=a%20b#frag", func(m *Message) {
		m.Event.Set("subject", "a \"b\" 100% €")
		m.Event.Set("datacontenttype", "text/plain")
		m.Event.Set("exbool", "true")
		m.Event.Headers = []event.Header{{Name: "x-request-id", Value: "one"}, {Name: "x-request-id", Value: "two"},
			{Name: "bad name", Value: "x"}, {Name: "knative-x", Value: "a\r\nInjected: yes"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	text := <-got
	for _, want := range []string{
		"POST /a//b/../%2Fc?q=1&r=a%20b HTTP/1.1\r\n",
		"Host: " + strings.TrimPrefix(url, "http://") + "\r\n",
		"Kn-Namespace: ns\r\n", "Prefer: reply\r\n", "Content-Type: text/plain\r\n", "Content-Length: 4\r\n",
		"ce-id: 1\r\n", "ce-subject: a%20%22b%22%20100%25%20%E2%82%AC\r\n", "ce-exbool: true\r\n",
		"x-request-id: one\r\n", "x-request-id: two\r\n", "\r\n\r\nbody",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, bad := range []string{"bad name", "\r\nInjected", "knative-x", "Authorization"} {
		if strings.Contains(text, bad) && bad != "knative-x" {
			t.Errorf("%q is in\n%s", bad, text)
		}
	}
}

func TestRequestVariants(t *testing.T) {
	seen := make(chan *http.Request, 1)
	bodies := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen <- r
		bodies <- string(b)
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()

	if _, err := sendTo(t, server.URL, func(m *Message) { m.Format = JSON; m.WantReply = false; m.Event.Data = []byte(`{"a":1}`) }); err != nil {
		t.Fatal(err)
	}
	r, body := <-seen, <-bodies
	if r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/cloudevents+json" ||
		r.Header.Get("Prefer") != "" || !strings.Contains(body, `"data":{"a":1}`) || r.Header.Get("ce-id") != "" {
		t.Errorf("structured: %v %s", r.Header, body)
	}

	if _, err := sendTo(t, strings.Replace(server.URL, "http://", "http://user:pw@", 1), func(m *Message) { m.Event.Data = nil }); err != nil {
		t.Fatal(err)
	}
	r, body = <-seen, <-bodies
	if name, password, ok := r.BasicAuth(); !ok || name != "user" || password != "pw" || body != "" || r.ContentLength != 0 {
		t.Errorf("user in the URL: %v, body %q", r.Header, body)
	}
	if r.Header.Get("Content-Type") != "" {
		t.Errorf("an event without datacontenttype has Content-Type %q", r.Header.Get("Content-Type"))
	}

	big := strings.Repeat("x", 300<<10)
	if _, err := sendTo(t, server.URL, func(m *Message) { m.Event.Data = []byte(big) }); err != nil {
		t.Fatal(err)
	}
	<-seen
	if body = <-bodies; body != big {
		t.Errorf("%d bytes arrived, want %d", len(body), len(big))
	}
}

// Section 4.5: what a response or its absence means.
func TestOutcomes(t *testing.T) {
	const ce = "Ce-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Type: t\r\nCe-Source: /s\r\n"
	for _, c := range []struct {
		name, response string
		code           int
		reason         Reason
		body           string
		claims         bool
	}{
		{name: "202", response: "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", code: 202},
		{name: "204", response: "HTTP/1.1 204 No Content\r\n\r\n", code: 204},
		{name: "200 text", response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", code: 200, body: "OK"},
		{name: "event", response: "HTTP/1.1 200 OK\r\n" + ce + "Content-Length: 2\r\n\r\nhi", code: 200, body: "hi", claims: true},
		{name: "event, chunked", response: "HTTP/1.1 202 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", code: 202, body: "hi", claims: true},
		{name: "until the end of the connection", response: "HTTP/1.0 200 OK\r\n" + ce + "\r\nhi", code: 200, body: "hi", claims: true},
		{name: "structured", response: "HTTP/1.1 200 OK\r\nContent-Type: APPLICATION/CloudEvents+json\r\nContent-Length: 2\r\n\r\n{}", code: 200, body: "{}", claims: true},
		{name: "interim", response: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", code: 200},
		{name: "422", response: "HTTP/1.1 422 No\r\nContent-Length: 3\r\n\r\nbad", code: 422, body: "bad"},
		{name: "redirect", response: "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", code: 302},
		{name: "307", response: "HTTP/1.1 307 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", code: 307},
		{name: "101 is final", response: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", code: 101},
		{name: "no response", response: "", reason: ReasonConnection},
		{name: "garbage", response: "\x00\x01\x02 what is this\r\n\r\n", reason: ReasonConnection},
		{name: "SSH", response: "SSH-2.0-OpenSSH_9.6\r\n", reason: ReasonConnection},
		{name: "half a header", response: "HTTP/1.1 200 OK\r\nContent-Le", reason: ReasonConnection},
		{name: "short body", response: "HTTP/1.1 200 OK\r\n" + ce + "Content-Length: 100\r\n\r\nhi", reason: ReasonConnection},
		{name: "short body of no event", response: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhi", reason: ReasonConnection},
		{name: "cut between chunks", response: "HTTP/1.1 200 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", reason: ReasonConnection},
		{name: "cut in a chunk", response: "HTTP/1.1 200 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\n9\r\nhi", reason: ReasonConnection},
		{name: "broken chunk", response: "HTTP/1.1 200 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n", reason: ReasonConnection},
		{name: "reply too large", response: "HTTP/1.1 200 OK\r\n" + ce + "Content-Length: 2000\r\n\r\n", reason: ReasonReplyTooLarge},
		{name: "reply too large, chunked", response: "HTTP/1.1 200 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\n800\r\n" + strings.Repeat("x", 0x800) + "\r\n", reason: ReasonReplyTooLarge},
		{name: "as large as allowed", response: "HTTP/1.1 200 OK\r\n" + ce + "Content-Length: 1500\r\n\r\n" + strings.Repeat("x", 1500), code: 200, body: strings.Repeat("x", 1500), claims: true},
		{name: "large header", response: "HTTP/1.1 200 OK\r\n" + ce + "Ce-Big: " + strings.Repeat("y", 60<<10) + "\r\nContent-Length: 2\r\n\r\nhi", code: 200, body: "hi", claims: true},
		{name: "endless header", response: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 200<<10), reason: ReasonConnection},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := raw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				if readRequest(r) == nil {
					_, _ = io.WriteString(conn, c.response)
				}
			})
			res, err := sendTo(t, url, func(m *Message) { m.MaxReply = 1500 })
			if c.reason == ReasonNone && c.code/100 == 2 {
				if err != nil || res.Code != c.code || string(res.Body) != c.body || res.ClaimsEvent != c.claims {
					t.Errorf("%v %+v", err, res)
				}
				return
			}
			if a := attemptOf(t, err); a.Code != c.code || a.Reason != c.reason || string(a.Body) != c.body || a.URL != url {
				t.Errorf("%+v (%v), want code %d, reason %q", a, err, c.code, c.reason)
			} else if len(a.Error()) > 500 {
				t.Errorf("the text has %d bytes", len(a.Error()))
			}
		})
	}
}

func TestUnusableDestinations(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + closed.Addr().String()
	_ = closed.Close()
	for url, want := range map[string]Reason{
		"bad://uri":                ReasonUnsupportedScheme,
		"ftp://host/x":             ReasonUnsupportedScheme,
		refused:                    ReasonConnection,
		"http://":                  ReasonConnection,
		"http://h:99999/":          ReasonConnection,
		"http://%zz/":              ReasonConnection,
		"http://nowhere.invalid./": ReasonConnection,
	} {
		_, err := sendTo(t, url, nil)
		if a := attemptOf(t, err); a.Reason != want || a.Code != 0 || a.URL != url {
			t.Errorf("%s: %+v", url, a)
		}
	}
	_, err = sendTo(t, "https://127.0.0.1/", func(m *Message) { m.To.CACerts = "no certificate" })
	if a := attemptOf(t, err); a.Reason != ReasonConnection || !strings.Contains(a.Error(), "CACerts") {
		t.Errorf("CACerts: %v", err)
	}
}

// Responses of non-2xx codes: the first 1024 bytes, Retry-After and kne- headers.
// TestReplyWithoutContentType: a response is an event without datacontenttype then, not
// one of fasthttp's default type.
func TestReplyWithoutContentType(t *testing.T) {
	url := raw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
		for readRequest(r) == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nCe-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Type: t\r\nCe-Source: /s\r\nContent-Length: 2\r\n\r\nhi")
		}
	})
	for range 2 { // the second response is a used one
		res, err := sendTo(t, url, nil)
		if err != nil || !res.ClaimsEvent || strings.Contains(strings.ToLower(headers(res.Headers)), "content-type") {
			t.Errorf("%v %s", err, headers(res.Headers))
		}
	}
}

func TestErrorResponse(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Kne-Test", "foo")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, strings.Repeat("X", 1024)+"YYYYYYY")
	}))
	defer server.Close()
	_, err := sendTo(t, server.URL, nil)
	a := attemptOf(t, err)
	if a.Code != 429 || a.RetryAfter != "7" || string(a.Body) != strings.Repeat("X", 1024) || !strings.Contains(headers(a.Headers), "Kne-Test=foo") {
		t.Errorf("%+v", a)
	}
}

// A subscriber that reads the request and closes sees exactly the attempts that
// are made: nothing is sent again behind the back of the retry budget, on a new
// connection or on one that was used before.
func TestReadsTheRequestAndCloses(t *testing.T) {
	var requests atomic.Int32
	url := raw(t, func(n int, c net.Conn, r *bufio.Reader) {
		for i := 0; ; i++ {
			if readRequest(r) != nil {
				return
			}
			requests.Add(1)
			if n > 1 || i > 0 {
				return // without an answer
			}
			_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		}
	})
	sender := NewHTTPSender()
	defer sender.Close()
	if _, err := sender.Send(context.Background(), message(url, nil)); err != nil {
		t.Fatal(err)
	}
	const attempts = 4 // retry 3
	for i := range attempts {
		_, err := sender.Send(context.Background(), message(url, nil))
		if a := attemptOf(t, err); a.Reason != ReasonConnection || !Retryable(err) {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if got := requests.Load(); got != 1+attempts {
		t.Errorf("the subscriber saw %d requests, want %d", got, 1+attempts)
	}
}

// A server that closes idle connections after 200 ms; 100 connections; burst,
// pause, burst: no failed attempt, no duplicate.
func TestIdleConnectionsClosedByTheServer(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) { idleBursts(t, 100, false) })
	t.Run("TLS", func(t *testing.T) { idleBursts(t, 20, true) }) // handshakes are dear
}

func idleBursts(t *testing.T, burst int, secure bool) {
	const rounds = 3
	var mu sync.Mutex
	seen := map[string]int{}
	arrived := make(chan struct{}, rounds*burst)
	var release atomic.Pointer[chan struct{}]
	var open atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Header.Get("ce-id")]++
		mu.Unlock()
		arrived <- struct{}{}
		<-*release.Load() // so that each of the burst has a connection of its own
	}))
	server.Config.IdleTimeout = 200 * time.Millisecond
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			open.Add(1)
		}
		if state == http.StateClosed {
			open.Add(-1)
		}
	}
	var caCerts string
	if secure {
		server.StartTLS()
		caCerts = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	} else {
		server.Start()
	}
	defer server.Close()
	sender := NewHTTPSender()
	defer sender.Close()
	for round := range rounds {
		gate := make(chan struct{})
		release.Store(&gate)
		var all sync.WaitGroup
		for i := range burst {
			all.Go(func() {
				_, err := sender.Send(context.Background(), message(server.URL, func(m *Message) {
					m.To.CACerts, m.Timeout = caCerts, time.Minute
					m.Event.Set("id", fmt.Sprintf("%d-%d", round, i))
				}))
				if err != nil {
					t.Errorf("a failed attempt: %v", err)
					arrived <- struct{}{}
				}
			})
		}
		for range burst {
			<-arrived
		}
		close(gate)
		all.Wait()
		eventually(t, "the server closes idle connections", func() bool { return open.Load() == 0 })
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("event %s arrived %d times", id, n)
		}
	}
	if len(seen) != rounds*burst {
		t.Errorf("%d events arrived, want %d", len(seen), rounds*burst)
	}
}

// eventually polls until it is so, for ten seconds at most.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 10 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// Connections are used again.
func TestKeepAlive(t *testing.T) {
	var connections atomic.Int32
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		connections.Add(1)
		for readRequest(r) == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 500 No\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 20000))
		}
	})
	sender := NewHTTPSender()
	defer sender.Close()
	for range 20 {
		_, err := sender.Send(context.Background(), message(url, nil))
		_ = attemptOf(t, err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	sender.Retain() // not wanted any more
	_, _ = sender.Send(context.Background(), message(url, nil))
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections after Retain, want 2", n)
	}
}

// A 10 GB answer is not read: memory and time stay bounded, whatever it claims
// to be.
func TestHugeAnswers(t *testing.T) {
	const ce = "Ce-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Type: t\r\nCe-Source: /s\r\n"
	block := []byte(strings.Repeat("x", 64<<10))
	chunk := []byte(fmt.Sprintf("%x\r\n%s\r\n", len(block), block))
	for name, c := range map[string]struct {
		header string
		block  []byte
		reason Reason
		code   int
	}{
		"event, announced": {"HTTP/1.1 200 OK\r\n" + ce + "Content-Length: 10737418240\r\n\r\n", block, ReasonReplyTooLarge, 0},
		"event, chunked":   {"HTTP/1.1 200 OK\r\n" + ce + "Transfer-Encoding: chunked\r\n\r\n", chunk, ReasonReplyTooLarge, 0},
		"text, announced":  {"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", block, ReasonNone, 200},
		"text, endless":    {"HTTP/1.1 200 OK\r\n\r\n", block, ReasonNone, 200},
		"error":            {"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", chunk, ReasonNone, 500},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			url := raw(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				if readRequest(r) != nil {
					return
				}
				_, err := io.WriteString(conn, c.header)
				for err == nil && sent.Load() < 10<<30 {
					_, err = conn.Write(c.block)
					sent.Add(int64(len(c.block)))
				}
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			res, err := sendTo(t, url, func(m *Message) { m.Timeout = 30 * time.Second })
			runtime.ReadMemStats(&after)
			if c.reason == ReasonNone && c.code == 200 {
				if err != nil || res.Code != 200 || len(res.Body) != 1024 {
					t.Errorf("%v, code %d, %d bytes", err, res.Code, len(res.Body))
				}
			} else if a := attemptOf(t, err); a.Reason != c.reason || a.Code != c.code {
				t.Errorf("%v", err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
				t.Errorf("%d MiB were allocated", grown>>20)
			}
		})
	}
}

// Timeouts: from connect to the last body byte, however the time is spent.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	drip := func(first string) func(int, net.Conn, *bufio.Reader) {
		return func(_ int, c net.Conn, r *bufio.Reader) {
			if readRequest(r) != nil {
				return
			}
			_, err := io.WriteString(c, first)
			for err == nil {
				<-time.After(10 * time.Millisecond)
				_, err = io.WriteString(c, "x")
			}
		}
	}
	for name, handle := range map[string]func(int, net.Conn, *bufio.Reader){
		"hangs":         func(_ int, c net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) },
		"never reads":   func(int, net.Conn, *bufio.Reader) { <-time.After(300 * time.Millisecond) },
		"drips header":  drip("HTTP/1.1 200 OK\r\nX: "),
		"drips body":    drip("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
		"drips reply":   drip("HTTP/1.1 200 OK\r\nCe-Specversion: 1.0\r\n\r\n"),
		"drips interim": drip("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 10"),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := sendTo(t, raw(t, handle), func(m *Message) {
				m.Timeout = 150 * time.Millisecond
				m.Event.Data = make([]byte, 8<<20) // more than the sockets hold
				if name != "never reads" {
					m.Event.Data = nil
				}
			})
			if a := attemptOf(t, err); a.Reason != ReasonTimeout || !Retryable(err) {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took < 100*time.Millisecond || took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// The end of ctx ends an attempt at once, in whatever it does, and it does not
// count.
func TestCancel(t *testing.T) {
	for name, handle := range map[string]func(net.Conn, *bufio.Reader){
		"while it waits for the response": func(net.Conn, *bufio.Reader) {},
		"in the body": func(c net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nxx")
		},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan struct{})
			url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				_ = readRequest(r)
				handle(c, r)
				close(reached)
				_, _ = io.Copy(io.Discard, r) // until the sender closes
			})
			ctx, cancel := context.WithCancel(context.Background())
			sender := NewHTTPSender()
			defer sender.Close()
			go func() {
				<-reached
				cancel()
			}()
			_, err := sender.Send(ctx, message(url, func(m *Message) { m.Timeout = time.Hour }))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if _, err := sender.Send(ctx, message(url, nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("with a ctx that has ended: %v", err)
			}
		})
	}
}

// A cancel and the next attempt race for one connection: the deadline of the
// first must never hit the second.
func TestCancelNeverHitsAnotherAttempt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	sender := NewHTTPSender()
	defer sender.Close()
	for range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		all.Go(func() { _, _ = sender.Send(ctx, message(server.URL, nil)) })
		all.Go(cancel)
		if _, err := sender.Send(context.Background(), message(server.URL, nil)); err != nil {
			t.Fatal(err)
		}
		all.Wait()
	}
}

// HTTPS: unknown roots are refused, CACerts are trusted beside the system's, and
// a server that speaks HTTP/2 negotiates down.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	certs := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	_, err := sendTo(t, server.URL, nil)
	if a := attemptOf(t, err); a.Reason != ReasonConnection || !strings.Contains(a.Error(), "certificate") {
		t.Errorf("unknown root: %v", err)
	}
	sender := NewHTTPSender()
	defer sender.Close()
	for range 3 {
		if res, err := sender.Send(context.Background(), message(server.URL, func(m *Message) { m.To.CACerts = certs })); err != nil || res.Code != 200 {
			t.Errorf("with CACerts: %v %+v", err, res)
		}
	}
	_, err = sendTo(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1), func(m *Message) { m.To.CACerts = certs })
	if a := attemptOf(t, err); a.Reason != ReasonConnection {
		t.Errorf("a name the certificate does not hold: %v", err)
	}
}

// A TLS handshake that hangs is bounded by the attempt's timeout.
func TestTLSHandshakeTimeout(t *testing.T) {
	t.Parallel()
	url := raw(t, func(_ int, _ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	_, err := sendTo(t, strings.Replace(url, "http", "https", 1), func(m *Message) { m.Timeout = 100 * time.Millisecond })
	if a := attemptOf(t, err); a.Reason != ReasonTimeout {
		t.Errorf("%v", err)
	}
}

// A server may answer 413 and close before it has read a large request.
func TestEarlyAnswer(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		_, _ = r.ReadString('\n')
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, r)
	})
	_, err := sendTo(t, url, func(m *Message) { m.Event.Data = make([]byte, 4<<20) })
	if a := attemptOf(t, err); a.Code != 413 {
		t.Errorf("%v", err)
	}
}

func TestClosedSender(t *testing.T) {
	sender := NewHTTPSender()
	sender.Close()
	sender.Close()
	_, err := sender.Send(context.Background(), message("http://127.0.0.1:1", nil))
	_ = attemptOf(t, err)
}

// The deadline of an attempt that is long over does not end the connection.
func TestAConnectionOutlivesItsDeadline(t *testing.T) {
	var connections atomic.Int64
	url := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		connections.Add(1)
		for readRequest(r) == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		}
	})
	sender := NewHTTPSender()
	defer sender.Close()
	for _, timeout := range []time.Duration{time.Minute, 300 * time.Millisecond, 20 * time.Second} {
		began := time.Now()
		if _, err := sender.Send(context.Background(), message(url, func(m *Message) { m.Timeout = timeout })); err != nil {
			t.Fatal(timeout, err)
		}
		if timeout < time.Second {
			<-time.After(time.Until(began.Add(2 * timeout)))
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}
