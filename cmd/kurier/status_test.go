package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"kurier.dev/kurier/internal/status"
)

// ready returns an object of which all is True but what differs.
func ready(kind, name string, differing ...status.Condition) status.Object {
	o := status.Object{Kind: kind, Metadata: status.Metadata{Name: name, Namespace: "default"}}
	for _, conditionType := range status.Set(kind) {
		o.SetCondition(status.Condition{Type: conditionType, Status: status.True, LastTransitionTime: noon.Add(-time.Hour)})
	}
	for _, c := range differing {
		c.LastTransitionTime = noon.Add(-30 * time.Second)
		o.SetCondition(c)
	}
	o.Complete()
	return o
}

// failing is a Trigger whose subscriber and dead letter sink fail.
func failing() status.Object {
	lag, success := int64(12), noon.Add(-10*time.Minute)
	o := ready("Trigger", "billing",
		status.Condition{Type: status.TypeSubscriberHealthy, Status: status.False, Reason: "SubscriberFailing", Message: "answers 503 since 10 min"},
		status.Condition{
			Type: status.TypeDeadLetterSinkHealthy, Status: status.False, Reason: "DeadLetterSinkFailing",
			Message: "http://dead answers 404",
		})
	o.Status.SubscriberURI = "http://billing:8080/events"
	o.Status.DeadLetterSinkURI = "http://dead"
	o.Status.Annotations = map[string]string{"group.id": "knative-trigger-default-billing"}
	o.EffectiveDelivery = &status.EffectiveDelivery{
		Retry: 2, Timeout: "PT10M", BackoffPolicy: "exponential", BackoffDelay: "PT0.5S", BackoffMax: "PT10M",
		DeadLetterSink: "http://dead", Order: "ordered", Concurrency: 100,
	}
	o.Status.Delivery = &status.Delivery{
		Lag: &lag, Instance: "dispatcher-1", InFlight: 1, Waiting: 3, Held: 2, OldestUnsettledSeconds: 600, LastSuccess: &success,
		LastFailure: &status.Failure{
			Time: noon.Add(-3 * time.Second), EventID: "e1", EventSource: "/shop", Topic: "knative-broker-default-orders",
			Partition: 4, Offset: 17, Attempt: 3, URL: "http://billing:8080/events", Code: 503, Reason: "Service Unavailable",
			Body: "out of\n\x1b[31mcoffee",
		},
	}
	return o
}

// fleet is one object of every sort.
func fleet() []status.Object {
	broker := ready("Broker", "orders")
	broker.Status.Address = &status.Address{URL: "http://localhost:8080/default/orders"}

	lost := ready("Trigger", "lost", status.Condition{
		Type: "BrokerReady", Status: status.False, Reason: "BrokerDoesNotExist", Message: `Broker "x" does not exist`,
	})
	far, lag := ready("Subscription", "far"), int64(40)
	far.Status.PhysicalSubscription = &status.PhysicalSubscription{SubscriberURI: "http://far", ReplyURI: "http://reply"}
	far.Status.Delivery = &status.Delivery{Lag: &lag}

	idle := ready("Trigger", "timeouts")
	idle.Status.SubscriberURI = "http://slow"
	none, age := int64(0), noon.Add(-50*time.Hour)
	success := noon.Add(-time.Minute)
	idle.Status.Delivery = &status.Delivery{
		Lag: &none, Instance: "dispatcher-1", LastSuccess: &success, LastFailure: &status.Failure{Time: age, Reason: "timeout", URL: "http://slow"},
	}
	ping, tick := ready("PingSource", "ping"), noon.Add(-90*time.Second)
	ping.Status.Firing = &status.Firing{Instance: "dispatcher-1", State: "Connecting", LastTick: &tick, LastError: "connection refused"}
	return []status.Object{broker, failing(), lost, far, idle, ping, ready("KafkaSink", "new", status.Condition{Type: "TopicReady", Status: status.Unknown})}
}

func fixed(objects ...status.Object) func() []status.Object {
	return func() []status.Object { return objects }
}

func TestStatusTable(t *testing.T) {
	got := admined(t, &process{objects: fleet}).run(t, "status")
	if got.code != 1 || got.err != "" {
		t.Errorf("%d %s", got.code, got.err)
	}
	golden(t, "status-table.txt", got.out)

	got = admined(t, &process{objects: fixed(ready("Broker", "orders"))}).run(t, "status")
	if got.code != 0 || !strings.Contains(got.out, "Broker  default/orders  True") {
		t.Errorf("all ready: %+v", got)
	}
	got = admined(t, &process{objects: fixed()}).run(t, "status")
	if got.code != 0 || !strings.Contains(got.out, "no objects") {
		t.Errorf("no objects: %+v", got)
	}
}

