package receiver

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// The edge uses fasthttp's header parser, not its server. That server starts
// the handler only after it has read from the body, and keeps a read buffer of
// the largest header size on every idle connection once bodies are streamed:
// with 32 KiB of attributes allowed, 640 MiB for ten thousand connections.

const (
	smallHead = 4 << 10  // what nearly every request's headers fit into
	largeHead = 64 << 10 // the most they may have
)

var (
	smallBuffers  = sync.Pool{New: func() any { b := make([]byte, smallHead); return &b }}
	largeReaders  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, largeHead) }}
	exchangePools = sync.Pool{New: newExchange}
)

// exchange is what one request needs while it is served.
type exchange struct {
	conn   *conn
	header fasthttp.RequestHeader
	lines  []headerLine  // of the header, read once: its parser puts them together for each loop
	small  *bufio.Reader // smallHead bytes, kept with the exchange
	br     *bufio.Reader // small, or one of largeReaders
	budget *budget       // gave largeHead bytes while br is large
	req    request
	body   body
	out    []byte
	http11 bool

	bodyTimeout time.Duration
	close       bool // the client wants the connection closed, or must not use it again
}

// headerLine is one header, as views into the parser's memory.
type headerLine struct{ name, value string }

func newExchange() any {
	x := &exchange{small: bufio.NewReaderSize(nil, smallHead)}
	x.req.headers = x.headers
	return x
}

func acquireExchange(c *conn) *exchange {
	x := exchangePools.Get().(*exchange)
	x.conn = c
	x.header.DisableNormalizing()
	x.small.Reset(c)
	x.br = x.small
	x.body = body{done: true}
	return x
}

func (x *exchange) release() {
	x.dropLarge()
	x.conn = nil
	x.small.Reset(nil)
	x.br = nil
	x.body = body{}
	x.req = request{headers: x.req.headers}
	x.dropLines()
	x.header.Reset()
	exchangePools.Put(x)
}

func (x *exchange) dropLarge() {
	if x.budget == nil {
		return
	}
	x.br.Reset(nil)
	largeReaders.Put(x.br)
	x.budget.bytes.Add(-largeHead)
	x.budget = nil
}

// pending tells whether bytes of a request have been read.
func (x *exchange) pending() bool { return x.br.Buffered() > 0 || len(x.conn.first) > 0 }

// headers yields the request's headers as views into the parser's memory.
func (x *exchange) headers(yield func(name, value string) bool) {
	for i := range x.lines {
		if !yield(x.lines[i].name, x.lines[i].value) {
			return
		}
	}
}

// keptLines bounds the list of headers that a pooled exchange keeps.
const keptLines = 64

func (x *exchange) dropLines() {
	clear(x.lines)
	x.lines = x.lines[:0]
	if cap(x.lines) > keptLines {
		x.lines = nil
	}
}

// view is b as a string, valid as long as b is not written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// readHead reads and parses a request's headers into x.req. When it reports
// false the answer says what is wrong with them; without a status, the client
// is gone.
func (x *exchange) readHead(r *Receiver) (answer, bool) {
	var scan headScan
	x.http11, x.close, x.body, x.bodyTimeout = true, true, body{}, r.cfg.BodyTimeout
	x.req.method = ""
	x.dropLines()
	if a, ok := x.fill(r, &scan); !ok {
		return a, false
	}
	// The whole head is in the buffer: parsing reads no further.
	if err := x.header.Read(x.br); err != nil {
		return problem(400, "the request is not valid HTTP/1.1: "+parseReason(err)), false
	}
	h := &x.header
	if !strings.HasPrefix(view(h.Protocol()), "HTTP/1.") {
		return problem(400, "this port speaks HTTP/1.1 only"), false
	}
	length := h.ContentLength()
	switch {
	case scan.transferEncoding && scan.contentLength:
		return problem(400, "Content-Length and Transfer-Encoding are given together, want one of them"), false
	case scan.transferEncoding && length != -1:
		return problem(400, "Transfer-Encoding is not supported, want chunked or Content-Length"), false
	case length == -2:
		length = 0
	}
	x.http11, x.close = h.IsHTTP11(), h.ConnectionClose()
	x.request(int64(length))
	return x.expectation()
}

// parseReason is the parser's complaint without the bytes it goes on to quote.
func parseReason(err error) string {
	reason, _, _ := strings.Cut(err.Error(), ": buffer size=")
	reason, _, _ = strings.Cut(reason, ` in "`)
	reason = strings.TrimPrefix(reason, "error when reading request headers: ")
	return shorten(reason)
}

