package receiver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/mutate"
)

// recordingConn is a memoryConn that keeps what is written to it.
type recordingConn struct {
	memoryConn
	out bytes.Buffer
}

func (c *recordingConn) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *recordingConn) Close() error                { return nil }

// taken are the values of the records that were produced.
type taken struct{ values []string }

func (k *taken) Produce(_ context.Context, rec *sarama.ProducerMessage, done func()) error {
	defer done()
	value := ""
	if rec.Value != nil {
		b, err := rec.Value.Encode()
		if err != nil {
			return err
		}
		value = string(b)
	}
	k.values = append(k.values, value)
	return nil
}

// second is the request that follows every input on the same connection.
const second = "POST /ns/name HTTP/1.1\r\nHost: h\r\nCe-Specversion: 1.0\r\nCe-Id: second\r\nCe-Type: t\r\nCe-Source: /s\r\nContent-Length: 6\r\n\r\nsecond"

// FuzzConnection: bytes on a connection, with a good request behind them. Every
// request that Kurier takes an event from is one that the standard library reads
// from the same bytes, in the same order and with the same body; every answer is
// one; nothing comes after one that closes.
func FuzzConnection(f *testing.F) {
	const start = "POST /ns/name HTTP/1.1\r\nHost: h\r\nCe-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Type: t\r\nCe-Source: /s\r\n"
	seeds := []string{
		"", start + "\r\n", start + "Content-Length: 5\r\n\r\nhello", start + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
		start + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", start + "Content-Length: 5\r\n\r\nhello" + second + "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
		start + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: z\r\n\r\n", start + "Transfer-Encoding: xchunked\r\n\r\n" + second,
		start + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", strings.ReplaceAll(start, "\r\n", "\n") + "\n",
		start + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", start + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
		"GET /ns/name HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n" + second, "POST /ns/other HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd",
		"\r\n\r\n" + start + "\r\n", start + "Connection: close\r\n\r\n", strings.Replace(start, "1.1", "1.0", 1) + "Content-Length: 2\r\n\r\nab",
		start + "X: " + strings.Repeat("y", 9000) + "\r\n\r\n", start + "X: y\r\n z\r\n\r\n", start + "Content-Length: 5", start + "Content-Length: 50\r\n\r\nhello",
	}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	mutate.More(f, seeds, func(s string) { f.Add([]byte(s)) })
	var log bytes.Buffer
	r, err := New(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		f.Fatal(err)
	}
	kafka := &taken{}
	r.SetRoutes([]Route{{Kind: Broker, Namespace: "ns", Name: "name", Path: "/ns/name", Topic: "t", Producer: kafka}})
	f.Fuzz(func(t *testing.T, in []byte) {
		kafka.values = nil
		log.Reset()
		all := append(append([]byte{}, in...), second...)
		mc := &recordingConn{}
		mc.in.Reset(all)
		r.running.Add(1)
		r.serveConn(&conn{Conn: mc})
		if strings.Contains(log.String(), "bug:") {
			t.Fatal(log.String())
		}
		checkAnswers(t, mc.out.Bytes())
		bodies := standardBodies(all)
		for _, value := range kafka.values {
			found := -1
			for i, body := range bodies {
				if body.fits(value) {
					found = i
					break
				}
			}
			if found < 0 {
				t.Logf("connection: %q", all)
				t.Fatalf("an event with the value %q was taken that net/http does not read; it reads %+v", value, bodies)
			}
			if !bodies[found].batch {
				found++
			}
			bodies = bodies[found:]
		}
	})
}

// checkAnswers reads what was answered: whole responses, and none behind a last one.
func checkAnswers(t *testing.T, out []byte) {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(out))
	for last := false; ; {
		resp, err := http.ReadResponse(br, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("an answer cannot be read: %v\n%q", err, out)
		}
		if last {
			t.Fatalf("an answer follows one that closes:\n%q", out)
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatalf("an answer is cut: %v\n%q", err, out)
		}
		if resp.StatusCode < 200 || resp.StatusCode >= 500 || resp.StatusCode/100 == 3 {
			t.Fatalf("status %d: %q", resp.StatusCode, out)
		}
		last = resp.Close
	}
}

// standardBody is a request's body, as the standard library reads it.
type standardBody struct {
	body       string
	structured bool // the value is not the body
	batch      bool // several values
}

func (b standardBody) fits(value string) bool { return b.structured || b.body == value }

// standardBodies are those of the POST requests that the standard library reads from a
// connection, up to one that it refuses. Empty lines between requests are skipped, as the
// protocol allows, and targets that are no URLs are let pass, which the standard library
// does not do: neither changes where a request ends.
func standardBodies(in []byte) []standardBody {
	br := bufio.NewReaderSize(bytes.NewReader(in), largeHead)
	var all []standardBody
	for {
		for {
			if next, _ := br.Peek(2); string(next) != "\r\n" {
				break
			}
			_, _ = br.Discard(2)
		}
		br = withPlainTarget(br)
		req, err := http.ReadRequest(br)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return all
		}
		if req.Method == http.MethodPost {
			kind := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Type")))
			all = append(all, standardBody{string(body), strings.HasPrefix(kind, "application/cloudevents"), strings.Contains(kind, "batch")})
		}
	}
}

// withPlainTarget replaces the target of the next request line.
func withPlainTarget(br *bufio.Reader) *bufio.Reader {
	line, err := br.ReadString('\n')
	if parts := strings.Split(line, " "); err == nil && len(parts) == 3 && parts[1] != "" {
		line = parts[0] + " / " + parts[2]
	}
	return bufio.NewReaderSize(io.MultiReader(strings.NewReader(line), br), largeHead)
}
