package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kurier.dev/kurier/internal/app"
)

// ingress records requests and answers them as a receiver would.
type ingress struct {
	mu       sync.Mutex
	requests []request
	answer   func(n int) (code int, body string) // nil: 202
}

type request struct {
	path, body string
	header     http.Header
}

func (i *ingress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests = append(i.requests, request{r.URL.Path, string(body), r.Header})
	code, text := http.StatusAccepted, ""
	if i.answer != nil {
		code, text = i.answer(len(i.requests))
	}
	w.WriteHeader(code)
	fmt.Fprint(w, text)
}

// sendTo runs kurier send against i.
func sendTo(t *testing.T, i *ingress, in string, arguments ...string) outcomeOf {
	t.Helper()
	f := newFixture()
	f.config.IngressURL = serve(t, i) + "/"
	f.in = in
	return f.run(t, append([]string{"send"}, arguments...)...)
}

func TestSendOne(t *testing.T) {
	i := &ingress{}
	got := sendTo(t, i, "", "broker/default/orders", "--type", "order.created", "--id", "a b", "--data", `{"id": 1}`,
		"--subject", "s", "--extension", "region=eu", "--extension", "X=1=2", "--key", "ann", "--source", "/me")
	if got != (outcomeOf{0, "202 Accepted  a b  order.created\n", ""}) {
		t.Errorf("%+v", got)
	}
	r := i.requests[0]
	want := map[string]string{
		"Ce-Specversion": "1.0", "Ce-Type": "order.created", "Ce-Id": "a%20b", "Ce-Source": "/me", "Ce-Subject": "s",
		"Ce-Region": "eu", "Ce-X": "1=2", "Ce-Partitionkey": "ann", "Content-Type": "application/json",
	}
	for name, value := range want {
		if r.header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, r.header.Get(name), value)
		}
	}
	if r.path != "/default/orders" || r.body != `{"id": 1}` || r.header.Get("Ce-Time") == "" {
		t.Errorf("%+v", r)
	}
}

func TestSendTargets(t *testing.T) {
	tests := map[string]string{
		"broker/shop/orders":        "/shop/orders",
		"Broker/orders":             "/default/orders",
		"channel/default/c":         "/channels/default/c",
		"inmemorychannel/default/c": "/channels/default/c",
		"KafkaChannel/default/c":    "/channels/default/c",
		"sink/default/s":            "/sinks/default/s",
		"kafkasink/default/s":       "/sinks/default/s",
		"sequence/default/q":        "/channels/default/q-kn-sequence-0",
		"parallel/shop/p":           "/channels/shop/p-kn-parallel",
	}
	for target, path := range tests {
		for _, form := range [][]string{{target}, {"--to", target}} {
			i := &ingress{}
			if got := sendTo(t, i, "", form...); got.code != 0 || i.requests[0].path != path {
				t.Errorf("%v: %+v %+v", form, got, i.requests)
			}
		}
	}
	i := &ingress{}
	if got := newFixture().run(t, "send", serve(t, i)+"/any/path"); got.code != 0 || i.requests[0].path != "/any/path" {
		t.Errorf("a URL: %+v", got)
	}
}

func TestSendMany(t *testing.T) {
	i := &ingress{}
	got := sendTo(t, i, "", "broker/x", "--repeat", "4", "--keys", "a,b,c", "--data", `{"n": {n}}`, "--subject", "no {n}", "--rate", "5000")
	if got.code != 0 || !strings.HasSuffix(got.out, "\n4 sent, 4 accepted\n") {
		t.Errorf("%+v", got)
	}
	var seen []string
	ids := map[string]bool{}
	for _, r := range i.requests {
		seen = append(seen, r.header.Get("Ce-Partitionkey")+" "+r.header.Get("Ce-Subject")+" "+r.body)
		ids[r.header.Get("Ce-Id")] = true
	}
	want := `a no%201 {"n": 1}|b no%202 {"n": 2}|c no%203 {"n": 3}|a no%204 {"n": 4}`
	if strings.Join(seen, "|") != want || len(ids) != 4 {
		t.Errorf("%s, %d ids", strings.Join(seen, "|"), len(ids))
	}
}

func TestSendForms(t *testing.T) {
	i := &ingress{}
	sendTo(t, i, "", "broker/x", "--structured", "--type", "t", "--data", `{"a":1}`)
	r := i.requests[0]
	var envelope map[string]any
	if err := json.Unmarshal([]byte(r.body), &envelope); err != nil || envelope["type"] != "t" ||
		!strings.HasPrefix(r.header.Get("Content-Type"), "application/cloudevents+json") || r.header.Get("Ce-Type") != "" {
		t.Errorf("structured: %+v", r)
	}

	i = &ingress{}
	got := sendTo(t, i, "", "broker/x", "--batch", "--repeat", "3", "--type", "t", "--data", "text {n}")
	var batch []map[string]any
	r = i.requests[0]
	if err := json.Unmarshal([]byte(r.body), &batch); err != nil || len(batch) != 3 || batch[2]["data"] != "text 3" ||
		batch[0]["datacontenttype"] != "text/plain" || r.header.Get("Content-Type") != "application/cloudevents-batch+json" {
		t.Errorf("batch: %+v, %v", r, err)
	}
	if got != (outcomeOf{0, "202 Accepted  a batch of 3\n", ""}) {
		t.Errorf("batch: %+v", got)
	}
}

