package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/internal/status"
)

// client asks the process; nothing it answers takes long.
var client = &http.Client{Timeout: 10 * time.Second}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// running is a kurier dev in this process.
type running struct {
	ingress, admin string
	manifests      string
	out, log       *buffer
	stop           func() error
}

// startDev runs kurier dev on free ports with the given manifests.
func startDev(t *testing.T, dir string, manifests map[string]string) *running {
	t.Helper()
	r := &running{manifests: filepath.Join(dir, "manifests"), out: &buffer{}, log: &buffer{}}
	for name, text := range manifests {
		writeManifest(t, r.manifests, name, text)
	}
	t.Setenv("MANIFESTS", r.manifests)
	config, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.DataDir = filepath.Join(dir, "data")
	config.IngressPort, config.AdminPort = freePort(t), freePort(t)
	r.ingress = fmt.Sprintf("http://localhost:%d", config.IngressPort)
	r.admin = fmt.Sprintf("http://localhost:%d", config.AdminPort)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, context.Background(), Options{Role: RoleDev, Config: config, Out: r.out, Err: r.log})
	}()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the process ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	eventually(t, "ready", func() bool {
		response, err := client.Get(r.admin + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return r
}

func writeManifest(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("not %s within 30 s", what)
		}
		<-tick.C
	}
}

func (r *running) send(t *testing.T, path, id, eventType string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, r.ingress+path, strings.NewReader(`{"id": "`+id+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"ce-specversion": "1.0", "ce-id": id, "ce-source": "/test", "ce-type": eventType, "content-type": "application/json"} {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func (r *running) object(t *testing.T, ref string) (object status.Object) {
	t.Helper()
	response, err := client.Get(r.admin + "/status/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}

const brokerAndTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: orders}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: all}
spec:
  broker: orders
  subscriber: {uri: %s}
  delivery: {retry: 0, deadLetterSink: {uri: %s}}
`

// subscriber records the ids it gets.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	ids    []string
	answer int
}

func newSubscriber(t *testing.T) *subscriber {
	s := &subscriber{answer: http.StatusAccepted}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids = append(s.ids, r.Header.Get("ce-id"))
		w.WriteHeader(s.answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) has(ids ...string) func() bool {
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Join(s.ids, ",") == strings.Join(ids, ",")
	}
}

func (s *subscriber) answerWith(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = code
}

// One event through the whole process, and after a restart the next one: the
// walk of the architecture.
func TestDevDeliversAndGoesOn(t *testing.T) {
	dir, sink := t.TempDir(), newSubscriber(t)
	manifests := map[string]string{"orders.yaml": fmt.Sprintf(brokerAndTrigger, sink.URL, sink.URL)}
	r := startDev(t, dir, manifests)
	eventually(t, "Ready", func() bool { o := r.object(t, "trigger/default/all"); return o.Ready() })
	if code := r.send(t, "/default/orders", "1", "order"); code != http.StatusAccepted {
		t.Fatalf("got %d, want 202", code)
	}
	eventually(t, "delivered", sink.has("1"))
	if code := r.send(t, "/default/nothing", "2", "order"); code != http.StatusNotFound {
		t.Errorf("unknown Broker: got %d, want 404", code)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = startDev(t, dir, manifests)
	r.send(t, "/default/orders", "3", "order")
	eventually(t, "delivered after the restart, the first event not again", sink.has("1", "3"))
}

// A dead letter sink that fails holds the event; corrected in the file, the
// event is settled without a restart.
func TestHeldEventIsSettledByAnEdit(t *testing.T) {
	dir, sink, wrong, right := t.TempDir(), newSubscriber(t), newSubscriber(t), newSubscriber(t)
	sink.answerWith(http.StatusBadRequest)
	wrong.answerWith(http.StatusInternalServerError)
	r := startDev(t, dir, map[string]string{"orders.yaml": fmt.Sprintf(brokerAndTrigger, sink.URL, wrong.URL)})
	r.send(t, "/default/orders", "1", "order")
	eventually(t, "held", func() bool {
		o := r.object(t, "trigger/default/all")
		c := o.Condition(status.TypeDeadLetterSinkHealthy)
		return c != nil && c.Status == status.False && o.Status.Delivery.Held == 1
	})
	writeManifest(t, r.manifests, "orders.yaml", fmt.Sprintf(brokerAndTrigger, sink.URL, right.URL))
	eventually(t, "dead-lettered at the corrected sink", right.has("1"))
	eventually(t, "settled", func() bool {
		o := r.object(t, "trigger/default/all")
		return o.Status.Delivery.Lag != nil && *o.Status.Delivery.Lag == 0 && o.Status.Delivery.Held == 0
	})
}

// A broken edit is reported and the last good version goes on.
func TestBrokenEditKeepsTheLastGoodVersion(t *testing.T) {
	dir, sink := t.TempDir(), newSubscriber(t)
	r := startDev(t, dir, map[string]string{"orders.yaml": fmt.Sprintf(brokerAndTrigger, sink.URL, sink.URL)})
	writeManifest(t, r.manifests, "orders.yaml", strings.Replace(fmt.Sprintf(brokerAndTrigger, sink.URL, sink.URL), "retry: 0", "retries: 0", 1))
	eventually(t, "reported", func() bool { return strings.Contains(r.log.String(), "unknown field: spec.delivery.retries") })
	o := r.object(t, "trigger/default/all")
	if c := o.Condition("ManifestAccepted"); c == nil || !strings.Contains(c.Message, "orders.yaml:") || !o.Ready() {
		t.Errorf("the status does not tell of the broken edit, or the trigger is not ready: %+v", o.Status.Conditions)
	}
	r.send(t, "/default/orders", "1", "order")
	eventually(t, "delivered by the last good version", sink.has("1"))
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	config, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.DataDir, config.IngressPort, config.AdminPort = t.TempDir(), taken.Addr().(*net.TCPAddr).Port, 0
	err = Run(context.Background(), context.Background(), Options{Role: RoleDev, Config: config, Out: io.Discard, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "INGRESS_PORT") {
		t.Errorf("port in use: got %v, want an error that names INGRESS_PORT", err)
	}
	err = Run(context.Background(), context.Background(), Options{Role: RoleRun, Config: config, Out: io.Discard, Err: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "KAFKA_BOOTSTRAP_SERVERS") {
		t.Errorf("no Kafka named: got %v, want an error that names KAFKA_BOOTSTRAP_SERVERS", err)
	}
	bad := t.TempDir()
	writeManifest(t, bad, "a.yaml", "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: orders}\nspec: {confg: {}}\n")
	writeManifest(t, bad, "b.yaml", "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec: {broker: orders}\n")
	t.Setenv("MANIFESTS", bad)
	config, err = LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.DataDir, config.IngressPort, config.AdminPort = t.TempDir(), freePort(t), freePort(t)
	err = Run(context.Background(), context.Background(), Options{Role: RoleDev, Config: config, Out: io.Discard, Err: io.Discard})
	for _, part := range []string{"a.yaml:4", "spec.confg", "b.yaml", "spec.subscriber"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("bad manifests: got %v, want %q in it", err, part)
		}
	}
}
