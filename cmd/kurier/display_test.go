package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"kurier.dev/kurier/internal/app"
)

// pipeOut is an output that tells when something has been written.
type pipeOut struct {
	mu      sync.Mutex
	text    strings.Builder
	written chan struct{}
}

func (p *pipeOut) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	select {
	case p.written <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (p *pipeOut) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestDisplay(t *testing.T) {
	out, errs := &pipeOut{written: make(chan struct{}, 1)}, &pipeOut{written: make(chan struct{}, 1)}
	c := &cli{
		in: strings.NewReader(""), out: out, err: errs, colour: true, hard: t.Context(),
		load: func() (app.Config, error) { return app.Config{}, fmt.Errorf("a display needs no environment") },
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- c.execute(ctx, []string{
			"display", "--host", "127.0.0.1", "--port", "0", "--label", "one", "--fail-type", "bad",
			"--reply-type", "checked", "--reply-data", `{"ok":true}`,
		})
	}()
	<-errs.written
	var port int
	if _, err := fmt.Sscanf(errs.String(), "kurier display listens on port %d;", &port); err != nil {
		t.Fatalf("%q: %v", errs.String(), err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for eventType, want := range map[string]string{"good": `200 checked {"ok":true}`, "bad": "503 "} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", port), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"specversion": "1.0", "id": "1", "source": "/s", "type": eventType} {
			request.Header.Set("ce-"+name, value)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		got := fmt.Sprintf("%d %s %s", response.StatusCode, response.Header.Get("Ce-Type"), body)
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, %v", eventType, got, err)
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("status %d: %s", code, errs)
	}
	if printed := out.String(); !strings.Contains(printed, "\x1b[36mone |\x1b[0m   type: good\n") {
		t.Errorf("printed %q", printed)
	}
}

func TestDisplayOnATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	got := newFixture().run(t, "display", "--host", "127.0.0.1", "--port", port)
	if got.code != 1 || !strings.Contains(got.err, "port "+port+" is taken") || !strings.Contains(got.err, "--port") {
		t.Errorf("%+v", got)
	}
}