func TestStatusOfOne(t *testing.T) {
	f := admined(t, &process{objects: fleet})
	for _, o := range fleet() {
		got := f.run(t, "status", o.Ref())
		want := 1
		if o.Ready() {
			want = 0
		}
		if got.code != want || got.err != "" {
			t.Errorf("%s: %d %s", o.Ref(), got.code, got.err)
		}
		golden(t, "status-"+o.Metadata.Name+".txt", got.out)
	}
	got := f.run(t, "status", "trigger/default/none")
	if got.code != 1 || !strings.Contains(got.err, "trigger/default/none is not in the manifests") || got.out != "" {
		t.Errorf("none: %+v", got)
	}
}

func TestStatusForScripts(t *testing.T) {
	f := admined(t, &process{objects: fixed(failing())})
	var list status.List
	if got := f.run(t, "status", "-o", "json"); json.Unmarshal([]byte(got.out), &list) != nil ||
		len(list.Items) != 1 || *list.Items[0].Status.Delivery.Lag != 12 {
		t.Errorf("json: %+v", got)
	}
	var object status.Object
	if got := f.run(t, "status", "trigger/billing", "-o", "json"); json.Unmarshal([]byte(got.out), &object) != nil ||
		object.Status.Delivery.LastFailure.Code != 503 {
		t.Errorf("json of one: %+v", got)
	}
	object = status.Object{}
	if got := f.run(t, "status", "trigger/billing", "-o", "yaml"); yaml.Unmarshal([]byte(got.out), &object) != nil ||
		object.Status.Delivery.LastFailure.Partition != 4 || !strings.Contains(got.out, "oldestUnsettledSeconds: 600") {
		t.Errorf("yaml of one: %+v", got)
	}
}

func TestStatusUnreachable(t *testing.T) {
	got := newFixture().run(t, "status")
	if got.code != 1 || !strings.Contains(got.err, "no Kurier answers at http://127.0.0.1:1") {
		t.Errorf("%+v", got)
	}
}

// TestStatusWaits: the server is not there, then has read nothing yet, then is
// not ready, then the object is missing, then unready, then all is well.
func TestStatusWaits(t *testing.T) {
	var asked atomic.Int64
	stage := func() int64 { return asked.Load() }
	inner := &process{
		objects: func() []status.Object {
			switch {
			case stage() < 4:
				return nil
			case stage() < 5:
				return []status.Object{ready("Trigger", "orders", status.Condition{Type: "BrokerReady", Status: status.False})}
			}
			return []status.Object{ready("Trigger", "orders")}
		},
		reasons: func() []string {
			if stage() < 6 {
				return []string{"not pinned yet"}
			}
			return nil
		},
	}
	f := admined(t, inner)
	target := f.config.AdminURL
	f.config.AdminURL = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/status") {
			asked.Add(1)
		}
		if stage() < 2 {
			panic(http.ErrAbortHandler)
		}
		proxied, err := http.NewRequestWithContext(r.Context(), http.MethodGet, target+r.URL.Path, http.NoBody)
		if err != nil {
			panic(err)
		}
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(proxied)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
		if _, err := io.Copy(w, response.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	got := f.run(t, "status", "trigger/orders", "--wait", "-o", "json")
	if got.code != 0 || !strings.Contains(got.out, `"status": "True"`) {
		t.Errorf("%+v", got)
	}
	if asked.Load() < 6 {
		t.Errorf("asked only %d times", asked.Load())
	}
}

func TestStatusWaitsInVain(t *testing.T) {
	there := func(t *testing.T) *fixture { return admined(t, &process{objects: fleet}) }
	tests := map[string]struct {
		fixture   func(t *testing.T) *fixture
		object    string
		says, out string
	}{
		"unready objects": {there, "", "not ready in time: kafkasink/default/new, trigger/default/lost", "BrokerDoesNotExist"},
		"no such object":  {there, "broker/none", "broker/default/none is not in the manifests", ""},
		"no server":       {func(*testing.T) *fixture { return newFixture() }, "", "no Kurier answers", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments := append([]string{"status", "--wait", "--timeout", "PT1S"}, strings.Fields(test.object)...)
			got := test.fixture(t).run(t, arguments...)
			if got.code != 1 || !strings.Contains(got.err, test.says) || !strings.Contains(got.out, test.out) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestStatusIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := newFixture().runUntil(ctx, "status", "--wait"); got.code != 1 || got.err != "" {
		t.Errorf("%+v", got)
	}
}

func TestAgo(t *testing.T) {
	for age, want := range map[time.Duration]string{
		-time.Second: "0 s ago", 0: "0 s ago", 59 * time.Second: "59 s ago", time.Minute: "1 min ago",
		59 * time.Minute: "59 min ago", time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago",
	} {
		if got := ago(noon, noon.Add(-age)); got != want {
			t.Errorf("%v: %q, want %q", age, got, want)
		}
	}
}
