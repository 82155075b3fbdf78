package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/app"
	"kurier.dev/kurier/internal/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// update rewrites the golden files: go test ./cmd/kurier -update.
var update = flag.Bool("update", false, "rewrite the golden files")

// noon is what the clock shows in these tests.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fixture runs command lines in process.
type fixture struct {
	config app.Config
	failed error // of reading the environment
	in     string
	ran    *app.Options
	result error // of a role
}

type outcomeOf struct {
	code     int
	out, err string
}

func newFixture() *fixture {
	return &fixture{config: app.Config{AdminURL: "http://127.0.0.1:1", IngressPort: 8080}}
}

func (f *fixture) run(t *testing.T, arguments ...string) outcomeOf {
	t.Helper()
	return f.runUntil(t.Context(), arguments...)
}

func (f *fixture) runUntil(ctx context.Context, arguments ...string) outcomeOf {
	var out, errs bytes.Buffer
	c := &cli{
		in: strings.NewReader(f.in), out: &out, err: &errs,
		hard: ctx,
		load: func() (app.Config, error) { return f.config, f.failed },
		run: func(_, _ context.Context, o app.Options) error {
			f.ran = &o
			return f.result
		},
		now:     func() time.Time { return noon },
		version: "v1.2.3",
	}
	return outcomeOf{c.execute(ctx, arguments), out.String(), errs.String()}
}

// golden compares text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

// serve answers with handler until the test ends.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// process is an admin.Process that a test scripts.
type process struct {
	objects func() []status.Object
	reasons func() []string
	events  []string
	asked   chan admin.TailOptions
}

func (p *process) Status(context.Context) ([]status.Object, error) { return p.objects(), nil }

func (p *process) Ready() []string {
	if p.reasons == nil {
		return nil
	}
	return p.reasons()
}

func (p *process) Tail(ctx context.Context, _ admin.Ref, options admin.TailOptions, each func(admin.Event) error) error {
	if p.asked != nil {
		p.asked <- options
	}
	for _, e := range p.events {
		if err := each(admin.Event{CloudEvent: json.RawMessage(e)}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// admined is a fixture whose ADMIN_URL is p's admin server.
func admined(t *testing.T, p *process) *fixture {
	t.Helper()
	server, err := admin.New(admin.Config{Process: p, Addr: "127.0.0.1:0"})
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
	f := newFixture()
	f.config.AdminURL = "http://" + server.Addr().String()
	return f
}

func TestSignals(t *testing.T) {
	signals, exits := make(chan os.Signal), make(chan int, 1)
	graceful, hard := stops(signals, time.Millisecond, func(status int) { exits <- status })
	if graceful.Err() != nil || hard.Err() != nil {
		t.Fatal("stopped without a signal")
	}
	signals <- os.Interrupt
	<-graceful.Done()
	if hard.Err() != nil {
		t.Error("the first signal ends at once")
	}
	signals <- os.Interrupt
	<-hard.Done()
	if status := <-exits; status != 1 {
		t.Errorf("status %d", status)
	}
}
