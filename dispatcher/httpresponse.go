package dispatcher

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"kurier.dev/kurier/internal/event"
)

const (
	// headerBytes is what a response's header usually fits into, maxHeaderBytes
	// what it may need.
	headerBytes    = 4 << 10
	maxHeaderBytes = 128 << 10
	// maxInterim bounds the 1xx responses before the final one.
	maxInterim = 16
	// keptBody is how much is kept of a body that is no reply.
	keptBody = 1024
	// drainBody is how much of such a body is read so that the connection can be
	// used again; beyond it the connection is closed instead.
	drainBody = 64 << 10
	// chunked is the content length that fasthttp gives a chunked body.
	chunked = -1
)

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headerBytes) }}

// read reads the response. A code other than 2xx is an *AttemptError.
func (t *target) read(c *conn, m *Message) (res Result, keep bool, err error) {
	resp := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(resp)
	resp.StreamBody = true
	// fasthttp would tell text/plain where the response names no type, and an event that
	// is answered has none then.
	resp.Header.SetNoDefaultContentType(true)

	small := readers.Get().(*bufio.Reader) //nolint:forcetypeassert // the pool holds nothing else
	small.Reset(c)
	defer func() {
		small.Reset(nil)
		readers.Put(small)
	}()
	r, err := readFinalHeader(resp, small, c)
	if err != nil {
		return Result{}, false, err
	}
	code := resp.StatusCode()
	success := code >= 200 && code < 300
	claims := success && m.WantReply && claimsEvent(&resp.Header)
	limit := keptBody
	if claims {
		limit = m.maxReply()
	}
	body, whole, err := readBody(resp, r, limit, claims)
	// fasthttp takes the end of the connection between two chunks for the end of
	// the body. After a complete chunked body nothing is left to be read.
	if err == nil && whole && resp.Header.ContentLength() == chunked && c.ended {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case errors.Is(err, errBodyTooLarge):
		return Result{}, false, &AttemptError{URL: t.url, Reason: ReasonReplyTooLarge,
			Err: fmt.Errorf("the event in the response is larger than %d bytes", limit)}
	case err != nil:
		return Result{}, false, err
	}
	keep = whole && !resp.ConnectionClose() && r.Buffered() == 0
	if !success {
		return Result{}, keep, &AttemptError{URL: t.url, Code: code, Body: body,
			Headers: copyHeaders(&resp.Header), RetryAfter: string(resp.Header.Peek("Retry-After"))}
	}
	res = Result{Code: code, Body: body, ClaimsEvent: claims}
	if m.WantReply && (claims || len(body) > 0) {
		res.Headers = copyHeaders(&resp.Header)
	}
	return res, keep, nil
}

func (m *Message) maxReply() int {
	if m.MaxReply > 0 {
		return m.MaxReply
	}
	return DefaultMaxEventBytes
}

// readFinalHeader passes 1xx responses and reads the header of the final one.
// The reader it returns goes on behind it: small, or a larger one when the
// header needed it.
func readFinalHeader(resp *fasthttp.Response, small *bufio.Reader, c io.Reader) (*bufio.Reader, error) {
	r := small
	for range maxInterim {
		err := resp.Header.Read(r)
		var full *fasthttp.ErrSmallBuffer
		if errors.As(err, &full) && r == small {
			r = enlarge(small, c)
			err = resp.Header.Read(r)
		}
		if err != nil {
			return nil, err
		}
		code := resp.StatusCode()
		if code < 100 {
			return nil, fmt.Errorf("the response has the impossible status %d", code)
		}
		if code >= 200 || code == fasthttp.StatusSwitchingProtocols {
			return r, nil
		}
	}
	return nil, errors.New("too many interim responses")
}

// enlarge returns a reader with room for the largest header; what small has read
// comes first.
func enlarge(small *bufio.Reader, c io.Reader) *bufio.Reader {
	seen, _ := small.Peek(small.Buffered())
	return bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(seen)), c), maxHeaderBytes)
}

// claimsEvent reports whether a header says that the response is a CloudEvent,
// however wrong.
func claimsEvent(h *fasthttp.ResponseHeader) bool {
	if len(h.Peek("Ce-Specversion")) > 0 {
		return true
	}
	const prefix = "application/cloudevents"
	contentType := strings.TrimSpace(string(h.ContentType()))
	return len(contentType) >= len(prefix) && strings.EqualFold(contentType[:len(prefix)], prefix)
}

var errBodyTooLarge = errors.New("the body is too large")

// readBody reads at most limit bytes into memory. strict: more is an error,
// known as soon as a length is announced. Otherwise the rest is passed over, as
// long as it is short; whole tells whether the end was reached.
func readBody(resp *fasthttp.Response, r *bufio.Reader, limit int, strict bool) (body []byte, whole bool, err error) {
	code := resp.StatusCode()
	if code == fasthttp.StatusNoContent || code == fasthttp.StatusNotModified || code < 200 {
		return nil, code >= 200, nil
	}
	length := resp.Header.ContentLength()
	if length == 0 {
		return nil, true, nil
	}
	if strict && length > limit {
		return nil, false, errBodyTooLarge
	}
	if err := resp.ReadBody(r, 0); err != nil {
		return nil, false, err
	}
	stream := resp.BodyStream()
	defer func() { _ = resp.CloseBodyStream() }()
	body, err = readAtMost(stream, limit, length)
	if err != nil {
		return nil, false, err
	}
	if len(body) < limit {
		return body, true, nil
	}
	rest := int64(drainBody)
	if strict {
		rest = 1
	}
	_, err = io.CopyN(io.Discard, stream, rest)
	switch {
	case err == nil && strict:
		return nil, false, errBodyTooLarge
	case err == nil:
		return body, false, nil // long, or endless: the connection is given up
	case err != io.EOF: //nolint:errorlint // a wrapped EOF is a broken chunk
		return nil, false, err
	}
	return body, true, nil
}

// readAtMost reads to the end or to limit bytes; hint is the announced length,
// negative when there is none.
func readAtMost(r io.Reader, limit, hint int) ([]byte, error) {
	size := 512
	if hint >= 0 {
		size = min(hint, limit)
	}
	buffer := bytes.NewBuffer(make([]byte, 0, min(size, 32<<10)+bytes.MinRead))
	_, err := buffer.ReadFrom(io.LimitReader(r, int64(limit)))
	return buffer.Bytes(), err
}

func copyHeaders(h *fasthttp.ResponseHeader) []event.Header {
	var headers []event.Header
	for name, value := range h.All() {
		headers = append(headers, event.Header{Name: string(name), Value: string(value)})
	}
	return headers
}
