package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is a Process that a test scripts.
type process struct {
	mu      sync.Mutex
	objects []status.Object
	failure error
	reasons []string
	tail    func(ctx context.Context, ref Ref, options TailOptions, each func(Event) error) error
}

func (p *process) Status(context.Context) ([]status.Object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.objects, p.failure
}

func (p *process) Ready() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reasons
}

func (p *process) Tail(ctx context.Context, ref Ref, options TailOptions, each func(Event) error) error {
	return p.tail(ctx, ref, options, each)
}

func orders(kind string) status.Object {
	o := status.Object{Kind: kind, Metadata: status.Metadata{Name: "orders", Namespace: "default"}}
	o.Complete()
	return o
}

// client is a client of these tests alone, so that they can close its connections.
var client = &http.Client{Transport: &http.Transport{}}

// start runs a server until the test ends.
func start(t *testing.T, c Config) string {
	t.Helper()
	c.Addr = "127.0.0.1:0"
	if c.Gatherer == nil {
		c.Gatherer = prometheus.NewRegistry()
	}
	server, err := New(c)
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
		client.CloseIdleConnections()
	})
	return "http://" + server.Addr().String()
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	return do(t, http.MethodGet, url)
}

func do(t *testing.T, method, url string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body), response.Header
}

func TestProbes(t *testing.T) {
	p := &process{reasons: []string{"Kafka does not answer", "manifests are not read yet"}}
	base := start(t, Config{Process: p})

	if code, body, _ := get(t, base+"/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", code, body)
	}
	code, body, header := get(t, base+"/readyz")
	want := `{"ready":false,"reasons":["Kafka does not answer","manifests are not read yet"]}`
	if code != 503 || compact(t, body) != want || header.Get("Content-Type") != "application/json" {
		t.Errorf("/readyz: %d %s %s", code, body, header.Get("Content-Type"))
	}
	p.mu.Lock()
	p.reasons = nil
	p.mu.Unlock()
	if code, body, _ := get(t, base+"/readyz"); code != 200 || compact(t, body) != `{"ready":true}` {
		t.Errorf("/readyz: %d %s", code, body)
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var value json.RawMessage
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func TestStatus(t *testing.T) {
	p := &process{objects: []status.Object{orders("Broker"), orders("Trigger")}}
	base := start(t, Config{Process: p})

	code, body, _ := get(t, base+"/status")
	var list status.List
	if err := json.Unmarshal([]byte(body), &list); err != nil || code != 200 {
		t.Fatalf("/status: %d %v %s", code, err, body)
	}
	if list.Kind != "List" || len(list.Items) != 2 || list.Items[1].Ref() != "trigger/default/orders" {
		t.Errorf("/status: %+v", list)
	}
	for _, kind := range []string{"trigger", "Trigger", "TRIGGER"} {
		code, body, _ := get(t, base+"/status/"+kind+"/default/orders")
		var object status.Object
		if err := json.Unmarshal([]byte(body), &object); err != nil || code != 200 || object.Kind != "Trigger" {
			t.Errorf("%s: %d %v %s", kind, code, err, body)
		}
	}
	code, body, header := get(t, base+"/status/Trigger/default/none")
	if code != 404 || !strings.Contains(body, "trigger/default/none is not in the manifests") ||
		header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("unknown object: %d %s", code, body)
	}

	p.mu.Lock()
	p.failure = errors.New("starting")
	p.mu.Unlock()
	for _, path := range []string{"/status", "/status/trigger/default/orders"} {
		if code, body, _ := get(t, base+path); code != 503 || !strings.Contains(body, "starting") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "kurier_test_total", Help: "h"})
	registry.MustRegister(counter)
	counter.Inc()
	base := start(t, Config{Process: &process{}, Gatherer: registry})
	if code, body, _ := get(t, base+"/metrics"); code != 200 || !strings.Contains(body, "kurier_test_total 1") {
		t.Errorf("/metrics: %d %s", code, body)
	}
}

func TestPprofOnlyWhenAskedFor(t *testing.T) {
	without := start(t, Config{Process: &process{}})
	with := start(t, Config{Process: &process{}, Pprof: true})
	if code, _, _ := get(t, without+"/debug/pprof/"); code != 404 {
		t.Errorf("not asked for: %d", code)
	}
	if code, body, _ := get(t, with+"/debug/pprof/"); code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("asked for: %d", code)
	}
}

