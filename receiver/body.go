package receiver

import (
	"errors"
	"fmt"
	"io"
	"net"

	"kurier.dev/kurier/internal/event"
)

// firstShare is what a body of declared length, or unknown (-1), costs before
// any of it is read. A body that is too large will not be read at all.
func firstShare(length int64, limit int, mode event.Mode) int64 {
	switch {
	case length < 0:
		return memoryOf(firstChunk, mode)
	case length > int64(limit):
		return 0
	}
	return memoryOf(int(length), mode)
}

// readBody reads the body into memory of its own. A non-zero answer says why it
// is not used.
func readBody(req *request, l *lease, limit int, mode event.Mode) ([]byte, answer) {
	if req.length > int64(limit) {
		return nil, tooLarge(limit, mode)
	}
	if req.length < 0 {
		return readChunked(req.body, l, limit, mode)
	}
	if req.length == 0 {
		return nil, answer{}
	}
	body := make([]byte, req.length)
	if _, err := io.ReadFull(req.body, body); err != nil {
		return nil, unread(err)
	}
	return body, answer{}
}

// readChunked grows its buffer by doubling; the lease grows first.
func readChunked(from io.Reader, l *lease, limit int, mode event.Mode) ([]byte, answer) {
	body := make([]byte, 0, firstChunk)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, tooLarge(limit, mode)
		case err == io.EOF:
			return body, answer{}
		case err != nil:
			return nil, unread(err)
		case len(body) < cap(body):
			continue
		}
		if !l.grow(memoryOf(cap(body), mode)) {
			a := tooBusy
			a.close = true
			return nil, a
		}
		body = append(make([]byte, 0, 2*cap(body)), body...)
	}
}

func tooLarge(limit int, mode event.Mode) answer {
	what := "event"
	if mode == event.Batch {
		what = "batch"
	}
	return problem(413, fmt.Sprintf("the %s is too large, its body may have at most %d bytes", what, limit))
}

// unread answers a body that did not arrive whole.
func unread(err error) answer {
	a := problem(400, fmt.Sprintf("the body could not be read: %v", err))
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		a = problem(408, "the body did not arrive in time")
	}
	a.close = true
	return a
}
