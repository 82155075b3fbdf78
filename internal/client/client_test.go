package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is an admin.Process with one Trigger.
type process struct {
	reasons []string
	tail    func(ctx context.Context, options admin.TailOptions, each func(admin.Event) error) error
}

func (p *process) Status(context.Context) ([]status.Object, error) {
	o := status.Object{Kind: "Trigger", Metadata: status.Metadata{Name: "orders", Namespace: "default"}}
	o.Complete()
	return []status.Object{o}, nil
}

func (p *process) Ready() []string { return p.reasons }

func (p *process) Tail(ctx context.Context, _ admin.Ref, options admin.TailOptions, each func(admin.Event) error) error {
	return p.tail(ctx, options, each)
}

// against runs the real admin server.
func against(t *testing.T, p *process) *Client {
	t.Helper()
	server, err := admin.New(admin.Config{Process: p, Addr: "127.0.0.1:0", Heartbeat: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return dial(t, "http://"+server.Addr().String()+"/")
}

func dial(t *testing.T, url string) *Client {
	t.Helper()
	c, err := New(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scripted runs a server of one answer.
func scripted(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return dial(t, server.URL)
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "localhost:9090", "ftp://x", "http://", "::"} {
		if _, err := New(url, nil); err == nil || !strings.Contains(err.Error(), "ADMIN_URL") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAgainstTheRealServer(t *testing.T) {
	p := &process{reasons: []string{"no Kafka", "no manifests"}}
	c := against(t, p)
	ctx := t.Context()

	if err := c.Live(ctx); err != nil {
		t.Errorf("Live: %v", err)
	}
	if err := c.Ready(ctx); err == nil || !strings.Contains(err.Error(), "no Kafka; no manifests") {
		t.Errorf("Ready: %v", err)
	}
	p.reasons = nil
	if err := c.Ready(ctx); err != nil {
		t.Errorf("Ready: %v", err)
	}
	objects, err := c.List(ctx)
	if err != nil || len(objects) != 1 || objects[0].Ref() != "trigger/default/orders" {
		t.Errorf("List: %v, %v", objects, err)
	}
	object, err := c.Get(ctx, Ref{"trigger", "default", "orders"})
	if err != nil || object.Kind != "Trigger" || len(object.Status.Conditions) != 6 {
		t.Errorf("Get: %+v, %v", object, err)
	}
	_, err = c.Get(ctx, Ref{"trigger", "default", "a/b"})
	if !NotFound(err) || !strings.Contains(err.Error(), "trigger/default/a/b is not in the manifests") {
		t.Errorf("Get of nothing: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	err := dial(t, url).Live(t.Context())
	var unreachable *UnreachableError
	if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "ADMIN_URL") || !strings.Contains(err.Error(), url) {
		t.Errorf("%v", err)
	}
}

func TestStrangeAnswers(t *testing.T) {
	c := scripted(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	if _, err := c.List(t.Context()); err == nil || !strings.Contains(err.Error(), "/status does not answer as Kurier") {
		t.Errorf("%v", err)
	}
	c = scripted(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if _, err := c.List(t.Context()); err == nil || !strings.Contains(err.Error(), "502 Bad Gateway") {
		t.Errorf("%v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := scripted(t, func(http.ResponseWriter, *http.Request) {})
	if err := c.Live(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := c.Tail(ctx, Ref{"a", "b", "c"}, TailOptions{}, nil); err != nil {
		t.Errorf("a tail that was ended: %v", err)
	}
}

func TestTail(t *testing.T) {
	options := make(chan admin.TailOptions, 1)
	p := &process{tail: func(ctx context.Context, o admin.TailOptions, each func(admin.Event) error) error {
		options <- o
		for i := range 3 {
			if err := each(admin.Event{CloudEvent: fmt.Appendf(nil, "{\"n\":\n%d}", i)}); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	c := against(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	var lines []string
	err := c.Tail(ctx, Ref{"trigger", "default", "orders"}, TailOptions{DeadLetters: true, From: "7"}, func(line []byte) error {
		lines = append(lines, string(line))
		if len(lines) == 3 {
			cancel()
		}
		return nil
	})
	if err != nil || strings.Join(lines, " ") != `{"n":0} {"n":1} {"n":2}` {
		t.Errorf("%q, %v", lines, err)
	}
	if got := <-options; got != (admin.TailOptions{DeadLetters: true, From: admin.From{Last: 7}}) {
		t.Errorf("%+v", got)
	}
}

func TestTailEnds(t *testing.T) {
	enough := errors.New("enough")
	endless := func(ctx context.Context, _ admin.TailOptions, each func(admin.Event) error) error {
		if err := each(admin.Event{CloudEvent: []byte(`{}`)}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	one := func(result error) func(context.Context, admin.TailOptions, func(admin.Event) error) error {
		return func(_ context.Context, _ admin.TailOptions, each func(admin.Event) error) error {
			return errors.Join(each(admin.Event{CloudEvent: []byte(`{}`)}), result)
		}
	}
	ref := Ref{"trigger", "default", "orders"}
	err := against(t, &process{tail: endless}).Tail(t.Context(), ref, TailOptions{}, func([]byte) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("by the reader: %v", err)
	}
	ignore := func([]byte) error { return nil }
	err = against(t, &process{tail: one(errors.New("the topic was deleted"))}).Tail(t.Context(), ref, TailOptions{}, ignore)
	if err == nil || err.Error() != "the topic was deleted" {
		t.Errorf("by the server, with a reason: %v", err)
	}
	err = against(t, &process{tail: one(nil)}).Tail(t.Context(), ref, TailOptions{}, ignore)
	if err == nil || !strings.Contains(err.Error(), "ended the tail") {
		t.Errorf("by the server, without one: %v", err)
	}
	err = against(t, &process{}).Tail(t.Context(), Ref{"broker", "x", "y"}, TailOptions{}, ignore)
	if !NotFound(err) {
		t.Errorf("of nothing: %v", err)
	}
	broken := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if err := broken.Tail(t.Context(), ref, TailOptions{}, ignore); err == nil || !strings.Contains(err.Error(), "broke") {
		t.Errorf("by a broken connection: %v", err)
	}
}

func TestPoll(t *testing.T) {
	tests := []struct {
		name    string
		answers []error // nil: not done yet; the last is repeated
		done    bool    // after the answers
		want    string  // in the error; empty: none
	}{
		{"at once", nil, true, ""},
		{"after a while", []error{nil, nil}, true, ""},
		{"the server comes up", []error{&UnreachableError{"u", errors.New("refused")}, &AnswerError{503, "starting"}, nil}, true, ""},
		{"what waiting cannot mend", []error{nil, &AnswerError{404, "no such object"}}, false, "no such object"},
		{"never", []error{&AnswerError{503, "starting"}}, false, "starting"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var asked atomic.Int64
			err := Poll(ctx, time.Millisecond, func(context.Context) (bool, error) {
				n := int(asked.Add(1)) - 1
				if n < len(test.answers) {
					return false, test.answers[n]
				}
				if !test.done {
					cancel()
				}
				return test.done, nil
			})
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				// "never" ends with the context; its last mendable error is told, too.
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestParseRef(t *testing.T) {
	for text, want := range map[string]Ref{
		"trigger/default/orders": {"trigger", "default", "orders"},
		"Trigger/shop/Orders":    {"trigger", "shop", "Orders"},
		"broker/orders":          {"broker", "default", "orders"},
	} {
		if got, err := ParseRef(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "orders", "a/b/c/d", "a//b", "/a/b", "a/b/"} {
		if _, err := ParseRef(text); err == nil || !strings.Contains(err.Error(), "trigger/default/orders") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := (Ref{"trigger", "default", "orders"}).String(); got != "trigger/default/orders" {
		t.Error(got)
	}
}
