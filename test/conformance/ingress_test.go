package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"kurier.dev/kurier/test/harness"
)

// attempt is one HTTP request of the ingress tables. In path, host and body $ns stands for
// the namespace and $id for an id of its own.
type attempt struct {
	id           string
	method, path string // default POST /$ns/name
	host         string
	header       []string // names and values; default: structured
	body         string   // default: the valid event
	status       int
	delivered    int // how many events with this id reach a subscriber
	more         []string
}

const (
	validEvent  = `{"specversion":"1.0","id":"$id","source":"source","type":"type"}`
	channelHost = "test-channel-kn-channel.$ns.svc.cluster.local"
	structured  = "application/cloudevents+json"
	batched     = "application/cloudevents-batch+json"
)

// binary are the headers of an event in binary mode, and more.
func binary(more ...string) []string {
	return append([]string{"Ce-Specversion", "1.0", "Ce-Id", "$id", "Ce-Type", "type", "Ce-Source", "source"}, more...)
}

func contentType(value string) []string { return []string{"Content-Type", value} }

// without is the valid event without an attribute.
func without(name string) string {
	var e map[string]string
	if err := json.Unmarshal([]byte(validEvent), &e); err != nil {
		panic(err)
	}
	delete(e, name)
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func version(v string) string { return strings.Replace(validEvent, "1.0", v, 1) }

const granted = "*"

var attempts = []attempt{
	{id: "PATCH", method: "PATCH", status: 405},
	{id: "PUT", method: "PUT", status: 405},
	{id: "DELETE", method: "DELETE", status: 405},
	{id: "GET", method: "GET", status: 405},
	{id: "HEAD", method: "HEAD", status: 405},
	{id: "OPTIONS", method: "OPTIONS", status: 200, more: []string{"WebHook-Allowed-Origin=" + granted, "WebHook-Allowed-Rate=*"}},
	{id: "OPTIONS with an origin", method: "OPTIONS", header: []string{"WebHook-Request-Origin", "events.example.com"}, status: 200,
		more: []string{"WebHook-Allowed-Origin=events.example.com", "WebHook-Allowed-Rate=*"}},
	{id: "POST", status: 202, delivered: 1},
	{id: "POST with a trailing slash", path: "/$ns/name/", status: 202, delivered: 1},
	{id: "event without source", body: without("source"), status: 400},
	{id: "knativebrokerttl 1", body: strings.Replace(validEvent, "}", `,"knativebrokerttl":1}`, 1), status: 400},
	{id: "three segments", path: "/knative/$ns/name", status: 400},
	{id: "not an event", body: "not an event", status: 400},
	{id: "Broker without usable topic", path: "/$ns/no-topic", status: 503, more: []string{"Retry-After=yes"}},
	{id: "POST to the root", path: "/", status: 404},
	{id: "channel host", path: "/", host: channelHost, status: 202, delivered: 1},
	{id: "channel host with a path", path: "/something", host: channelHost, status: 400},
	{id: "one segment", path: "/something", status: 400},
	{id: "GET on a channel host", method: "GET", path: "/", host: channelHost, status: 405},
	{id: "OPTIONS on a channel host", method: "OPTIONS", path: "/", host: channelHost, status: 200,
		more: []string{"WebHook-Allowed-Origin=" + granted, "WebHook-Allowed-Rate=*"}},
	{id: "host without a dot", path: "/", host: "no-dot", status: 404},
	{id: "unknown channel", path: "/channels/$ns/other", status: 404},
	{id: "unknown host", path: "/", host: "other-kn-channel.$ns.svc.cluster.local", status: 404},
	{id: "unknown Broker", path: "/$ns/other", status: 404},
	{id: "unknown KafkaSink", path: "/sinks/$ns/other", status: 404},
	{id: "channel by path", path: "/channels/$ns/test-channel", status: 202, delivered: 1},
	{id: "application/json body", header: contentType("application/json"), body: "{}", status: 400},
	{id: "host without -kn-channel", path: "/", host: "test-channel.$ns.svc.cluster.local", status: 404},

	{id: "query string", path: "/$ns/name?x=1", status: 202, delivered: 1},
	{id: "channel host with a port", path: "/", host: channelHost + ":8080", status: 202, delivered: 1},
	{id: "channel host in upper case", path: "/", host: "TEST-CHANNEL-KN-CHANNEL.$ns.SVC.CLUSTER.LOCAL", status: 202, delivered: 1},
	{id: "channel host to .svc only", path: "/", host: "test-channel-kn-channel.$ns.svc", status: 202, delivered: 1},
	{id: "empty segment", path: "/a//b", status: 400},
	{id: "channels with one segment", path: "/channels/x", status: 400},
	{id: "sinks with one segment", path: "/sinks/x", status: 400},
	{id: "KafkaSink", path: "/sinks/$ns/s", status: 202, delivered: 1},
	{id: "cloudevents+xml", header: contentType("application/cloudevents+xml"), status: 415},
	{id: "cloudevents+xml with ce-specversion", header: binary("Content-Type", "application/cloudevents+xml"), status: 415},
	{id: "Content-Encoding gzip", header: append(contentType(structured), "Content-Encoding", "gzip"), status: 415},
	{id: "specversion 9000.1", body: version("9000.1"), status: 400},
	{id: "specversion 19.0", body: version("19.0"), status: 400},
	{id: "specversion 10.0", body: version("10.0"), status: 400},
	{id: "event without id", body: without("id"), status: 400},
	{id: "event without type", body: without("type"), status: 400},
	{id: "event without specversion", body: without("specversion"), status: 400},
	{id: "empty ce-subject", header: binary("Ce-Subject", ""), status: 400},
	{id: "1.0 structured", status: 202, delivered: 1},
	{id: "0.3 structured", body: version("0.3"), status: 202, delivered: 1},
	{id: "1.0 binary", header: binary(), body: " ", status: 202, delivered: 1},
	{id: "0.3 binary", header: []string{"Ce-Specversion", "0.3", "Ce-Id", "$id", "Ce-Type", "type", "Ce-Source", "source"}, body: " ", status: 202, delivered: 1},
	{id: "thrift data", header: binary("Content-Type", "application/vnd.apache.thrift.binary"), body: "\x00\x01\xff", status: 202, delivered: 1},
	{id: "xml data", header: binary("Content-Type", "application/xml"), body: "<a/>", status: 202, delivered: 1},
	{id: "json data", header: binary("Content-Type", "application/json"), body: "{}", status: 202, delivered: 1},
	{id: "36864 bytes of data", header: binary(), body: strings.Repeat("x", 36864), status: 202, delivered: 1},
	{id: "body over the limit", header: binary(), body: strings.Repeat("x", 1<<20), status: 413},
	{id: "record too large for the topic", path: "/$ns/small", header: binary(), body: strings.Repeat("x", 20000), status: 413},
	{id: "batch of three", header: contentType(batched), body: "[" + validEvent + "," + validEvent + "," + validEvent + "]", status: 202, delivered: 3},
	{id: "batch with an invalid event", header: contentType(batched), body: "[" + validEvent + "," + without("id") + "]", status: 400},
	{id: "empty batch", header: contentType(batched), body: "[]", status: 202},
	{id: "Upgrade", header: append(contentType(structured), "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "Http2-Settings", "AAMAAABkAAQAAP__"),
		status: 202, delivered: 1},
	{id: "structured with charset", header: contentType(structured + "; charset=utf-8"), status: 202, delivered: 1},
}

var ingressParts = []part{{name: "8.8 ingress", onKafka: true, cases: ingressExpectations(), observe: ingress}}

func ingressExpectations() []testCase {
	var cases []testCase
	for _, a := range attempts {
		want := expect(append([]string{fmt.Sprint("status=", a.status), fmt.Sprint("delivered=", a.delivered), "Allow=POST, OPTIONS"}, a.more...)...)
		if a.status >= 400 && a.method != "HEAD" {
			want["explained"] = "yes"
		}
		cases = append(cases, testCase{"8.8/" + a.id, want})
	}
	return cases
}

// ingress sends every request and counts what comes of it.
func ingress(w *world) observed {
	sink := w.subscriber(nil)
	w.broker("name", 1, "")
	w.trigger("name", "name", sink.URL, consumer{})
	w.channel("test-channel", "")
	w.subscription("test-channel", "test-channel", sink.URL, consumer{})
	w.broker("small", 1, "", `default.topic.config.max.message.bytes: "16384"`)
	w.trigger("small", "small", sink.URL, consumer{})
	w.add("eventing.knative.dev/v1alpha1", "KafkaSink", "s", fmt.Sprintf(
		"{topic: %s-sink, numPartitions: 1, replicationFactor: 1, bootstrapServers: [%s]}", w.ns, w.bootstrap()), "")
	w.apply()
	// A Broker on the sink's topic, once that exists, shows what is in it.
	w.add("eventing.knative.dev/v1", "Broker", "sink", "{}", "kafka.eventing.knative.dev/external.topic: "+w.ns+"-sink")
	w.trigger("sink", "sink", sink.URL, consumer{})
	w.apply()
	w.document("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: no-topic, namespace: %s, annotations: "+
		"{kafka.eventing.knative.dev/external.topic: %s-missing}}\nspec: {}", w.ns, w.ns)
	w.write()
	w.await("the Broker without a topic is known", func(objects map[string]*harness.Object) error {
		if o := objects[w.ref("broker", "no-topic")]; o == nil || o.Condition("TopicReady").Status != "False" {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	got := observed{}
	for n, a := range attempts {
		w.attempt(got.of("8.8/"+a.id), a, n)
	}
	w.settle()
	for n, a := range attempts {
		got.of("8.8/"+a.id).set("delivered", len(withID(sink.Requests(), rowID(n))))
	}
	return got
}

func rowID(n int) string { return fmt.Sprint("row-", n) }

// bootstrap is the Kafka of this target as a list in YAML; kurier dev maps any to its own.
func (w *world) bootstrap() string {
	if servers := w.s.Env()["KAFKA_BOOTSTRAP_SERVERS"]; servers != "" {
		return `"` + strings.ReplaceAll(servers, ",", `", "`) + `"`
	}
	return `"kafka:9092"`
}

// attempt sends one request and notes the answer.
func (w *world) attempt(f facts, a attempt, n int) {
	w.t.Helper()
	fill := strings.NewReplacer("$ns", w.ns, "$id", rowID(n)).Replace
	if a.method == "" {
		a.method = http.MethodPost
	}
	if a.path == "" {
		a.path = "/$ns/name"
	}
	if a.header == nil {
		a.header = contentType(structured)
	}
	if a.body == "" {
		a.body = validEvent
	}
	req, err := http.NewRequest(a.method, w.s.Ingress+fill(a.path), strings.NewReader(fill(a.body)))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Host = fill(a.host)
	for i := 0; i < len(a.header); i += 2 {
		req.Header[a.header[i]] = append(req.Header[a.header[i]], fill(a.header[i+1]))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		f.set("status", err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Errorf("%s: %v", a.id, err)
	}
	f.set("status", resp.StatusCode)
	f.set("Allow", resp.Header.Get("Allow"))
	if resp.StatusCode >= 400 && a.method != http.MethodHead {
		f.set("explained", explained(resp, body))
	}
	for _, name := range []string{"WebHook-Allowed-Origin", "WebHook-Allowed-Rate"} {
		if value := resp.Header.Get(name); value != "" {
			f.set(name, value)
		}
	}
	if value := resp.Header.Get("Retry-After"); value != "" {
		f.set("Retry-After", yes(value >= "1" && value <= "9"))
	}
	if resp.StatusCode < 400 && len(body) > 0 {
		f.set("body", body)
	}
}

// explained tells whether an error says what is wrong, in the form of RFC 9457.
func explained(resp *http.Response, body []byte) string {
	var problem struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal(body, &problem); err != nil {
		return err.Error()
	}
	return yes(resp.Header.Get("Content-Type") == "application/problem+json" && problem.Status == resp.StatusCode &&
		problem.Type == "about:blank" && problem.Title == http.StatusText(resp.StatusCode) && problem.Detail != "")
}
