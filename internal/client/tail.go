package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// maxLine bounds one event of a tail.
const maxLine = 256 << 20

// trailerError is where the server says why a tail ended by itself.
const trailerError = "Kurier-Error"

// TailOptions say what to show.
type TailOptions struct {
	DeadLetters bool
	From        string // oldest, newest or a count; empty: newest
}

// Tail calls each with every event, a CloudEvent in JSON format on one line,
// until ctx ends (nil), each fails (its error) or the server ends the tail (an
// error that says why). line is valid during the call only.
func (c *Client) Tail(ctx context.Context, ref Ref, options TailOptions, each func(line []byte) error) error {
	query := url.Values{}
	if options.DeadLetters {
		query.Set("dead-letters", strconv.FormatBool(true))
	}
	if options.From != "" {
		query.Set("from", options.From)
	}
	path := "/tail/" + ref.path()
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	response, err := c.get(ctx, path)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer closeQuietly(response.Body)
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue // a heartbeat
		}
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case lines.Err() != nil:
		return fmt.Errorf("the connection to %s broke: %w", c.base, lines.Err())
	case response.Trailer.Get(trailerError) != "":
		return errors.New(response.Trailer.Get(trailerError))
	}
	return fmt.Errorf("the server at %s ended the tail", c.base)
}
