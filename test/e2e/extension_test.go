package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var extensionScenarios = []scenario{
	{"CT-B26 to CT-K8 error extensions", errorExtensions},
	{"CT-B32 unsupported scheme", unsupportedScheme},
	{"CT-T6 format", formats},
	{"versions are kept", versionsKept},
}

const htmlPage = "<!doctype html>\n<html>\n<head>\n    <title>Error Page(tm)</title>\n</head>\n<body>\n<p>Quoth the server, 404!\n</body></html>"

// errorExtensions: what the dead letter tells about the failure.
func errorExtensions(t *testing.T, s *harness.System) {
	const catastrophe = `{ "message": "catastrophic failure" }`
	kne := func(*harness.Request) harness.Answer {
		return harness.Answer{Status: 422, Body: catastrophe, Header: http.Header{
			"Kne-Test": {"foo"}, "Kne-Foo-Bar": {"x"}, "Kne-Id": {"x"}}}
	}
	rows := []struct {
		name             string
		answer           harness.Behaviour // nil: no such host
		code, data, test string
	}{
		{"CT-B26", nil, "", "", ""},
		{"CT-B27", harness.RejectAll(422, ""), "422", "", ""},
		{"CT-B28", harness.RejectAll(422, catastrophe), "422", catastrophe, ""},
		{"CT-C14c", harness.RejectAll(422, htmlPage), "422", htmlPage, ""},
		{"CT-K6", harness.RejectAll(422, strings.Repeat("X", 1024)+"YYYYYYY"), "422", strings.Repeat("X", 1024), ""},
		{"CT-K7", harness.RejectAll(404, htmlPage), "404", htmlPage, ""},
		{"CT-K8", kne, "422", catastrophe, "foo"},
	}
	w := newWorld(t, s)
	w.broker("b", 1, "{retry: 0}")
	urls, sinks := map[string]string{}, map[string]*harness.Subscriber{}
	for _, r := range rows {
		urls[r.name], sinks[r.name] = "http://fake.svc.cluster.local", harness.NewSubscriber(t, nil)
		if r.answer != nil {
			urls[r.name] = harness.NewSubscriber(t, r.answer).URL
		}
		w.trigger(strings.ToLower(r.name), "b", urls[r.name], consumer{
			delivery: fmt.Sprintf("{deadLetterSink: {uri: %q}}", sinks[r.name].URL)})
	}
	w.apply()
	w.send("b", harness.Event{ID: "e", Extensions: map[string]string{"knativeerrorcode": "7", "own": "kept"}})
	for _, r := range rows {
		dead := sinks[r.name].AwaitReceived(t, 1)
		w.settled(w.ref("trigger", strings.ToLower(r.name)))
		if n := len(sinks[r.name].Requests()); n != 1 {
			t.Errorf("%s: %d dead letters, want 1", r.name, n)
		}
		want := map[string]string{
			"knativeerrordest": urls[r.name], "knativeerrorcode": r.code, "test": r.test, "own": "kept", "id": "e",
			"knativeerrordata": base64.StdEncoding.EncodeToString([]byte(r.data)), "foo-bar": "",
		}
		for name, value := range want {
			if got := dead[0].Attribute(name); got != value {
				t.Errorf("%s: %s is %q, want %q", r.name, name, got, value)
			}
		}
		if reason := dead[0].Attribute("kurierreason"); (reason != "") != (r.code == "") {
			t.Errorf("%s: kurierreason is %q with code %q", r.name, reason, r.code)
		}
	}
}

// unsupportedScheme: events for bad://uri go to the Trigger's sink, or else the Broker's,
// and a good Trigger beside it has them all.
func unsupportedScheme(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	brokerSink, triggerSink, good := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, fmt.Sprintf("{deadLetterSink: {uri: %q}}", brokerSink.URL))
	w.trigger("inherits", "b", "bad://uri", consumer{})
	w.trigger("own", "b", "bad://uri", consumer{delivery: fmt.Sprintf("{deadLetterSink: {uri: %q}}", triggerSink.URL)})
	w.trigger("good", "b", good.URL, consumer{})
	w.apply()
	w.send("b", harness.Numbered("e", 3)...)
	for name, sub := range map[string]*harness.Subscriber{"Broker's sink": brokerSink, "Trigger's sink": triggerSink, "good subscriber": good} {
		got := sub.AwaitReceived(t, 3)
		if missing, repeats := harness.Missing([]string{"e-1", "e-2", "e-3"}, sub.IDs()); len(missing)+repeats > 0 {
			t.Errorf("the %s misses %v, %d repeats", name, missing, repeats)
		}
		if name != "good subscriber" && got[0].Attribute("kurierreason") != "unsupported-scheme" {
			t.Errorf("the %s got kurierreason %q", name, got[0].Attribute("kurierreason"))
		}
	}
}

// formats: json makes one envelope, binary leaves the data alone.
func formats(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	structured, binary := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "{}")
	w.trigger("structured", "b", structured.URL, consumer{delivery: "{format: json}"})
	w.trigger("binary", "b", binary.URL, consumer{delivery: "{format: binary}"})
	w.apply()
	w.send("b", harness.FullEvent())
	if r := structured.AwaitReceived(t, 1)[0]; !r.Structured() || r.Attribute("data") != "hello" || r.Attribute("exint") == "" {
		t.Errorf("format json came as %v %s", r.Header, r.Body)
	}
	checkFullEvent(t, w.ns, binary.AwaitReceived(t, 1)[0])
}

// versionsKept: an event of CloudEvents 0.3 stays one.
func versionsKept(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	w.channel("c", "")
	w.subscription("s", "c", sink.URL, consumer{})
	w.apply()
	for _, version := range []string{"0.3", "1.0"} {
		e := harness.MinEvent("x")
		e.ID, e.SpecVersion = "v"+version, version
		w.sendTo("c", e)
	}
	for _, r := range sink.AwaitReceived(t, 2) {
		if got := r.Attribute("specversion"); "v"+got != r.ID() {
			t.Errorf("event %s came as version %s", r.ID(), got)
		}
	}
}
