// Package client asks a running Kurier through its admin port: is it ready, how
// are its objects, what passes. Only Poll asks twice.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"kurier.dev/kurier/internal/status"
)

// maxBody bounds what is read of any answer but a tail.
const maxBody = 64 << 20

// Client asks one admin API. Safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the admin API at adminURL, for example
// http://localhost:9090. transport nil means one of its own without a proxy.
func New(adminURL string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(adminURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("ADMIN_URL=%q: allowed: an http or https URL with a host, for example http://localhost:9090", adminURL)
	}
	if transport == nil {
		transport = &http.Transport{DisableKeepAlives: true}
	}
	return &Client{base: strings.TrimRight(adminURL, "/"), http: &http.Client{Transport: transport}}, nil
}

// UnreachableError is returned when nothing answers at the admin URL.
type UnreachableError struct {
	URL string
	Err error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("no Kurier answers at %s (is it running? set ADMIN_URL to where its admin port is): %v", e.URL, e.Err)
}

// Unwrap is the transport's error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// AnswerError is returned when the server answers with an error status.
type AnswerError struct {
	Code   int
	Detail string // what the server says about it
}

func (e *AnswerError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the server answered %d %s", e.Code, http.StatusText(e.Code))
	}
	return fmt.Sprintf("%s (%d)", e.Detail, e.Code)
}

// NotFound tells whether err says that the server knows no such object.
func NotFound(err error) bool {
	var answer *AnswerError
	return errors.As(err, &answer) && answer.Code == http.StatusNotFound
}

// List returns every object.
func (c *Client) List(ctx context.Context) ([]status.Object, error) {
	var list status.List
	err := c.json(ctx, "/status", &list)
	return list.Items, err
}

// Get returns one object.
func (c *Client) Get(ctx context.Context, ref Ref) (*status.Object, error) {
	object := &status.Object{}
	if err := c.json(ctx, "/status/"+ref.path(), object); err != nil {
		return nil, err
	}
	return object, nil
}

// Live returns nil when the process answers its liveness probe.
func (c *Client) Live(ctx context.Context) error { return c.probe(ctx, "/healthz") }

// Ready returns nil when the process says that it is ready; the error carries
// its reasons.
func (c *Client) Ready(ctx context.Context) error { return c.probe(ctx, "/readyz") }

func (c *Client) probe(ctx context.Context, path string) error {
	response, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (c *Client) json(ctx context.Context, path string, into any) error {
	response, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer closeQuietly(response.Body)
	if err := json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(into); err != nil {
		return fmt.Errorf("%s%s does not answer as Kurier's admin API does: %w", c.base, path, err)
	}
	return nil
}

// get returns the answer when it is 200.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, &UnreachableError{URL: c.base, Err: err}
	}
	if response.StatusCode != http.StatusOK {
		defer closeQuietly(response.Body)
		return nil, answerError(response)
	}
	return response, nil
}

// answerError reads a problem's detail, or the reasons of a readiness probe.
func answerError(response *http.Response) error {
	var body struct {
		Detail  string   `json:"detail"`
		Reasons []string `json:"reasons"`
	}
	failed := &AnswerError{Code: response.StatusCode}
	if json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(&body) == nil {
		failed.Detail = body.Detail
		if len(body.Reasons) > 0 {
			failed.Detail = "not ready: " + strings.Join(body.Reasons, "; ")
		}
	}
	return failed
}

// closeQuietly ends a body that was read as far as it was wanted.
func closeQuietly(body io.Closer) { _ = body.Close() }

// Poll calls ask until it reports done, ctx ends, or it reports an error that
// waiting cannot mend: everything but a server that is not there yet or not
// able to answer yet (503). It returns the last error together with ctx's.
func Poll(ctx context.Context, every time.Duration, ask func(context.Context) (done bool, err error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var last error
	for {
		done, err := ask(ctx)
		switch {
		case err == nil && done:
			return nil
		case err != nil && ctx.Err() == nil && !mendable(err):
			return err
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-ticker.C:
		}
	}
}

func mendable(err error) bool {
	var unreachable *UnreachableError
	var answer *AnswerError
	return errors.As(err, &unreachable) || errors.As(err, &answer) && answer.Code == http.StatusServiceUnavailable
}
