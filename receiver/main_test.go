package receiver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"kurier.dev/kurier/receiver"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A breaker that opened inside the Kafka client sleeps its 10 s out.
		goleak.IgnoreAnyFunction("github.com/eapache/go-resiliency/breaker.(*Breaker).timer"))
}

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// fakeKafka is a Producer that remembers what it was given.
type fakeKafka struct {
	mu      sync.Mutex
	records []*sarama.ProducerMessage
	calls   int

	err     func(rec *sarama.ProducerMessage) error // nil: acknowledged
	hold    chan struct{}                           // not nil: the client keeps each record until it is closed
	forever bool                                    // no acknowledgement comes; Produce returns when ctx ends
	entered chan struct{}                           // not nil: gets a value at each call
}

func (k *fakeKafka) Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error {
	k.mu.Lock()
	k.calls++
	k.mu.Unlock()
	if k.entered != nil {
		k.entered <- struct{}{}
	}
	if k.hold == nil {
		defer done()
	} else {
		defer func() {
			go func() {
				<-k.hold
				done()
			}()
		}()
	}
	if k.forever {
		<-ctx.Done()
		return ctx.Err()
	}
	if k.err != nil {
		if err := k.err(rec); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.records = append(k.records, rec)
	return nil
}

func (k *fakeKafka) all() []*sarama.ProducerMessage {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]*sarama.ProducerMessage(nil), k.records...)
}

func (k *fakeKafka) produced() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls
}

// attributes of a record, by header name.
func attributes(rec *sarama.ProducerMessage) map[string][]string {
	all := map[string][]string{}
	for _, h := range rec.Headers {
		all[string(h.Key)] = append(all[string(h.Key)], string(h.Value))
	}
	return all
}

func value(t *testing.T, rec *sarama.ProducerMessage) string {
	t.Helper()
	if rec.Value == nil {
		return "null"
	}
	b, err := rec.Value.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fixture is a receiver on a socket of its own.
type fixture struct {
	t      *testing.T
	r      *receiver.Receiver
	kafka  *fakeKafka
	addr   string
	client *http.Client
}

const channelHost = "test-channel-kn-channel.test-namespace.svc.cluster.local"

func routes(k *fakeKafka) []receiver.Route {
	return []receiver.Route{
		{Kind: receiver.Broker, Namespace: "ns", Name: "name", Path: "/ns/name", Topic: "broker", Producer: k},
		{Kind: receiver.Broker, Namespace: "ns", Name: "later", Path: "/ns/later", Topic: "later", Producer: k,
			Unavailable: `topic "later" does not exist yet`},
		{Kind: receiver.Channel, Namespace: "test-namespace", Name: "test-channel", Path: "/channels/test-namespace/test-channel",
			Hosts: []string{channelHost}, Topic: "channel", Producer: k},
		{Kind: receiver.Channel, Namespace: "new-namespace", Name: "new-channel", Path: "/channels/new-namespace/new-channel",
			Hosts: []string{"new-channel-kn-channel.new-namespace.svc"}, Topic: "new", Producer: k},
		{Kind: receiver.Sink, Namespace: "ns", Name: "s", Path: "/sinks/ns/s", Topic: "sink", Producer: k},
		{Kind: receiver.Sink, Namespace: "ns", Name: "json", Path: "/sinks/ns/json", Topic: "json", Producer: k, Structured: true},
		{Kind: receiver.Sink, Namespace: "ns", Name: "small", Path: "/sinks/ns/small", Topic: "small", Producer: k, MaxBytes: 20 << 10},
	}
}

func start(t *testing.T, k *fakeKafka, cfg receiver.Config) *fixture {
	t.Helper()
	r, err := receiver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.SetRoutes(routes(k))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(ln) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil && !errors.Is(err, receiver.ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return &fixture{t: t, r: r, kafka: k, addr: ln.Addr().String(), client: &http.Client{Transport: transport}}
}

// response is what a client reads.
type response struct {
	code   int
	header http.Header
	body   string
	detail string
}

// do sends a request. Headers are name, value, name, value; Host is one of them.
func (f *fixture) do(method, path, body string, headers ...string) response {
	f.t.Helper()
	req, err := http.NewRequest(method, "http://"+f.addr, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.URL.Opaque = path // sent as it is
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		} else {
			req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
		}
	}
	resp, err := f.client.Do(req)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return read(f.t, resp)
}

func read(t *testing.T, resp *http.Response) response {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close { // net/http takes the header away
		resp.Header.Set("Connection", "close")
	}
	return check(t, response{code: resp.StatusCode, header: resp.Header, body: string(body)})
}

// check holds for every answer: Allow, and problem+json for each error.
func check(t *testing.T, r response) response {
	t.Helper()
	if got := r.header.Get("Allow"); got != "POST, OPTIONS" {
		t.Errorf("%d: Allow is %q", r.code, got)
	}
	if r.code < 400 {
		if r.body != "" {
			t.Errorf("%d with the body %q", r.code, r.body)
		}
		return r
	}
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if r.body != "" || r.header.Get("Content-Length") == "0" { // not HEAD
		if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Type != "about:blank" || p.Title == "" || p.Detail == "" || p.Status != r.code {
			t.Errorf("%d: problem %q, %v", r.code, r.body, err)
		}
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%d: Content-Type is %q", r.code, got)
	}
	if needs := r.code == 429 || r.code == 503; needs != (r.header.Get("Retry-After") != "") || r.header.Get("Retry-After") == "0" {
		t.Errorf("%d: Retry-After is %q", r.code, r.header.Get("Retry-After"))
	}
	r.detail = p.Detail
	return r
}

const validJSON = `{"specversion":"1.0","id":"1234","source":"source","type":"type"}`

// structured posts a JSON envelope.
func (f *fixture) structured(path, body string, headers ...string) response {
	f.t.Helper()
	return f.do("POST", path, body, append([]string{"Content-Type", "application/cloudevents+json"}, headers...)...)
}

// binary posts a valid event with more headers.
func (f *fixture) binary(path, body string, headers ...string) response {
	f.t.Helper()
	return f.do("POST", path, body, append([]string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "t", "Ce-Source", "/s"}, headers...)...)
}

// dial opens a raw connection.
func (f *fixture) dial() *rawConn {
	f.t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		f.t.Fatal(err)
	}
	return &rawConn{Conn: c, t: f.t, br: bufio.NewReader(c)}
}

type rawConn struct {
	net.Conn
	t  *testing.T
	br *bufio.Reader
}

func (c *rawConn) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatalf("sending %.60q: %v", s, err)
	}
}

// answer reads one response.
func (c *rawConn) answer() response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		c.t.Fatalf("reading an answer: %v", err)
	}
	return read(c.t, resp)
}

// toldToGoOn reads "100 Continue": the headers are accepted and the body is waited for.
func (c *rawConn) toldToGoOn() {
	c.t.Helper()
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := c.br.ReadString('\n'); err != nil || line != want {
			c.t.Fatalf("%q, %v, want %q", line, err, want)
		}
	}
}

// closed waits for the end of the connection.
func (c *rawConn) closed() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c.br); n != 0 || isTimeout(err) {
		c.t.Errorf("connection is not closed: %d more bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	timeout := net.Error(nil)
	return errors.As(err, &timeout) && timeout.Timeout()
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}
