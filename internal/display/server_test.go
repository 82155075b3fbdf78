package display

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/internal/event"
)

// buffer is an output that a server and a test share.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// take returns what was printed since the last call.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

// client is a client of these tests alone, so that they can close its connections.
var client = &http.Client{Transport: &http.Transport{}}

// start runs a display until the test ends.
func start(t *testing.T, o Options) (url string, out *buffer) {
	t.Helper()
	out = &buffer{}
	o.Addr, o.Printer = "127.0.0.1:0", NewPrinter(out, false)
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		client.CloseIdleConnections()
	})
	return "http://" + server.Addr().String(), out
}

type answered struct {
	code   int
	body   string
	header http.Header
}

func send(t *testing.T, method, url, body string, headers ...string) answered {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{response.StatusCode, string(content), response.Header}
}

// post sends a small binary event of a type.
func post(t *testing.T, url, eventType string) answered {
	t.Helper()
	return send(t, http.MethodPost, url, `{"n":1}`, "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s",
		"ce-type", eventType, "Content-Type", "application/json")
}

const small = `☁️  cloudevents.Event
Context Attributes,
  specversion: 1.0
  type: t
  source: /s
  id: 1
  datacontenttype: application/json
Data,
  {
    "n": 1
  }
`

func TestModes(t *testing.T) {
	url, out := start(t, Options{})
	structured := `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","data":{"n":1}}`

	got := post(t, url+"/any/path", "t")
	if got.code != 202 || got.body != "" || out.take() != small {
		t.Errorf("binary: %+v", got)
	}
	got = send(t, http.MethodPost, url, structured, "Content-Type", "application/cloudevents+json")
	if printed := out.take(); got.code != 202 || printed != small {
		t.Errorf("structured: %+v\n%s", got, printed)
	}
	got = send(t, http.MethodPost, url, "["+structured+","+structured+"]", "Content-Type", "application/cloudevents-batch+json")
	if printed := out.take(); got.code != 202 || printed != small+small {
		t.Errorf("batch: %+v\n%s", got, printed)
	}
	got = send(t, http.MethodPost, url, "[]", "Content-Type", "application/cloudevents-batch+json")
	if got.code != 202 || out.take() != "" {
		t.Errorf("empty batch: %+v", got)
	}
	got = send(t, http.MethodPost, url, "", "ce-specversion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-subject", "a%20b")
	if printed := out.take(); got.code != 202 || !strings.Contains(printed, "  subject: a b\n") {
		t.Errorf("percent-encoded: %+v\n%s", got, printed)
	}
}

