package receiver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/receiver"
)

const (
	ceLines   = "Ce-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Type: t\r\nCe-Source: /s\r\n"
	postLines = "POST /ns/name HTTP/1.1\r\nHost: h\r\n" + ceLines
)

// withBody is a whole request.
func withBody(body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", postLines, len(body), body)
}

// What is not HTTP, or HTTP that two servers may read differently, is answered
// 4xx and ends the connection, so that nothing behind it is taken for a request.
func TestSmuggling(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	hidden := "POST /ns/name HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 0\r\n\r\n"
	for name, request := range map[string]string{
		"Content-Length with chunked":       postLines + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked with Content-Length":       postLines + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden,
		"lower case":                        postLines + "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n" + hidden,
		"Content-Length with identity":      postLines + "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello" + hidden,
		"identity":                          postLines + "Transfer-Encoding: identity\r\n\r\nhello" + hidden,
		"gzip, chunked":                     postLines + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + hidden,
		"xchunked":                          postLines + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked twice":                     postLines + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"Transfer-Encoding with space":      postLines + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunked in HTTP/1.0":               strings.Replace(postLines, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"Content-Length twice":              postLines + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + hidden,
		"Content-Length twice, different":   postLines + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + hidden,
		"Content-Length list":               postLines + "Content-Length: 5, 5\r\n\r\nhello" + hidden,
		"Content-Length with sign":          postLines + "Content-Length: +5\r\n\r\nhello" + hidden,
		"negative Content-Length":           postLines + "Content-Length: -5\r\n\r\n" + hidden,
		"Content-Length in hex":             postLines + "Content-Length: 0x5\r\n\r\nhello" + hidden,
		"empty Content-Length":              postLines + "Content-Length:\r\n\r\n" + hidden,
		"huge Content-Length":               postLines + "Content-Length: 99999999999999999999\r\n\r\nhello" + hidden,
		"bare LF":                           strings.ReplaceAll(postLines+"Content-Length: 0\r\n\r\n", "\r\n", "\n") + hidden,
		"bare LF in the request line":       strings.Replace(postLines, "\r\n", "\n", 1) + "\r\n" + hidden,
		"bare LF before the end":            postLines + "X: y\n\r\n" + hidden,
		"CR in a value":                     postLines + "X: a\rContent-Length: 5\r\n\r\n" + hidden,
		"NUL in a value":                    postLines + "X: a\x00b\r\n\r\n" + hidden,
		"folded line":                       postLines + "X: a\r\n b\r\n\r\n" + hidden,
		"line without colon":                postLines + "nonsense\r\n\r\n" + hidden,
		"empty name":                        postLines + ": x\r\n\r\n" + hidden,
		"space before the colon":            postLines + "X : y\r\n\r\n" + hidden,
		"two hosts":                         postLines + "Host: other\r\n\r\n" + hidden,
		"no host":                           "POST /ns/name HTTP/1.1\r\n" + ceLines + "\r\n" + hidden,
		"no version":                        "POST /ns/name\r\nHost: h\r\n\r\n" + hidden,
		"wrong version":                     "POST /ns/name HTTP/2.0\r\nHost: h\r\n\r\n" + hidden,
		"HTTP/2 preface":                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"TLS":                               "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"garbage":                           "\x00\x01\x02\x03\r\n\r\n",
		"two spaces":                        "POST  /ns/name HTTP/1.1\r\nHost: h\r\n\r\n" + hidden,
		"bad chunk size":                    postLines + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n" + hidden,
		"chunk size with sign":              postLines + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n" + hidden,
		"chunk longer than its size":        postLines + "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n" + hidden,
		"chunk line with bare LF":           postLines + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + hidden,
		"trailer that is no header":         postLines + "Transfer-Encoding: chunked\r\n\r\n0\r\nX\xf1: y\r\n\r\n" + hidden,
		"trailer without colon":             postLines + "Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n" + hidden,
		"trailer with CR":                   postLines + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\rZ: a\r\n\r\n" + hidden,
		"trailer with bare LF":              postLines + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n" + hidden,
		"Expect of something else":          postLines + "Expect: 200-maybe\r\nContent-Length: 0\r\n\r\n" + hidden,
		"headers without end, too large":    postLines + strings.Repeat("X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 2000),
		"one header line that is too large": postLines + "X: " + strings.Repeat("y", 70<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			before := f.kafka.produced()
			c := f.dial()
			// The server may close while the rest is still being sent.
			_, _ = io.WriteString(c, request)
			if got := c.answer(); got.code < 400 || got.code > 499 || got.header.Get("Connection") != "close" {
				t.Errorf("%d, Connection: %q (%s)", got.code, got.header.Get("Connection"), got.detail)
			}
			c.closed()
			if f.kafka.produced() != before {
				t.Error("an event was produced")
			}
		})
	}
}

// Pipelined requests are answered in order, also when one of them is refused.
func TestPipelining(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	c := f.dial()
	refused := "POST /ns/other HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nGET / H"
	c.send("\r\n" + withBody("one") + refused + withBody("two") + "GET /ns/name HTTP/1.1\r\nHost: h\r\n\r\n" + withBody(strings.Repeat("3", 10_000)))
	for i, want := range []int{202, 404, 202, 405, 202} {
		if got := c.answer(); got.code != want {
			t.Fatalf("answer %d: %d, want %d", i, got.code, want)
		}
	}
	records := f.kafka.all()
	if len(records) != 3 || value(t, records[0]) != "one" || value(t, records[1]) != "two" || len(value(t, records[2])) != 10_000 {
		t.Errorf("%d records", len(records))
	}
	c.send("POST /ns/name HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + ceLines + "\r\n")
	if got := c.answer(); got.code != 202 || got.header.Get("Connection") != "close" {
		t.Errorf("%d %v", got.code, got.header)
	}
	c.closed()
}

// Bytes may arrive one by one, and a request may be split anywhere.
func TestSplitAnywhere(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	request := withBody("hello") + postLines + "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
	c := f.dial()
	for i := range len(request) {
		c.send(request[i : i+1])
	}
	for range 2 {
		if got := c.answer(); got.code != 202 {
			t.Fatalf("%d %s", got.code, got.detail)
		}
	}
	for _, rec := range f.kafka.all() {
		if value(t, rec) != "hello" {
			t.Errorf("data %q", value(t, rec))
		}
	}
}

func TestChunked(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for _, size := range []int{0, 1, 4095, 4096, 4097, 100_000} {
		body := strings.Repeat("x", size)
		req, err := http.NewRequest(http.MethodPost, "http://"+f.addr+"/ns/name", io.MultiReader(strings.NewReader(body))) // hides the length
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Type": "t", "Ce-Source": "/s"} {
			req.Header.Set(name, value)
		}
		resp, err := f.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); got.code != 202 {
			t.Errorf("%d bytes: %d %s", size, got.code, got.detail)
		}
		records := f.kafka.all()
		want := body
		if size == 0 {
			want = "null"
		}
		if got := value(t, records[len(records)-1]); got != want {
			t.Errorf("%d bytes arrived as %d", size, len(got))
		}
	}
	c := f.dial()
	c.send(postLines + "Transfer-Encoding: chunked\r\n\r\n")
	chunk := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"
	for range 17 {
		if _, err := io.WriteString(c, chunk); err != nil {
			break
		}
	}
	if got := c.answer(); got.code != 413 || got.header.Get("Connection") != "close" {
		t.Errorf("chunked over the limit: %d", got.code)
	}
	c.closed()
}

