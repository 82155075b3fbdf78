package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"kurier.dev/kurier/test/harness"
)

var deliveryParts = []part{
	{name: "8.9 filters over HTTP", onKafka: true, cases: filterHTTPCases(), observe: filterHTTP},
	{name: "8.9 answers", cases: answerCases(), observe: answers},
	{name: "8.9 headers", onKafka: true, cases: headerCases, observe: headers},
}

// filterRows: one Trigger each; the event is always the same.
var filterRows = []struct {
	id, filter string
	delivered  string
}{
	{"no filter", "", "1"},
	{"empty filter", "filter: {}", "1"},
	{"type and source", "filter: {attributes: {type: com.example.someevent, source: /mycontext}}", "1"},
	{"type, source and extension", "filter: {attributes: {type: com.example.someevent, source: /mycontext, myextension: my-extension-value}}", "1"},
	{"arrival time", `filter: {attributes: {type: com.example.someevent, knativearrivaltime: ""}}`, "1"},
	{"wrong type", `filter: {attributes: {type: some-other-type, source: ""}}`, "0"},
	{"wrong source", `filter: {attributes: {type: "", source: some-other-source}}`, "0"},
	{"wrong extension", `filter: {attributes: {type: "", source: "", other: my-extension-value}}`, "0"},
	{"wrong extension value", "filter: {attributes: {type: com.example.someevent, source: /mycontext, myextension: wrong}}", "0"},
	{"filters: exact wrong source", "filters: [{exact: {source: some-other-source}}]", "0"},
	{"filters: exact wrong extension", "filters: [{exact: {myextension: wrong}}]", "0"},
	{"filters: cesql", `filters: [{cesql: "type = 'com.example.someevent' AND source = '/mycontext'"}]`, "1"},
	{"filters: cesql, contradicting filter", `filters: [{cesql: "type = 'com.example.someevent' AND source = '/mycontext'"}], filter: {attributes: {type: other}}`, "1"},
	{"no filters, wrong filter", "filters: [], filter: {attributes: {type: other}}", "0"},
}

func filterHTTPCases() []testCase {
	var cases []testCase
	for _, r := range filterRows {
		cases = append(cases, testCase{"8.9/filter/" + r.id, expect("delivered="+r.delivered, "settled=yes")})
	}
	return append(cases, testCase{"8.9/filter/no subscriber address", expect("Ready=False", "SubscriberResolved=False Unable to get the Subscriber's URI", "started=no")})
}

func filterHTTP(w *world) observed {
	subs := make([]*harness.Subscriber, len(filterRows))
	w.broker("b", 1, "")
	for n, r := range filterRows {
		subs[n] = w.subscriber(nil)
		w.trigger(fmt.Sprint("t", n), "b", subs[n].URL, consumer{filter: r.filter})
	}
	w.document("apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: lost, namespace: %s}\nspec: "+
		"{broker: b, subscriber: {ref: {apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, name: missing}}}", w.ns)
	w.apply()
	w.send("b", harness.Event{ID: "e", Type: "com.example.someevent", Source: "/mycontext", Extensions: map[string]string{"myextension": "my-extension-value"}})
	lost := w.ref("trigger", "lost")
	w.settle(lost)
	got := observed{}
	for n, r := range filterRows {
		f := got.of("8.9/filter/" + r.id)
		f.set("delivered", len(subs[n].Requests()))
		name := fmt.Sprint("t", n)
		f.set("settled", yes(w.metric("kurier_dispatch_delivered_total", "Trigger", name)+w.metric("kurier_dispatch_filtered_total", "Trigger", name) == 1))
	}
	w.await("the lost Trigger is known", func(objects map[string]*harness.Object) error {
		o := objects[lost]
		if o == nil {
			return fmt.Errorf("not yet")
		}
		f, c := got.of("8.9/filter/no subscriber address"), o.Condition("SubscriberResolved")
		f.set("Ready", o.Condition("Ready").Status)
		f.set("SubscriberResolved", c.Status+" "+c.Reason)
		f.set("started", yes(o.Status.Delivery.Lag != nil && *o.Status.Delivery.Lag == 0))
		return nil
	})
	return got
}

// answerRow is what a subscriber says first; then it says 202.
type answerRow struct {
	id     string
	answer harness.Answer
	want   facts
}

func event200(header ...string) harness.Answer {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h[header[i]] = []string{header[i+1]}
	}
	return harness.Answer{Status: http.StatusOK, Header: h}
}

func body(a harness.Answer, status int, text string) harness.Answer {
	a.Status, a.Body = status, text
	return a
}

// once expects an answer that settles the event at once, twice one that is tried again.
func once(more ...string) facts {
	return expect(append([]string{"attempts=1", "no event=0", "malformed=0", "replies=0", "dead=0"}, more...)...)
}

