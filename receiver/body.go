package receiver

import (
	"errors"
	"fmt"
	"io"
	"net"

	"kurier.dev/kurier/internal/event"
)

// firstRoom is the room for a body before any of it is read. The rest is
// reserved as it arrives: a client that announces much and sends little holds
// little. length is -1 when it is unknown.
func firstRoom(length int64, limit int) int {
	switch {
	case length < 0:
		return unknownRoom
	case length > int64(limit):
		return 0 // it will not be read
	}
	return int(min(length, announcedRoom))
}

// readBody reads the body into memory of its own, for which the lease has
// firstRoom already and grows before the memory does: for a declared length to
// sixteen times what has arrived, so that a large event is moved once. A
// non-zero answer says
// why the body is not used.
func readBody(req *request, l *lease, limit int, mode event.Mode) ([]byte, answer) {
	if req.length > int64(limit) {
		return nil, tooLarge(limit, mode)
	}
	if req.length == 0 {
		return nil, answer{}
	}
	body := make([]byte, 0, firstRoom(req.length, limit))
	for {
		n, err := req.body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, tooLarge(limit, mode)
		case errors.Is(err, io.EOF):
			return body, answer{}
		case err != nil:
			return nil, unread(err)
		case len(body) < cap(body):
			continue
		}
		room := 2 * cap(body)
		if req.length > 0 {
			room = min(16*cap(body), int(req.length))
		}
		if !l.grow(memoryOf(room-cap(body), mode)) {
			a := tooBusy
			a.close = true
			return nil, a
		}
		body = append(make([]byte, 0, room), body...)
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
