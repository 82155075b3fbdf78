package conformance

import (
	"fmt"

	"kurier.dev/kurier/test/harness"
)

// ping expects the event of a PingSource.
func ping(contentType, data string) facts {
	return expect("received=yes", "type=dev.knative.sources.ping", "source=/apis/v1/namespaces/$ns/pingsources/$name",
		"Kn-Namespace=yes", "datacontenttype="+contentType, "data="+data, "ids differ=yes")
}

var pingParts = []part{{
	name: "8.10 PingSource", onKafka: true,
	cases: []testCase{
		{"CT-P1", ping("application/json", `{"to":"ref"}`)},
		{"CT-P2", ping("application/json", `{"to":"uri"}`)},
		{"CT-P3", ping("text/plain", "hello, world!")},
		{"CT-P5", ping("application/json", `{"to":"broker"}`)},
	},
	observe: pings,
}, {
	name: "8.10 PingSource, schedule with seconds",
	cases: []testCase{
		{"CT-P4", expect("received=1", "second=10 or soon after", "type=dev.knative.sources.ping")},
	},
	observe: pingWithSeconds,
}}

func (w *world) pingSource(name, spec string) {
	w.add("sources.knative.dev/v1", "PingSource", name, spec, "")
}

// pings: each source fires each second; they are taken away when each has been seen twice.
func pings(w *world) observed {
	type source struct {
		id, name string
		sub      *harness.Subscriber
	}
	sources := []source{{"CT-P1", "to-ref", w.subscriber(nil)}, {"CT-P2", "to-uri", w.subscriber(nil)},
		{"CT-P3", "base64", w.subscriber(nil)}, {"CT-P5", "to-broker", w.subscriber(nil)}}
	const everySecond = `schedule: "* * * * * *"`
	w.channel("c", "")
	w.subscription("s", "c", sources[0].sub.URL, consumer{})
	w.broker("b", 1, "")
	w.trigger("t", "b", sources[3].sub.URL, consumer{})
	w.apply()
	w.pingSource("to-ref", "{"+everySecond+`, contentType: application/json, data: '{"to":"ref"}', `+
		"sink: {ref: {apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, name: c}}}")
	w.pingSource("to-uri", "{"+everySecond+`, contentType: application/json, data: '{"to":"uri"}', sink: `+uri(sources[1].sub.URL)+"}")
	w.pingSource("base64", "{"+everySecond+`, contentType: text/plain, dataBase64: "aGVsbG8sIHdvcmxkIQ==", sink: `+uri(sources[2].sub.URL)+"}")
	w.pingSource("to-broker", "{"+everySecond+`, contentType: application/json, data: '{"to":"broker"}', `+
		"sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}}")
	w.write()
	got := observed{}
	for _, s := range sources {
		requests := s.sub.AwaitReceived(w.t, 2)
		f, r := got.of(s.id), &requests[0]
		f.set("received", "yes")
		f.set("type", r.Attribute("type"))
		f.set("source", is(r.Attribute("source"), fmt.Sprintf("/apis/v1/namespaces/%s/pingsources/%s", w.ns, s.name), "/apis/v1/namespaces/$ns/pingsources/$name"))
		f.set("Kn-Namespace", all(requests, func(r *harness.Request) bool { return r.Header.Get("Kn-Namespace") == w.ns }))
		f.set("datacontenttype", r.Attribute("datacontenttype"))
		f.set("data", string(r.Body))
		f.set("ids differ", yes(requests[0].ID() != requests[1].ID()))
	}
	return got
}

// pingWithSeconds: six fields, the first of which are seconds, with a question mark.
func pingWithSeconds(w *world) observed {
	sub := w.subscriber(nil)
	w.pingSource("p", `{schedule: "10 0/1 * * * ?", sink: `+uri(sub.URL)+"}")
	w.write()
	r := sub.AwaitReceived(w.t, 1)[0]
	f := facts{}
	f.set("received", len(sub.Requests()))
	f.set("type", r.Attribute("type"))
	second := r.Begin.Second() // up to half a second of jitter, and the way
	f.set("second", is(fmt.Sprint(second >= 10 && second < 20), "true", "10 or soon after"))
	return observed{"CT-P4": f}
}