// A client that asks first is told to go on only when its headers are accepted.
func TestExpectContinue(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	c := f.dial()
	c.send(postLines + "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
	c.toldToGoOn()
	c.send("hello")
	if got := c.answer(); got.code != 202 || value(t, f.kafka.all()[0]) != "hello" {
		t.Errorf("%d", got.code)
	}
	c.send(postLines + "Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
	if got := c.answer(); got.code != 413 || got.header.Get("Connection") != "close" {
		t.Errorf("too large: %d %v", got.code, got.header)
	}
	c.closed()

	c = f.dial()
	c.send(strings.Replace(postLines, "/ns/name", "/ns/other", 1) + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if got := c.answer(); got.code != 404 {
		t.Errorf("unknown: %d", got.code)
	}
	c.closed()

	c = f.dial() // HTTP/1.0 has no Expect
	c.send(strings.Replace(postLines, "HTTP/1.1", "HTTP/1.0", 1) + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
	if got := c.answer(); got.code != 202 {
		t.Errorf("HTTP/1.0: %d", got.code)
	}
	c.closed()
}

// Everything that headers decide is answered before a byte of the body came.
func TestAnsweredBeforeTheBody(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for name, tc := range map[string]struct {
		head string
		code int
	}{
		"method":    {"PUT /ns/name HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 5\r\n\r\n", 405},
		"route":     {"POST /ns/other HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 5\r\n\r\n", 404},
		"path":      {"POST /x HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 5\r\n\r\n", 400},
		"//":        {"POST // HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 5\r\n\r\n", 400},
		"not ready": {"POST /ns/later HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 5\r\n\r\n", 503},
		"encoding":  {postLines + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", 415},
		"no event":  {"POST /ns/name HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 400},
		"too large": {postLines + "Content-Length: 5000000\r\n\r\n", 413},
		"OPTIONS":   {"OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", 200},
		"chunked":   {"POST /ns/other HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 404},
	} {
		t.Run(name, func(t *testing.T) {
			c := f.dial()
			c.send(tc.head)
			if got := c.answer(); got.code != tc.code {
				t.Errorf("%d %s, want %d", got.code, got.detail, tc.code)
			}
		})
	}
}

// A client in the middle of a large refused body reads the answer.
func TestRefusedWhileSending(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for range 5 {
		if got := f.binary("/ns/other", strings.Repeat("x", 5<<20)); got.code != 404 {
			t.Errorf("%d", got.code)
		}
	}
}

func TestAbsoluteForm(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for target, want := range map[string]int{
		"http://kurier.example:8080/ns/name?x=y": 202,
		"http://kurier.example":                  404,
		"http://" + channelHost + ":8080":        202,
		"http://" + channelHost + "/":            202,
		"http://" + channelHost + "?x":           202,
		"ns/name":                                400,
		"*":                                      400,
	} {
		c := f.dial()
		c.send("POST " + target + " HTTP/1.1\r\nHost: h\r\n" + ceLines + "Content-Length: 0\r\n\r\n")
		if got := c.answer(); got.code != want {
			t.Errorf("%s: %d %s, want %d", target, got.code, got.detail, want)
		}
	}
}

func TestHTTP10(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	c := f.dial()
	old := strings.Replace(withBody("x"), "HTTP/1.1", "HTTP/1.0", 1)
	c.send(strings.Replace(old, "Content-Length", "Connection: keep-alive\r\nContent-Length", 1))
	if got := c.answer(); got.code != 202 || got.header.Get("Connection") != "keep-alive" {
		t.Errorf("%d %v", got.code, got.header)
	}
	c.send(old)
	if got := c.answer(); got.code != 202 || got.header.Get("Connection") != "close" {
		t.Errorf("%d %v", got.code, got.header)
	}
	c.closed()
}

// JW-21: 32 KiB of attributes are fine, on a connection of their own and
// between smaller requests.
func TestLargeHeaders_JW21(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	var large bytes.Buffer
	for i := 0; large.Len() < 32<<10; i++ {
		fmt.Fprintf(&large, "Ce-X%d: %s\r\n", i, strings.Repeat("v", 200))
	}
	c := f.dial()
	c.send(withBody("a"))
	c.send(postLines + large.String() + "Content-Length: 5\r\n\r\nhello" + withBody("b"))
	c.send(postLines + large.String() + "Content-Length: 5\r\n\r\nworld")
	for i := range 4 {
		if got := c.answer(); got.code != 202 {
			t.Fatalf("answer %d: %d %s", i, got.code, got.detail)
		}
	}
	var got []string
	for _, rec := range f.kafka.all() {
		got = append(got, value(t, rec))
	}
	if fmt.Sprint(got) != "[a hello b world]" {
		t.Errorf("data %v", got)
	}
	if n := len(attributes(f.kafka.all()[3])); n < 150 {
		t.Errorf("%d attributes", n)
	}
}

// Slow senders are cut, told so where HTTP allows it, and cost their place.
func TestSlowSenders(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{HeaderTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond})
	c := f.dial()
	c.send(postLines)
	if got := c.answer(); got.code != 408 || !strings.Contains(got.detail, "headers") {
		t.Errorf("%d %s", got.code, got.detail)
	}
	c.closed()
	c = f.dial()
	c.send(postLines + "Content-Length: 5\r\n\r\nhell")
	if got := c.answer(); got.code != 408 || !strings.Contains(got.detail, "body") {
		t.Errorf("%d %s", got.code, got.detail)
	}
	c.closed()
	c = f.dial()
	c.send(postLines + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe")
	if got := c.answer(); got.code != 408 {
		t.Errorf("%d %s", got.code, got.detail)
	}
	c.closed()
	c = f.dial() // the rest of a refused body is not waited for either
	c.send("POST /ns/other HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
	if got := c.answer(); got.code != 404 {
		t.Errorf("%d", got.code)
	}
	c.closed()
	f.dial().closed() // idle from the start
	if n := f.kafka.produced(); n != 0 {
		t.Errorf("%d records", n)
	}
}

// A client that goes away in the middle leaves nothing behind.
func TestClientGoesAway(t *testing.T) {
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{Registerer: reg})
	for _, part := range []string{"", "POST", postLines, postLines + "Content-Length: 5\r\n\r\nhell", postLines + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"} {
		c := f.dial()
		c.send(part)
		_ = c.Close()
	}
	eventually(t, "all connections forgotten", func() bool { return reg.value(t, "kurier_ingress_connections") == 0 })
	if n := f.kafka.produced(); n != 0 {
		t.Errorf("%d records", n)
	}
	if got := reg.value(t, "kurier_ingress_inflight_requests") + reg.value(t, "kurier_ingress_inflight_bytes"); got != 0 {
		t.Errorf("%v still in flight", got)
	}
}

// A panic in a producer costs one answer, not the process.
func TestPanic(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	f.r.SetRoutes([]receiver.Route{{Path: "/ns/name", Namespace: "ns", Name: "name", Producer: panics{}}})
	if got := f.binary("/ns/name", ""); got.code != 503 || !strings.Contains(got.detail, "internal error") {
		t.Errorf("%d %s", got.code, got.detail)
	}
}

type panics struct{ receiver.Producer }

func (panics) Produce(context.Context, *record, func()) error { panic("at the disco") }