const twoEvents = `{"specversion":"1.0","id":"1","source":"/s","type":"a","data":{"x":1}}
{
  "specversion": "1.0", "id": "2", "source": "/s", "type": "b",
  "datacontenttype": "text/plain", "data": "hello"
}
[{"specversion":"1.0","id":"3","source":"/s","type":"c"}, {"specversion":"1.0","id":"4","source":"/s","type":"d"}]
`

func TestSendFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.json")
	if err := os.WriteFile(file, []byte(twoEvents), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string][]string{
		"a file":         {"broker/x", file, "--extension", "from=here", "--type", "all"},
		"standard input": {"broker/x", "-", "--extension", "from=here", "--type", "all"},
		"after --to":     {"--to", "broker/x", file, "--extension", "from=here", "--type", "all"},
	} {
		i := &ingress{}
		got := sendTo(t, i, twoEvents, arguments...)
		want := "202 Accepted  1  all\n202 Accepted  2  all\n202 Accepted  3  all\n202 Accepted  4  all\n4 sent, 4 accepted\n"
		if got != (outcomeOf{0, want, ""}) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for n, r := range i.requests {
			if r.header.Get("Ce-Type") != "all" || r.header.Get("Ce-From") != "here" || r.header.Get("Ce-Source") != "/s" {
				t.Errorf("%s: event %d: %+v", name, n, r)
			}
		}
		if i.requests[0].body != `{"x":1}` || i.requests[1].body != "hello" {
			t.Errorf("%s: %+v", name, i.requests[:2])
		}
	}
}

func TestSendDataOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.txt")
	if err := os.WriteFile(file, []byte("some text"), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &ingress{}
	if got := sendTo(t, i, "", "broker/x", "--data", "@"+file); got.code != 0 || i.requests[0].body != "some text" ||
		i.requests[0].header.Get("Content-Type") != "text/plain" {
		t.Errorf("%+v %+v", got, i.requests)
	}
	if got := sendTo(t, i, "", "broker/x", "--data", "@"+file+"x"); got.code != 1 || !strings.Contains(got.err, "data.txtx") {
		t.Errorf("%+v", got)
	}
}

func TestSendRefusals(t *testing.T) {
	i := &ingress{answer: func(n int) (int, string) {
		switch n {
		case 1:
			return 400, `{"type":"about:blank","status":400,"detail":"ce-type is missing"}`
		case 2:
			return 503, "plain \x1b[31mtext"
		case 3:
			return 413, ""
		}
		return 202, ""
	}}
	got := sendTo(t, i, "", "broker/x", "--id", "e{n}", "--repeat", "4", "--type", "t")
	want := "400 Bad Request  e1  t: ce-type is missing\n" +
		"503 Service Unavailable  e2  t: plain \\u001b[31mtext\n" +
		"413 Request Entity Too Large  e3  t\n" +
		"202 Accepted  e4  t\n4 sent, 1 accepted\n"
	if got != (outcomeOf{1, want, ""}) {
		t.Errorf("%+v", got)
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	i := &ingress{}
	url := serve(t, http.RedirectHandler(serve(t, i), http.StatusTemporaryRedirect))
	if got := newFixture().run(t, "send", url); got.code != 1 || !strings.HasPrefix(got.out, "307 ") || len(i.requests) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSendWithoutAnswer(t *testing.T) {
	got := newFixture().run(t, "send", "http://127.0.0.1:1/x", "--id", "1")
	if got.code != 1 || !strings.HasPrefix(got.out, "no answer     1  dev.kurier.example: http://127.0.0.1:1/x: ") {
		t.Errorf("%+v", got)
	}
}

func TestSendBrokenInput(t *testing.T) {
	tests := map[string]string{
		`{"specversion":"1.0","id":"1","source":"/s","type":"a"} {`: "standard input: document 2 is no JSON",
		`{"specversion":"1.0","id":"1","source":"/s","type":"a"} 7`: "standard input: document 2",
	}
	for in, says := range tests {
		i := &ingress{}
		got := sendTo(t, i, in, "broker/x", "-")
		if got.code != 1 || !strings.Contains(got.err, says) || len(i.requests) != 1 {
			t.Errorf("%s: %+v, %d requests", in, got, len(i.requests))
		}
	}
	if got := newFixture().run(t, "send", "broker/x", "/no/such/file"); got.code != 1 || !strings.Contains(got.err, "/no/such/file") {
		t.Errorf("%+v", got)
	}
}

// Somebody types nothing and presses Ctrl-C.
func TestSendIsInterruptedWhileItReads(t *testing.T) {
	silent, typing := io.Pipe()
	defer typing.Close()
	ctx, stop := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	c := &cli{
		in: readFunc(func(p []byte) (int, error) { stop(); return silent.Read(p) }), out: &out, err: &errs,
		load: func() (app.Config, error) { return app.Config{}, nil },
	}
	if code := c.execute(ctx, []string{"send", "http://127.0.0.1:1", "-"}); code != 0 || errs.Len() > 0 || out.Len() > 0 {
		t.Errorf("%d %s %s", code, &out, &errs)
	}
}

// Ctrl-C while a request has no answer yet: nobody knows whether it was stored.
func TestSendIsInterruptedWhileItWaits(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	url := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		<-r.Context().Done()
	}))
	got := newFixture().runUntil(ctx, "send", url, "--id", "1", "--repeat", "9")
	want := "no answer     1  dev.kurier.example: stopped before the answer came; it may or may not be stored\n"
	if got != (outcomeOf{1, want, ""}) {
		t.Errorf("%+v", got)
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
