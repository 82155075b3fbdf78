package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var ingressScenarios = []scenario{
	{"8.8 ingress", ingress},
	{"batch", batch},
	{"DP-48 headers", passThrough},
}

// ingress: the answers to requests of all kinds; nothing that is refused reaches anybody.
func ingress(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.channel("c", "")
	w.trigger("t", "b", sink.URL, consumer{})
	w.apply()
	const valid = `{"specversion":"1.0","id":"1234","source":"source","type":"type"}`
	const structured = "application/cloudevents+json"
	broker, channelHost := "/"+w.ns+"/b", "c-kn-channel."+w.ns+".svc.cluster.local"
	rows := []struct {
		method, host, path, contentType, body string
		header                                map[string]string
		want                                  int
	}{
		{method: "PUT", path: broker, want: 405}, {method: "GET", path: broker, want: 405}, {method: "HEAD", path: broker, want: 405},
		{method: "PATCH", path: broker, want: 405}, {method: "DELETE", path: broker, want: 405}, {method: "OPTIONS", path: broker, want: 200},
		{path: broker, contentType: structured, body: valid, want: 202},
		{path: broker + "/", contentType: structured, body: valid, want: 202},
		{path: broker + "?x=1", contentType: structured + "; charset=utf-8", body: valid, want: 202},
		{path: "/knative" + broker, contentType: structured, body: valid, want: 400},
		{path: "/a//b", contentType: structured, body: valid, want: 400},
		{path: "/" + w.ns + "/nobody", contentType: structured, body: valid, want: 404},
		{path: "/", contentType: structured, body: valid, want: 404},
		{path: "/channels/x", contentType: structured, body: valid, want: 400},
		{path: "/channels/" + w.ns + "/c", contentType: structured, body: valid, want: 202},
		{path: "/", host: channelHost, contentType: structured, body: valid, want: 202},
		{path: "/", host: strings.ToUpper(channelHost) + ":8080", contentType: structured, body: valid, want: 202},
		{path: "/something", host: channelHost, contentType: structured, body: valid, want: 400},
		{path: broker, contentType: structured, body: "not an event", want: 400},
		{path: broker, contentType: structured, body: `{"specversion":"1.0","id":"1","type":"t"}`, want: 400},
		{path: broker, contentType: structured, body: strings.Replace(valid, `"1.0"`, `"9000.1"`, 1), want: 400},
		{path: broker, contentType: "application/cloudevents+xml", body: "<x/>", want: 415},
		{path: broker, contentType: "application/json", body: "{}", want: 400},
		{path: broker, contentType: structured, body: valid, header: map[string]string{"Content-Encoding": "gzip"}, want: 415},
		{path: broker, contentType: structured, body: strings.Replace(valid, `"type"}`, `"type","knativebrokerttl":"1"}`, 1), want: 400},
		{path: broker, contentType: structured, body: strings.Replace(valid, `}`, `,"data":"`+strings.Repeat("x", 36864)+`"}`, 1), want: 202},
		{path: broker, contentType: structured, body: strings.Replace(valid, `}`, `,"data":"`+strings.Repeat("x", 2<<20)+`"}`, 1), want: 413},
	}
	accepted := 0
	for _, r := range rows {
		if r.method == "" {
			r.method = http.MethodPost
		}
		req, err := http.NewRequest(r.method, s.Ingress+r.path, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = r.host
		req.Header.Set("Content-Type", r.contentType)
		for name, value := range r.header {
			req.Header.Set(name, value)
		}
		checkAnswer(t, req, r.want)
		if r.want == http.StatusAccepted && strings.HasPrefix(r.path, broker) {
			accepted++
		}
	}
	sink.AwaitReceived(t, accepted)
	w.settled(w.ref("trigger", "t"))
	if got := len(sink.Requests()); got != accepted {
		t.Errorf("%d events were delivered, %d accepted", got, accepted)
	}
}

// checkAnswer sends a request and compares the status; an error must explain itself.
func checkAnswer(t *testing.T, req *http.Request, want int) {
	t.Helper()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL.Path, err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		t.Errorf("%s %s (Host %q, %s): status %d, want %d: %s %v", req.Method, req.URL.Path, req.Host,
			req.Header.Get("Content-Type"), resp.StatusCode, want, body, err)
		return
	}
	if got := resp.Header.Get("Allow"); got != "POST, OPTIONS" {
		t.Errorf("%s %s: Allow is %q", req.Method, req.URL.Path, got)
	}
	if want < 400 || req.Method == http.MethodHead {
		return
	}
	var problem struct {
		Status int
		Detail string
	}
	if err := json.Unmarshal(body, &problem); err != nil || problem.Status != want || problem.Detail == "" ||
		resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s: an error without explanation: %s %s", req.Method, req.URL.Path, resp.Header.Get("Content-Type"), body)
	}
}

// batch: all or nothing.
func batch(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sink.URL, consumer{})
	w.apply()
	const a, b, bad = `{"specversion":"1.0","id":"a","source":"s","type":"t"}`, `{"specversion":"1.0","id":"b","source":"s","type":"t"}`, `{"id":"c"}`
	for body, want := range map[string]int{
		"[" + a + "," + b + "]": 202, "[]": 202, "[" + a + "," + bad + "]": 400, a: 400,
	} {
		req, err := http.NewRequest(http.MethodPost, s.Broker(w.ns, "b"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/cloudevents-batch+json")
		checkAnswer(t, req, want)
	}
	sink.AwaitReceived(t, 2)
	w.settled(w.ref("trigger", "t"))
	if missing, repeats := harness.Missing([]string{"a", "b"}, sink.IDs()); len(missing)+repeats > 0 {
		t.Errorf("got %v, want a and b once", sink.IDs())
	}
}

// passThrough: which of the producer's headers the subscriber sees.
func passThrough(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	w.channel("c", "")
	w.subscription("s", "c", sink.URL, consumer{})
	w.apply()
	e := harness.MinEvent("x")
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	e.Header = http.Header{"X-Request-Id": {"1234"}, "Knative-Will-Pass": {"true", "always"}, "X-B3-Foo": {"b3"},
		"Traceparent": {trace}, "Not": {"x"}, "Authorization": {"secret"}, "Prefer": {"reply"}}
	e.Extensions = map[string]string{"subject": "%E2%82%AC 100%"}
	w.sendTo("c", e)
	got := sink.AwaitReceived(t, 1)[0].Header
	for name, want := range map[string]string{
		"X-Request-Id": "1234", "Knative-Will-Pass": "true,always", "X-B3-Foo": "b3", "Traceparent": trace, "Not": "",
		"Authorization": "", "Prefer": "reply", "Ce-Subject": "%E2%82%AC%20100%25",
	} {
		if value := strings.Join(got.Values(name), ","); value != want {
			t.Errorf("header %s is %q, want %q", name, value, want)
		}
	}
}
