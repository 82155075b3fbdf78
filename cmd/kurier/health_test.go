package main

import (
	"net/http"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/status"
)

func TestHealth(t *testing.T) {
	var reasons []string
	f := admined(t, &process{
		objects: func() []status.Object { return nil },
		reasons: func() []string { return reasons },
	})
	quiet := outcomeOf{}
	if got := f.run(t, "health"); got != quiet {
		t.Errorf("ready: %+v", got)
	}
	reasons = []string{"Kafka does not answer"}
	if got := f.run(t, "health"); got.code != 1 || got.out != "" || !strings.Contains(got.err, "Kafka does not answer") {
		t.Errorf("not ready: %+v", got)
	}
	if got := f.run(t, "health", "--live"); got != quiet {
		t.Errorf("live: %+v", got)
	}
	f.config.AdminURL = "http://127.0.0.1:1"
	if got := f.run(t, "health", "--live"); got.code != 1 || !strings.Contains(got.err, "ADMIN_URL") {
		t.Errorf("not there: %+v", got)
	}
}

func TestHealthOfAnyURL(t *testing.T) {
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	f := newFixture()
	if got := f.run(t, "health", "--url", url+"/healthz"); got != (outcomeOf{}) {
		t.Errorf("healthy: %+v", got)
	}
	if got := f.run(t, "health", "--url", url+"/"); got.code != 1 || !strings.Contains(got.err, "418") {
		t.Errorf("unhealthy: %+v", got)
	}
	for _, bad := range []string{"http://127.0.0.1:1", "::"} {
		if got := f.run(t, "health", "--url", bad); got.code != 1 || got.err == "" {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func TestHealthGivesUp(t *testing.T) {
	hang := make(chan struct{})
	url := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer close(hang)
	if got := newFixture().run(t, "health", "--url", url, "--timeout", "PT0.01S"); got.code != 1 {
		t.Errorf("%+v", got)
	}
}
