package conformance

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"kurier.dev/kurier/test/harness"
)

const (
	htmlPage    = "<!doctype html>\n<html>\n<head>\n    <title>Error Page(tm)</title>\n</head>\n<body>\n<p>Quoth the server, 404!\n</body></html>"
	catastrophe = `{ "message": "catastrophic failure" }`
	noSuchHost  = "http://fake.svc.cluster.local"
)

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// letter expects one dead letter with these error extensions besides knativeerrordest.
func letter(pairs ...string) facts {
	f := expect(append([]string{"dead=1", "knativeerrordest=the address"}, pairs...)...)
	return f
}

var extensionParts = []part{{
	name: "dead letter extensions", onKafka: true,
	cases: []testCase{
		{"CT-B26", letter("kurierreason=connection")},
		{"CT-C14a", letter("kurierreason=connection")},
		{"CT-B27", letter("knativeerrorcode=422")},
		{"CT-C14b", letter("knativeerrorcode=422")},
		{"CT-B28", letter("knativeerrorcode=422", "knativeerrordata=eyAibWVzc2FnZSI6ICJjYXRhc3Ryb3BoaWMgZmFpbHVyZSIgfQ==")},
		{"CT-K5", letter("knativeerrorcode=422", "knativeerrordata=eyAibWVzc2FnZSI6ICJjYXRhc3Ryb3BoaWMgZmFpbHVyZSIgfQ==")},
		{"CT-C14c", letter("knativeerrorcode=422", "knativeerrordata="+base64Of(htmlPage))},
		{"CT-K6", letter("knativeerrorcode=422", "knativeerrordata="+base64Of(strings.Repeat("X", 1024)))},
		{"CT-K7", letter("knativeerrorcode=404", "knativeerrordata="+base64Of(htmlPage))},
		{"CT-K8", letter("knativeerrorcode=422", "knativeerrordata="+base64Of(catastrophe), "test=foo")},
		{"8.6/names that cannot be extensions", letter("knativeerrorcode=422", "id=e", "ignored=2", "next event=1")},
		{"8.6/stale errors are overwritten", letter("knativeerrorcode=422")},
		{"8.6/version 0.3 is kept", letter("knativeerrorcode=422", "specversion=0.3")},
		{"8.6/2000-byte body", letter("knativeerrorcode=422", "knativeerrordata="+base64Of(strings.Repeat("y", 1024)))},
		{"8.6/timeout", letter("kurierreason=timeout")},
		{"8.6/unsupported scheme", letter("kurierreason=unsupported-scheme")},
		{"8.6/reply target down", letter("kurierreason=connection")},
	},
	observe: errorExtensions,
}}

// closedAddress is an address where nobody listens.
func (w *world) closedAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}

// failure is one row: where an event goes and fails.
type failure struct {
	id      string
	answer  harness.Behaviour // nil: url
	url     string
	channel bool // a Subscription instead of a Trigger
	reply   string
	more    string // of the DeliverySpec
	event   harness.Event
	show    []string // further attributes of the dead letter
	sub     *harness.Subscriber
	sink    *harness.Subscriber
}

func failures(w *world) []*failure {
	kne := harness.Answer{Status: 422, Body: catastrophe, Header: http.Header{"Kne-Test": {"foo"}}}
	odd := harness.Answer{Status: 422, Header: http.Header{"Kne-Foo-Bar": {"x"}, "Kne-Id": {"x"}}}
	always := func(a harness.Answer) harness.Behaviour {
		return func(*harness.Request) harness.Answer { return a }
	}
	reject := func(body string) harness.Behaviour { return harness.RejectAll(422, body) }
	down := w.closedAddress()
	return []*failure{
		{id: "CT-B26", url: noSuchHost},
		{id: "CT-C14a", url: noSuchHost, channel: true},
		{id: "CT-B27", answer: reject("")},
		{id: "CT-C14b", answer: reject(""), channel: true},
		{id: "CT-B28", answer: reject(catastrophe)},
		{id: "CT-K5", answer: reject(catastrophe)},
		{id: "CT-C14c", answer: reject(htmlPage), channel: true},
		{id: "CT-K6", answer: reject(strings.Repeat("X", 1024) + "YYYYYYY")},
		{id: "CT-K7", answer: harness.RejectAll(404, htmlPage)},
		{id: "CT-K8", answer: always(kne)},
		{id: "8.6/names that cannot be extensions", answer: func(r *harness.Request) harness.Answer {
			if r.ID() == "next" { // the order of the two is open
				return harness.Answer{}
			}
			return odd
		}, show: []string{"id"}},
		{id: "8.6/stale errors are overwritten", answer: reject(""), event: harness.Event{
			Extensions: map[string]string{"knativeerrorcode": "7", "knativeerrordata": "b2xk", "knativeerrordest": "http://old", "kurierreason": "timeout"}}},
		{id: "8.6/version 0.3 is kept", answer: reject(""), event: harness.Event{SpecVersion: "0.3"}, show: []string{"specversion"}},
		{id: "8.6/2000-byte body", answer: reject(strings.Repeat("y", 2000))},
		{id: "8.6/timeout", answer: harness.Delay(time.Minute), more: "timeout: PT1S, "},
		{id: "8.6/unsupported scheme", url: "bad://uri"},
		{id: "8.6/reply target down", answer: harness.Reply(nil, nil), channel: true, reply: down},
	}
}

// errorExtensions: what a dead letter tells about the failure, everywhere with retry 0.
func errorExtensions(w *world) observed {
	rows := failures(w)
	for n, r := range rows {
		name := fmt.Sprint("r", n)
		if r.answer != nil {
			r.sub = w.subscriber(r.answer)
			r.url = r.sub.URL
		}
		r.sink = w.subscriber(nil)
		c := consumer{reply: r.reply, delivery: "{" + r.more + deadLetterSink(r.sink.URL) + "}"}
		if r.channel {
			w.channel(name, "{}")
			w.subscription(name, name, r.url, c)
			continue
		}
		w.broker(name, 1, "{retry: 0}")
		w.trigger(name, name, r.url, c)
	}
	w.apply()
	for n, r := range rows {
		e, name := r.event, fmt.Sprint("r", n)
		e.ID = "e"
		send := w.send
		if r.channel {
			send = w.sendTo
		}
		send(name, e)
		if strings.HasPrefix(r.id, "8.6/names") {
			e.ID = "next"
			send(name, e)
		}
	}
	w.settle()
	got := observed{}
	for n, r := range rows {
		f, dest := got.of(r.id), r.url
		letters := r.sink.Requests()
		f.set("dead", len(letters))
		if strings.HasPrefix(r.id, "8.6/names") {
			f.set("ignored", w.metric("kurier_dispatch_ignored_extensions_total", "Trigger", fmt.Sprint("r", n)))
			f.set("next event", len(withID(r.sub.Received(), "next")))
		}
		if len(letters) == 0 {
			continue
		}
		if r.reply != "" {
			dest = r.reply
		}
		attributes := attributesOf(letters[0].Header)
		if attributes["knativeerrordest"] == dest {
			attributes["knativeerrordest"] = "the address"
		}
		for _, name := range append(r.show, "knativeerrordest", "knativeerrorcode", "knativeerrordata", "kurierreason", "test", "foo-bar", "foobar") {
			if value, ok := attributes[name]; ok {
				f.set(name, value)
			}
		}
	}
	return got
}