func answerRows() []answerRow {
	reply := event200("Ce-Specversion", "1.0", "Ce-Id", "reply", "Ce-Type", "reply", "Ce-Source", "/reply", "Content-Type", "text/plain")
	twice := expect("attempts=2", "no event=0", "malformed=1", "replies=0", "dead=0")
	const envelope = `{"specversion":"1.0","id":"reply","type":"reply","source":"/reply"}`
	retryAfter := harness.Answer{Status: 429, Header: http.Header{"Retry-After": {"10"}}}
	return []answerRow{
		{"CloudEvent", body(reply, 200, "x"), expect("attempts=1", "no event=0", "malformed=0", "replies=1", "dead=0", "hops of the reply=254")},
		{"CloudEvent in a 202", body(reply, 202, "x"), expect("attempts=1", "no event=0", "malformed=0", "replies=1", "dead=0", "hops of the reply=254")},
		{"structured CloudEvent", body(event200("Content-Type", structured), 200, envelope), expect("attempts=1", "no event=0", "malformed=0", "replies=1", "dead=0", "hops of the reply=254")},
		{"200, empty", event200(), once()},
		{"202, empty", body(event200(), 202, ""), once()},
		{"200, garbage content type", body(event200("Content-Type", "garbage"), 200, "x"), expect("attempts=1", "no event=1", "malformed=0", "replies=0", "dead=0")},
		{"200, text", body(event200("Content-Type", "text/plain"), 200, "OK"), expect("attempts=1", "no event=1", "malformed=0", "replies=0", "dead=0")},
		{"200, specversion 9000.1, empty", event200("Ce-Specversion", "9000.1"), twice},
		{"200, structured {}", body(event200("Content-Type", structured), 200, "{}"), twice},
		{"200, batch", body(event200("Content-Type", batched), 200, "["+envelope+"]"), twice},
		{"400", harness.Answer{Status: 400}, expect("attempts=1", "no event=0", "malformed=0", "replies=0", "dead=1")},
		{"429", harness.Answer{Status: 429}, expect("attempts=2", "no event=0", "malformed=0", "replies=0", "dead=0")},
		{"429, Retry-After 10", retryAfter, expect("attempts=2", "no event=0", "malformed=0", "replies=0", "dead=0", "pause=10 s")},
		{"redirect", harness.Answer{Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:9/"}}}, expect("attempts=1", "no event=0", "malformed=0", "replies=0", "dead=1")},
	}
}

func answerCases() []testCase {
	var cases []testCase
	for _, r := range answerRows() {
		cases = append(cases, testCase{"8.9/answer/" + r.id, r.want})
	}
	return cases
}

func answers(w *world) observed {
	rows := answerRows()
	subs := make([]*harness.Subscriber, len(rows))
	for n, r := range rows {
		name := fmt.Sprint("a", n)
		subs[n] = w.subscriber(harness.After(1, func(*harness.Request) harness.Answer { return r.answer }, accept))
		w.broker(name, 1, "{retry: 1}")
		w.trigger(name, name, subs[n].URL, consumer{filter: "filter: {attributes: {type: original}}"})
	}
	w.apply()
	for n := range rows {
		w.send(fmt.Sprint("a", n), harness.Event{ID: "e", Type: "original"})
	}
	w.settle()
	got := observed{}
	for n, r := range rows {
		f, name := got.of("8.9/answer/"+r.id), fmt.Sprint("a", n)
		f.set("attempts", len(subs[n].Requests()))
		f.set("no event", w.metric("kurier_dispatch_discarded_replies_total", "Trigger", name, `reason="not_an_event"`))
		f.set("malformed", w.metric("kurier_dispatch_malformed_replies_total", "Trigger", name))
		f.set("dead", w.deadLettersInTopic("Trigger", name))
		replies := w.metric("kurier_dispatch_replies_total", "Trigger", name)
		f.set("replies", replies)
		if replies > 0 {
			stored := w.tail(2, w.ref("broker", name))
			f.set("hops of the reply", stored[1]["knativebrokerttl"])
		}
		if strings.Contains(r.id, "Retry-After") {
			for _, p := range pauses(subs[n].Requests()) {
				f.set("pause", about(p, 10*time.Second-10*time.Millisecond, 10*time.Second+late, "10 s"))
			}
		}
	}
	return got
}

func accept(*harness.Request) harness.Answer { return harness.Answer{} }

const (
	asSent   = "x-request-id=id123 knative-1=one,uno knative-2=two"
	answered = "x-request-id=altered-id knative-1=new-knative-1-value"
	original = asSent + " data=original"
)

var headerCases = []testCase{
	{"8.9/headers/destination only", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead=")},
	{"8.9/headers/no headers", expect("subscriber=prefer=reply", "reply=", "dead=")},
	{"8.9/headers/404", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead="+original+" knativeerrorcode=404")},
	{"8.9/headers/500, reply set", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead="+original+" knativeerrorcode=500")},
	{"8.9/headers/202, ce-abc alone", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead=")},
	{"8.9/headers/202 with a CloudEvent", expect("subscriber="+asSent+" prefer=reply", "reply="+answered+" data=reply", "dead=")},
	{"8.9/headers/2000-byte reply", expect("subscriber="+asSent+" prefer=reply", "reply="+answered+" data=2000 bytes", "dead=")},
	{"8.9/headers/400, sink answers a CloudEvent", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead="+original+" knativeerrorcode=400")},
	{"8.9/headers/400, sink answers nothing", expect("subscriber="+asSent+" prefer=reply", "reply=", "dead="+original+" knativeerrorcode=400")},
	{"8.9/headers/400, body of several lines", expect("subscriber="+asSent+" prefer=reply", "reply=",
		"dead="+original+" knativeerrorcode=400 knativeerrordata="+base64Of("destination\n multi-line\n response"))},
	{"8.9/headers/reply 400", expect("subscriber="+asSent+" prefer=reply", "reply="+answered+" data=reply", "dead="+answered+" data=original knativeerrorcode=400")},
	{"8.9/headers/reply 400 with a body", expect("subscriber="+asSent+" prefer=reply", "reply="+answered+" data=reply",
		"dead="+answered+" data=original knativeerrorcode=400 knativeerrordata="+base64Of("reply\n multi-line\n response"))},
	{"8.9/headers/Broker", expect("subscriber=knative-foo=bar x-b3-foo=b3 x-request-id=123 prefer=reply", "foo=", "traceparent=", "authorization=")},
	{"8.9/headers/producer's Prefer", expect("with=reply", "without=reply")},
	{"8.8/pass-through on a channel", expect("x-request-id=1234", "knative-will-pass-through=true,always", "not=", "nor=")},
	{"8.8/pass-through on a Broker", expect("knative-foo=bar", "x-request-id=123", "foo=")},
	{"CT-O5", expect("knative-hello=world")},
	{"DP-48/traceparent", expect("traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate=a=b", "baggage=k=v")},
}

// headerLine shows the pass-through headers of a request, its data and what went wrong.
func headerLine(r *harness.Request, data bool) string {
	var words []string
	for _, name := range []string{"x-request-id", "knative-1", "knative-2", "prefer", "do-not-forward", "do-not-passthrough"} {
		if values := r.Header.Values(name); len(values) > 0 {
			words = append(words, name+"="+strings.Join(values, ","))
		}
	}
	if !data {
		return strings.Join(words, " ")
	}
	switch {
	case len(r.Body) > 100:
		words = append(words, fmt.Sprintf("data=%d bytes", len(r.Body)))
	default:
		words = append(words, "data="+string(r.Body))
	}
	for _, name := range []string{"knativeerrorcode", "knativeerrordata"} {
		if value := r.Attribute(name); value != "" {
			words = append(words, name+"="+value)
		}
	}
	return strings.Join(words, " ")
}

// headerRow: what the subscriber, the reply target and the dead letter sink answer.
type headerRow struct {
	id                     string
	subscriber, reply      harness.Answer
	sink                   harness.Answer
	bare                   bool // without headers
	gotSub, gotRep, gotDLS *harness.Subscriber
}

func headerRows() []*headerRow {
	pass := []string{"Do-Not-Passthrough", "no", "X-Request-Id", "altered-id", "Knative-1", "new-knative-1-value"}
	plain := event200(pass...)
	reply := event200(append(pass, "Ce-Specversion", "1.0", "Ce-Id", "r", "Ce-Type", "r", "Ce-Source", "/r", "Content-Type", "text/plain")...)
	abc := body(event200(append(pass, "Ce-Abc", `"ce-abc-value"`)...), 202, "")
	ok := harness.Answer{}
	return []*headerRow{
		{id: "destination only", subscriber: body(plain, 202, "")},
		{id: "no headers", subscriber: ok, bare: true},
		{id: "404", subscriber: body(plain, 404, "")},
		{id: "500, reply set", subscriber: body(plain, 500, "")},
		{id: "202, ce-abc alone", subscriber: abc},
		{id: "202 with a CloudEvent", subscriber: body(reply, 202, "reply")},
		{id: "2000-byte reply", subscriber: body(reply, 202, strings.Repeat("r", 2000))},
		{id: "400, sink answers a CloudEvent", subscriber: body(plain, 400, ""), sink: body(reply, 200, "reply")},
		{id: "400, sink answers nothing", subscriber: body(plain, 400, "")},
		{id: "400, body of several lines", subscriber: body(plain, 400, "destination\n multi-line\n response")},
		{id: "reply 400", subscriber: body(reply, 202, "reply"), reply: harness.Answer{Status: 400}},
		{id: "reply 400 with a body", subscriber: body(reply, 202, "reply"), reply: harness.Answer{Status: 400, Body: "reply\n multi-line\n response"}},
	}
}

// headers: which headers of the request and of the subscriber's answer reach whom.
func headers(w *world) observed {
	always := func(a harness.Answer) harness.Behaviour { return func(*harness.Request) harness.Answer { return a } }
	rows := headerRows()
	for n, r := range rows {
		r.gotSub, r.gotRep, r.gotDLS = w.subscriber(always(r.subscriber)), w.subscriber(always(r.reply)), w.subscriber(always(r.sink))
		name := fmt.Sprint("h", n)
		w.channel(name, "{}")
		w.subscription(name, name, r.gotSub.URL, consumer{reply: r.gotRep.URL, delivery: "{" + deadLetterSink(r.gotDLS.URL) + "}"})
	}
	onBroker, onChannel := w.subscriber(nil), w.subscriber(nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", onBroker.URL, consumer{})
	w.channel("c", "")
	w.subscription("s", "c", onChannel.URL, consumer{})
	w.apply()
	for n, r := range rows {
		e := harness.Event{ID: "e", ContentType: "text/plain", Data: []byte("original")}
		if !r.bare {
			e.Header = http.Header{"Do-Not-Forward": {"x"}, "X-Request-Id": {"id123"}, "Knative-1": {"one", "uno"}, "Knative-2": {"two"}}
		}
		w.sendTo(fmt.Sprint("h", n), e)
	}
	w.send("b", harness.Event{ID: "headers", Header: http.Header{"Foo": {"bar"}, "Traceparent": {"0"}, "Knative-Foo": {"bar"},
		"X-B3-Foo": {"b3"}, "X-Request-Id": {"123"}, "Authorization": {"secret"}}})
	w.send("b", harness.Event{ID: "prefer", Header: http.Header{"Prefer": {"reply"}}})
	w.sendTo("c", harness.Event{ID: "pass", Header: http.Header{"x-requEst-id": {"1234"}, "knatIve-will-pass-through": {"true", "always"}, "not": {"x"}, "nor": {"x"}}})
	w.sendTo("c", harness.Event{ID: "hello", Header: http.Header{"knative-hello": {"world"}}})
	w.sendTo("c", harness.Event{ID: "trace", Header: http.Header{"Tracestate": {"a=b"}, "Baggage": {"k=v"},
		"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}})
	w.settle()

	got := observed{}
	for _, r := range rows {
		f := got.of("8.9/headers/" + r.id)
		f.set("subscriber", each(r.gotSub.Requests(), func(r *harness.Request) string { return headerLine(r, false) }))
		f.set("reply", each(r.gotRep.Requests(), func(r *harness.Request) string { return headerLine(r, true) }))
		f.set("dead", each(r.gotDLS.Requests(), func(r *harness.Request) string { return headerLine(r, true) }))
	}
	show := func(f facts, sub *harness.Subscriber, id string, names ...string) {
		for _, name := range names {
			f.set(name, each(withID(sub.Requests(), id), func(r *harness.Request) string { return strings.Join(r.Header.Values(name), ",") }))
		}
	}
	f := got.of("8.9/headers/Broker")
	show(f, onBroker, "headers", "foo", "traceparent", "authorization")
	f.set("subscriber", each(withID(onBroker.Requests(), "headers"), func(r *harness.Request) string {
		return fmt.Sprintf("knative-foo=%s x-b3-foo=%s x-request-id=%s prefer=%s", r.Header.Get("knative-foo"), r.Header.Get("x-b3-foo"),
			r.Header.Get("x-request-id"), strings.Join(r.Header.Values("prefer"), ","))
	}))
	prefer := func(r *harness.Request) string { return strings.Join(r.Header.Values("prefer"), ",") }
	f = got.of("8.9/headers/producer's Prefer")
	f.set("with", each(withID(onBroker.Requests(), "prefer"), prefer))
	f.set("without", each(withID(onBroker.Requests(), "headers"), prefer))
	show(got.of("8.8/pass-through on a channel"), onChannel, "pass", "x-request-id", "knative-will-pass-through", "not", "nor")
	show(got.of("8.8/pass-through on a Broker"), onBroker, "headers", "knative-foo", "x-request-id", "foo")
	show(got.of("CT-O5"), onChannel, "hello", "knative-hello")
	show(got.of("DP-48/traceparent"), onChannel, "trace", "traceparent", "tracestate", "baggage")
	return got
}
