package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// exchange makes the attempt: one request, or two when the first could not even
// begin to be written because its connection had died while idle.
func (t *target) exchange(ctx context.Context, m *Message) (Result, error) {
	begun := m.Begun
	if begun.IsZero() {
		begun = time.Now()
	}
	deadline := begun.Add(m.timeout())
	res, err := t.once(ctx, begun, deadline, m, false)
	if err == nil {
		return res, nil
	}
	if errors.Is(err, errUnsent) {
		res, err = t.once(ctx, begun, deadline, m, true)
		if err == nil {
			return res, nil
		}
	}
	var answered *AttemptError
	if errors.As(err, &answered) || errors.Is(err, ErrMayNot) {
		return Result{}, err
	}
	if ctx.Err() != nil {
		return Result{}, ctx.Err() // cancelled: does not count
	}
	reason := ReasonConnection
	if !time.Now().Before(deadline) {
		reason, err = ReasonTimeout, fmt.Errorf("no complete response within %v", m.timeout())
	}
	return Result{}, &AttemptError{URL: t.url, Reason: reason, Err: brief(err)}
}

// once uses one connection. An error that is no *AttemptError got no complete
// response.
func (t *target) once(ctx context.Context, begun, deadline time.Time, m *Message, fresh bool) (Result, error) {
	c, err := t.pool.get(ctx, begun, deadline, fresh)
	if err != nil {
		return Result{}, err
	}
	if !m.may() {
		t.pool.put(c, time.Now())
		return Result{}, ErrMayNot
	}
	c.expire(deadline, m.timeout())
	cut := t.cuts.of(ctx)
	cut.add(c)
	c.written = 0
	res, keep, err := t.talk(c, m)
	res.Ended = time.Now()
	if cut.remove(c) && keep {
		t.pool.put(c, res.Ended)
	} else {
		_ = c.Close()
	}
	return res, err
}

// talk writes the request and reads the response. keep: the connection may be
// used again.
func (t *target) talk(c *conn, m *Message) (res Result, keep bool, err error) {
	if err := t.write(c, m); err != nil {
		if c.reused && c.written == 0 {
			return Result{}, false, errUnsent
		}
		// A server may answer (413, 401) and close without reading the whole
		// request; its answer is then worth more than the broken pipe.
		res, _, readErr := t.read(c, m)
		var answered *AttemptError
		if c.written > 0 && errors.As(readErr, &answered) && answered.Code != 0 {
			return res, false, readErr
		}
		return Result{}, false, err
	}
	res, keep, err = t.read(c, m)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the connection was closed before a complete response came")
	}
	return res, keep, err
}

// maxErrorText bounds the text of an error that may quote what a server sent.
const maxErrorText = 300

// brief cuts an error's text.
func brief(err error) error {
	if text := err.Error(); len(text) > maxErrorText {
		return errors.New(text[:maxErrorText] + "...")
	}
	return err
}