func TestOtherRequests(t *testing.T) {
	base := start(t, Config{Process: &process{}})
	code, body, header := do(t, http.MethodPost, base+"/default/orders")
	if code != 405 || header.Get("Allow") != "GET, HEAD" || !strings.Contains(body, "ingress port") {
		t.Errorf("POST: %d %s", code, body)
	}
	if code, body, _ := get(t, base+"/nothing"); code != 404 || !strings.Contains(body, "/nothing") {
		t.Errorf("unknown path: %d %s", code, body)
	}
	if code, body, _ := get(t, base+"/"); code != 200 || !strings.Contains(body, "/tail/") {
		t.Errorf("index: %d %s", code, body)
	}
	if code, body, _ := do(t, http.MethodHead, base+"/healthz"); code != 200 || body != "" {
		t.Errorf("HEAD: %d %s", code, body)
	}
}

func TestNewRefuses(t *testing.T) {
	for field, c := range map[string]Config{
		"Process":   {},
		"Heartbeat": {Process: &process{}, Heartbeat: -1},
		"Patience":  {Process: &process{}, Patience: -1},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	first, err := New(Config{Process: &process{}, Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = New(Config{Process: &process{}, Addr: first.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), first.Addr().String()) || !strings.Contains(err.Error(), "ADMIN_PORT") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestRunTellsThatTheListenerFailed(t *testing.T) {
	server, err := New(Config{Process: &process{}, Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

// following is a tail that shows what comes on events until it is ended, and
// closes ended then.
func following(events <-chan string, ended chan<- struct{}) func(context.Context, Ref, TailOptions, func(Event) error) error {
	return func(ctx context.Context, _ Ref, _ TailOptions, each func(Event) error) error {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case e := <-events:
				if err := each(Event{json.RawMessage(e)}); err != nil {
					return err
				}
			}
		}
	}
}

func TestTailStreamsAndNoticesThatTheClientHasGone(t *testing.T) {
	events, ended := make(chan string), make(chan struct{})
	p := &process{objects: []status.Object{orders("Broker")}, tail: following(events, ended)}
	base := start(t, Config{Process: p, Heartbeat: 5 * time.Millisecond})

	response, err := client.Get(base + "/tail/Broker/default/orders")
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(response.Body)
	next := func() string { // the next line that is no heartbeat
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		t.Fatalf("the tail ended: %v", lines.Err())
		return ""
	}
	for i := range 3 { // each comes while the tail goes on
		events <- fmt.Sprintf("{\n \"id\": %d\n}", i)
		if got, want := next(), fmt.Sprintf(`{"id":%d}`, i); got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	if !lines.Scan() || lines.Text() != "" {
		t.Errorf("no heartbeat but %q", lines.Text())
	}
	response.Body.Close()
	<-ended
}

func TestTailPassesOptionsOn(t *testing.T) {
	type call struct {
		ref     Ref
		options TailOptions
	}
	calls := make(chan call, 1)
	p := &process{objects: []status.Object{orders("Trigger"), orders("KafkaSink"), orders("InMemoryChannel")}}
	p.tail = func(_ context.Context, ref Ref, options TailOptions, _ func(Event) error) error {
		calls <- call{ref, options}
		return nil
	}
	base := start(t, Config{Process: p})
	tests := map[string]call{
		"/tail/Trigger/default/orders":                                {Ref{"trigger", "default", "orders"}, TailOptions{}},
		"/tail/sink/default/orders?from=oldest":                       {Ref{"kafkasink", "default", "orders"}, TailOptions{From: From{Oldest: true}}},
		"/tail/channel/default/orders?from=newest":                    {Ref{"inmemorychannel", "default", "orders"}, TailOptions{}},
		"/tail/trigger/default/orders?from=12&dead-letters=true":      {Ref{"trigger", "default", "orders"}, TailOptions{true, From{Last: 12}}},
		"/tail/trigger/default/orders?dead-letters=false&from=Oldest": {Ref{"trigger", "default", "orders"}, TailOptions{From: From{Oldest: true}}},
	}
	for path, want := range tests {
		if code, body, _ := get(t, base+path); code != 200 || body != "" {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if got := <-calls; got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

func TestTailRefuses(t *testing.T) {
	p := &process{objects: []status.Object{orders("Trigger"), orders("Service"), orders("Broker")}}
	p.tail = func(_ context.Context, ref Ref, _ TailOptions, _ func(Event) error) error {
		switch ref.Kind {
		case "service":
			return fmt.Errorf("%s: %w", ref, ErrNotTailable)
		case "broker":
			return fmt.Errorf("%s: %w", ref, ErrNotFound)
		}
		return errors.New("Kafka does not answer")
	}
	base := start(t, Config{Process: p})
	tests := []struct {
		path string
		code int
		says string
	}{
		{"/tail/trigger/default/orders?from=yesterday", 400, "oldest, newest"},
		{"/tail/trigger/default/orders?from=-1", 400, "oldest, newest"},
		{"/tail/trigger/default/orders?dead-letters=maybe", 400, "true, false"},
		{"/tail/trigger/default/orders?deadletters=true", 400, "deadletters"},
		{"/tail/trigger/default/none", 404, "trigger/default/none"},
		{"/tail/service/default/orders", 400, "no events pass"},
		{"/tail/broker/default/orders", 404, "no such object"},
		{"/tail/trigger/default/orders", 503, "Kafka does not answer"},
	}
	for _, test := range tests {
		code, body, _ := get(t, base+test.path)
		if code != test.code || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %s", test.path, code, body)
		}
	}
}

func TestTailThatFailsLaterSaysSoInTheTrailer(t *testing.T) {
	p := &process{objects: []status.Object{orders("Broker")}}
	p.tail = func(_ context.Context, _ Ref, _ TailOptions, each func(Event) error) error {
		if err := each(Event{json.RawMessage(`{}`)}); err != nil {
			return err
		}
		return errors.New("the topic was deleted")
	}
	base := start(t, Config{Process: p})
	response, err := client.Get(base + "/tail/broker/default/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "{}\n" || response.Trailer.Get(TrailerError) != "the topic was deleted" {
		t.Errorf("%q %v %v", body, err, response.Trailer)
	}
}

func TestTailRefusesWhatIsNoJSON(t *testing.T) {
	p := &process{objects: []status.Object{orders("Broker")}}
	p.tail = func(_ context.Context, _ Ref, _ TailOptions, each func(Event) error) error {
		return each(Event{json.RawMessage(`{`)})
	}
	base := start(t, Config{Process: p})
	if code, body, _ := get(t, base+"/tail/broker/default/orders"); code != 503 || !strings.Contains(body, "not valid JSON") {
		t.Errorf("%d %s", code, body)
	}
}

// A client that does not read fills its connection; the server must not wait
// for it for ever.
func TestTailCutsOffAClientThatDoesNotRead(t *testing.T) {
	ended := make(chan error, 1)
	big := json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)
	p := &process{objects: []status.Object{orders("Broker")}}
	p.tail = func(_ context.Context, _ Ref, _ TailOptions, each func(Event) error) error {
		for {
			if err := each(Event{big}); err != nil {
				ended <- err
				return err
			}
		}
	}
	base := start(t, Config{Process: p, Patience: 50 * time.Millisecond})
	response, err := client.Get(base + "/tail/broker/default/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}

func TestStopEndsTails(t *testing.T) {
	started, ended := make(chan string, 1), make(chan struct{})
	p := &process{objects: []status.Object{orders("Broker")}, tail: following(started, ended)}
	server, err := New(Config{Process: p, Addr: "127.0.0.1:0", Gatherer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	started <- `{}`
	response, err := client.Get("http://" + server.Addr().String() + "/tail/broker/default/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stop()
	<-ended
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	client.CloseIdleConnections()
}

func TestParseFrom(t *testing.T) {
	for text, want := range map[string]From{
		"": {}, "newest": {}, "oldest": {Oldest: true}, "OLDEST": {Oldest: true}, "0": {}, "25": {Last: 25},
	} {
		got, err := ParseFrom(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := ParseFrom(got.String()); err != nil || again != got {
			t.Errorf("%q does not come back: %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"-1", "x", "1.5", "newest "} {
		if _, err := ParseFrom(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestForeignRecord(t *testing.T) {
	e := ForeignRecord(Position{"orders", 3, 17}, "no ce_specversion", []byte{0xff, 1})
	want := `{"data_base64":"/wE=","datacontenttype":"application/octet-stream","id":"orders/3/17",` +
		`"knativekafkaoffset":"17","knativekafkapartition":"3","kurierreason":"no ce_specversion",` +
		`"source":"/kafka/orders","specversion":"1.0","type":"dev.kurier.record.foreign"}`
	if string(e.CloudEvent) != want {
		t.Errorf("%s\nwant %s", e.CloudEvent, want)
	}
	if e := ForeignRecord(Position{}, "x", nil); strings.Contains(string(e.CloudEvent), "data") {
		t.Errorf("data without a value: %s", e.CloudEvent)
	}
}