func TestLabelStandsBeforeEachLine(t *testing.T) {
	url, out := start(t, Options{Label: "event-display1"})
	post(t, url, "t")
	want := "event-display1 | " + strings.ReplaceAll(strings.TrimSuffix(small, "\n"), "\n", "\nevent-display1 | ") + "\n"
	if got := out.take(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestInvalidEvents(t *testing.T) {
	url, out := start(t, Options{MaxBytes: 100})
	tests := map[string]struct {
		got     answered
		code    int
		printed bool
	}{
		"no event":      {send(t, http.MethodPost, url, "{}", "Content-Type", "application/json"), 400, true},
		"no id":         {send(t, http.MethodPost, url, "", "ce-specversion", "1.0", "ce-source", "/s", "ce-type", "t"), 400, true},
		"wrong version": {send(t, http.MethodPost, url, "", "ce-specversion", "9", "ce-id", "1", "ce-source", "/s", "ce-type", "t"), 400, true},
		"broken JSON":   {send(t, http.MethodPost, url, "{", "Content-Type", "application/cloudevents+json"), 400, true},
		"in a batch": {send(t, http.MethodPost, url, `[{"specversion":"1.0","id":"1","source":"/s"}]`,
			"Content-Type", "application/cloudevents-batch+json"), 400, true},
		"xml":       {send(t, http.MethodPost, url, "<a/>", "Content-Type", "application/cloudevents+xml"), 415, true},
		"too large": {send(t, http.MethodPost, url, strings.Repeat("x", 101), "ce-specversion", "1.0"), 413, false},
		"GET":       {send(t, http.MethodGet, url, ""), 405, false},
	}
	if n := strings.Count(out.take(), Headline+"\nValidation: invalid\nValidation Error: "); n != 6 {
		t.Errorf("%d of 6 invalid events were printed", n)
	}
	for name, test := range tests {
		if test.got.code != test.code || test.got.header.Get("Content-Type") != "application/problem+json" ||
			!strings.Contains(test.got.body, `"detail":"`) {
			t.Errorf("%s: %+v", name, test.got)
		}
	}
}

func TestAnswers(t *testing.T) {
	type step struct {
		path, eventType string
		code            int
		body            string // a part
	}
	tests := map[string]struct {
		options Options
		steps   []step
	}{
		"fail the first two": {
			Options{FailFirst: 2, FailStatus: 429},
			[]step{{"", "t", 429, "number 1"}, {"", "t", 429, "number 2"}, {"", "t", 202, ""}, {"", "t", 202, ""}},
		},
		"fail types": {
			Options{FailTypes: []string{"bad", "worse"}},
			[]step{{"", "t", 202, ""}, {"", "bad", 503, "every event of this type"}, {"", "worse", 503, ""}, {"", "t", 202, ""}},
		},
		"a status":         {Options{Status: 418}, []step{{"", "t", 418, "418"}}},
		"an empty success": {Options{Status: 204}, []step{{"", "t", 204, ""}}},
		"by path": {
			Options{},
			[]step{
				{"/status/500", "t", 500, `"status":500`}, {"/status/200", "t", 200, `"status":200`}, {"/status/204", "t", 204, ""},
				{"/status/700", "t", 404, "200 to 599"}, {"/status/x", "t", 404, "200 to 599"},
				{"/delay/PT0.001S", "t", 202, ""}, {"/delay/5s", "t", 404, "ISO 8601"}, {"/delay/-PT1S", "t", 404, ""},
			},
		},
		"the path beats the options": {Options{FailFirst: 9, Status: 500}, []step{{"/status/200", "t", 200, ""}}},
		"a delay":                    {Options{Delay: time.Millisecond}, []step{{"", "t", 202, ""}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url, out := start(t, test.options)
			for i, step := range test.steps {
				got := post(t, url+step.path, step.eventType)
				if got.code != step.code || !strings.Contains(got.body, step.body) {
					t.Errorf("step %d: %d %s, want %d with %q", i, got.code, got.body, step.code, step.body)
				}
				printed := out.take()
				said := strings.Contains(printed, "\nAnswered ")
				if wanted := step.code >= 300 && step.code != 404; said != wanted {
					t.Errorf("step %d: printed\n%s", i, printed)
				}
			}
		})
	}
}

func TestReplies(t *testing.T) {
	t.Run("an event of its own", func(t *testing.T) {
		url, _ := start(t, Options{Reply: &Reply{Type: "checked", Data: `{"ok":true}`}})
		got := post(t, url, "t")
		if got.code != 200 || got.body != `{"ok":true}` || got.header.Get("Ce-Type") != "checked" ||
			got.header.Get("Ce-Source") != "/kurier/display" || got.header.Get("Ce-Specversion") != "1.0" ||
			got.header.Get("Content-Type") != "application/json" || got.header.Get("Ce-Id") == "1" {
			t.Errorf("%+v", got)
		}
		if again := post(t, url, "t"); again.header.Get("Ce-Id") == got.header.Get("Ce-Id") {
			t.Error("two replies have one id")
		}
	})
	t.Run("an echo", func(t *testing.T) {
		url, _ := start(t, Options{Status: 201, Reply: &Reply{Echo: true, Type: "checked"}})
		got := post(t, url, "t")
		if got.code != 201 || got.body != `{"n":1}` || got.header.Get("Ce-Type") != "checked" ||
			got.header.Get("Ce-Source") != "/s" || got.header.Get("Ce-Id") != "1" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("none to a failure", func(t *testing.T) {
		url, _ := start(t, Options{Status: 500, FailFirst: 1, Reply: &Reply{Type: "checked"}})
		for _, path := range []string{"", "", "/status/200"} {
			if got := post(t, url+path, "t"); got.header.Get("Ce-Type") != "" {
				t.Errorf("%+v", got)
			}
		}
	})
	t.Run("text data", func(t *testing.T) {
		url, _ := start(t, Options{Reply: &Reply{Type: "checked", Source: "urn:x", Data: "hi", ContentType: "text/plain"}})
		got := post(t, url, "t")
		if got.body != "hi" || got.header.Get("Content-Type") != "text/plain" || got.header.Get("Ce-Source") != "urn:x" {
			t.Errorf("%+v", got)
		}
	})
}

func TestHandshakeAndHealth(t *testing.T) {
	url, _ := start(t, Options{})
	got := send(t, http.MethodOptions, url+"/x", "", "WebHook-Request-Origin", "example.com")
	if got.code != 200 || got.header.Get("WebHook-Allowed-Origin") != "example.com" || got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("%+v", got)
	}
	if got := send(t, http.MethodOptions, url, ""); got.header.Get("WebHook-Allowed-Origin") != "*" {
		t.Errorf("%+v", got)
	}
	if got := send(t, http.MethodGet, url+"/healthz", ""); got.code != 200 {
		t.Errorf("%+v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]Options{
		"status":      {Status: 600},
		"fail status": {FailStatus: 200},
		"delay":       {Delay: -1},
		"fail first":  {FailFirst: -1},
		"max bytes":   {MaxBytes: -1},
		"reply type":  {Reply: &Reply{Source: "x"}},
		"type":        {Reply: &Reply{Type: "  "}},
	}
	for field, o := range tests {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := New(Options{Addr: taken.Addr().String()}); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("a taken port: %v", err)
	}
}

// A stop while a request waits for its delay: the request is answered 503, and
// Run does not wait for the delay.
func TestStopEndsDelays(t *testing.T) {
	out := &buffer{}
	printed := make(chan struct{}, 1)
	server, err := New(Options{
		Addr: "127.0.0.1:0", Delay: time.Hour,
		Printer: NewPrinter(writerFunc(func(p []byte) (int, error) {
			defer func() { printed <- struct{}{} }()
			return out.Write(p)
		}), false),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	go func() { <-printed; stop() }()
	if got := post(t, "http://"+server.Addr().String(), "t"); got.code != 503 || !strings.Contains(got.body, "stopping") {
		t.Errorf("%+v", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	client.CloseIdleConnections()
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWhatCannotBePrintedIsNotAccepted(t *testing.T) {
	server, err := New(Options{
		Addr:    "127.0.0.1:0",
		Printer: NewPrinter(writerFunc(func([]byte) (int, error) { return 0, errors.New("no space") }), false),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	if got := post(t, "http://"+server.Addr().String(), "t"); got.code != 500 || !strings.Contains(got.body, "no space") {
		t.Errorf("%+v", got)
	}
	if got := post(t, "http://"+server.Addr().String(), ""); got.code != 400 {
		t.Errorf("%+v", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	client.CloseIdleConnections()
}

func TestRunTellsThatTheListenerFailed(t *testing.T) {
	server, err := New(Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

func TestEchoDoesNotChangeWhatWasReceived(t *testing.T) {
	m := message("x", event.ID, "1", event.Type, "t")
	(&Reply{Echo: true, Type: "other", Data: "y"}).event(m)
	if value, _ := m.Get(event.Type); value != "t" || string(m.Data) != "x" {
		t.Errorf("%+v", m)
	}
}