// request fills x.req from the parsed headers.
func (x *exchange) request(length int64) {
	h, headers := &x.header, x.req.headers
	x.req = request{
		method:      view(h.Method()),
		target:      view(h.RequestURI()),
		host:        view(h.Host()),
		contentType: view(h.ContentType()),
		headers:     headers,
		length:      length,
		deadline:    &x.conn.produce,
	}
	for key, text := range h.All() {
		name, value := view(key), view(text)
		if len(name) != len("Cookie") || !strings.EqualFold(name, "Cookie") { // put together in a buffer that is used again
			x.lines = append(x.lines, headerLine{name, value})
		}
		switch len(name) {
		case len("Expect"):
			if strings.EqualFold(name, "Expect") {
				x.body.expect = value
			}
		case len("Content-Encoding"):
			if strings.EqualFold(name, "Content-Encoding") {
				x.req.contentEncoding = value
			}
		case len("WebHook-Request-Origin"):
			if strings.EqualFold(name, "WebHook-Request-Origin") {
				x.req.origin = value
			}
		}
	}
	x.body.start(x, length)
	x.req.body = &x.body
}

// expectation handles the header Expect, which HTTP/1.0 does not have.
func (x *exchange) expectation() (answer, bool) {
	expect := x.body.expect
	x.body.expect = ""
	if expect == "" || !x.http11 {
		return answer{}, true
	}
	if !strings.EqualFold(expect, "100-continue") {
		return problem(417, "Expect is not supported, want 100-continue or none"), false
	}
	x.body.expect = expect
	return answer{}, true
}

// fill reads until the buffer holds the whole head of the request.
func (x *exchange) fill(r *Receiver, scan *headScan) (answer, bool) {
	for watched := false; ; {
		b, _ := x.br.Peek(x.br.Buffered())
		skipped := emptyLines(b)
		if skipped > 0 {
			_, _ = x.br.Discard(skipped)
			b, *scan = b[skipped:], headScan{}
		}
		done, problemText := scan.scan(b)
		switch {
		case problemText != "":
			return problem(400, problemText), false
		case done:
			return answer{}, true
		case !watched && len(x.conn.first) == 0:
			// What woke the connection is used up: from here on the client is
			// waited for.
			watched = true
			_ = x.conn.SetReadDeadline(time.Now().Add(r.cfg.HeaderTimeout))
		}
		_, err := x.br.Peek(len(b) + 1)
		if errors.Is(err, bufio.ErrBufferFull) {
			if a, ok := x.enlarge(r); !ok {
				return a, false
			}
			continue
		}
		if err != nil {
			return headUnread(err, len(b))
		}
	}
}

// emptyLines counts the bytes of empty lines before a request line.
func emptyLines(b []byte) int {
	n := 0
	for bytes.HasPrefix(b[n:], []byte("\r\n")) {
		n += 2
	}
	return n
}

// headUnread tells what to answer when the head did not arrive whole: nothing,
// unless the client is still there and slow.
func headUnread(err error, read int) (answer, bool) {
	if timeout := net.Error(nil); read > 0 && errors.As(err, &timeout) && timeout.Timeout() {
		return problem(408, "the headers did not arrive in time"), false
	}
	return answer{}, false
}

// enlarge goes on with a buffer of largeHead bytes, which the budget has to
// allow: many clients could send large headers slowly.
func (x *exchange) enlarge(r *Receiver) (answer, bool) {
	if x.budget != nil {
		return problem(431, "the headers are too large, at most 65536 bytes are allowed"), false
	}
	if !reserve(&r.budget.bytes, largeHead, r.budget.maxBytes) {
		return tooBusy, false
	}
	rest, _ := x.br.Peek(x.br.Buffered())
	large := largeReaders.Get().(*bufio.Reader)
	large.Reset(io.MultiReader(bytes.NewReader(rest), x.conn))
	_, _ = large.Peek(len(rest)) // comes from memory
	x.br, x.budget = large, r.budget
	return answer{}, true
}

// headScan looks for the end of a head as bytes arrive, for line ends that
// other servers in the way may understand differently, and for framing headers.
type headScan struct {
	seen                            int // bytes scanned
	line                            int // where the current line starts
	contentLength, transferEncoding bool
}

// scan goes on where it stopped; b starts at the request line.
func (s *headScan) scan(b []byte) (done bool, problem string) {
	for {
		i := bytes.IndexByte(b[s.seen:], '\n')
		if i < 0 {
			s.seen = len(b)
			return false, ""
		}
		end := s.seen + i
		line := b[s.line:end]
		s.seen, s.line = end+1, end+1
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return false, "a line of the headers ends with LF alone, want CR LF"
		}
		line = line[:len(line)-1]
		switch {
		case len(line) == 0:
			return true, ""
		case bytes.IndexByte(line, '\r') >= 0:
			return false, "a line of the headers has a CR inside"
		case line[0] == ' ' || line[0] == '\t':
			return false, "a line of the headers is folded, which HTTP/1.1 does not allow any more"
		}
		s.framing(line)
	}
}

func (s *headScan) framing(line []byte) {
	switch line[0] | 0x20 {
	case 'c':
		s.contentLength = s.contentLength || isHeaderLine(line, "content-length")
	case 't':
		s.transferEncoding = s.transferEncoding || isHeaderLine(line, "transfer-encoding")
	}
}

func isHeaderLine(line []byte, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(view(line[:len(name)]), name)
}
