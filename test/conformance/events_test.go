package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"kurier.dev/kurier/test/harness"
)

// The events of CloudEvents' own conformance suite and of upstream's channel suite, from
// ingress through Kafka to the subscriber: each attribute and each byte.
var eventParts = []part{{
	name: "CloudEvents round trip", onKafka: true,
	cases:   roundTripCases(),
	observe: roundTrips,
}, {
	name: "CloudEvents JSON format", cases: jsonCases(), observe: jsonFormat,
}, {
	name: "3.6 header values", onKafka: true,
	cases: []testCase{
		{"3.6/a%20b", expect("status=202", "sent=a%20b", "format json=a b")},
		{`3.6/"a b"`, expect("status=202", "sent=a%20b", "format json=a b")},
		{"3.6/100%", expect("status=202", "sent=100%25", "format json=100%")},
		{"3.6/%E2%82%AC", expect("status=202", "sent=%E2%82%AC", "format json=€")},
		{"3.6/%C0%A0", expect("status=400", "sent=", "format json=")},
		{`3.6/a"b`, expect("status=202", "sent=a%22b", `format json=a"b`)},
		{"3.6/%F0%9F%98%80", expect("status=202", "sent=%F0%9F%98%80", "format json=😀")},
	},
	observe: headerValues,
}}

// roundTrip is one event that must arrive as it was sent.
type roundTrip struct {
	id          string
	event       harness.Event
	contentType string // structured, with this content type; empty: binary
	body        string // structured
}

// extensionTypes are one extension of every CloudEvents type, as it stands in a header.
var extensionTypes = map[string]string{
	"exbool": "true", "exint": "42", "exstring": "exstring", "exbinary": "AAECAw==",
	"exurl": "http://example.com/source", "exuriref": "//authority/path", "extime": "2020-03-21T12:34:56.78Z",
}

func roundTripEvents() []roundTrip {
	var all []roundTrip
	for _, v := range []string{"0.3", "1.0"} {
		least, full := harness.MinEvent("com.example.MinEvent"), harness.FullEvent()
		for n, e := range []harness.Event{least, full} {
			name := [...]string{"MinEvent", "FullEvent"}[n]
			e.SpecVersion = v
			e.Extensions = maps.Clone(e.Extensions)
			if name == "FullEvent" {
				maps.Copy(e.Extensions, extensionTypes)
				if v == "0.3" { // the attribute had another name
					e.Extensions["schemaurl"] = e.Extensions["dataschema"]
					delete(e.Extensions, "dataschema")
				}
			}
			id := name + "/" + v
			all = append(all, roundTrip{id: id + "/binary", event: e})
			all = append(all, roundTrip{id: id + "/structured", event: e, contentType: structured, body: envelope(e)})
		}
	}
	hello := harness.Event{ID: "1234-1234-1234", Type: "com.example.someevent", Source: "/mycontext/subcontext",
		Extensions: map[string]string{"time": "2018-04-05T03:56:24Z"}, Data: []byte(`{"message":"Hello World!"}`)}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8"} {
		e := hello
		e.ContentType = contentType
		all = append(all, roundTrip{id: "HTTP binding/binary, " + contentType, event: e})
	}
	for _, contentType := range []string{structured, structured + "; charset=utf-8"} {
		e := hello
		e.ContentType = "application/json"
		all = append(all, roundTrip{id: "HTTP binding/structured, " + contentType, event: e, contentType: contentType, body: envelope(e)})
	}
	binaryData := harness.Event{ID: "bytes", ContentType: "application/octet-stream", Data: []byte("\x00\x01\xfe\xff")}
	all = append(all, roundTrip{id: "data_base64", event: binaryData, contentType: structured, body: envelope(binaryData)})
	return all
}

// envelope is an event in the JSON format, written by hand. Extensions of a JSON type stand
// there in that type.
func envelope(e harness.Event) string {
	members := map[string]any{}
	for name, value := range attributesSent(&e) {
		members[name] = value
	}
	for name, value := range map[string]any{"exbool": true, "exint": 42} {
		if _, ok := members[name]; ok {
			members[name] = value
		}
	}
	switch {
	case e.Data == nil:
	case json.Valid(e.Data):
		members["data"] = json.RawMessage(e.Data)
	default:
		members["data_base64"] = e.Data // []byte is base64 in Go's JSON
		if e.SpecVersion == "0.3" {
			members["datacontentencoding"] = "base64"
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func roundTripCases() []testCase {
	var cases []testCase
	for _, r := range roundTripEvents() {
		cases = append(cases, testCase{"CE/" + r.id, expect("status=202", "Broker=equal", "channel=equal")})
	}
	return append(cases, testCase{"CE/batch", expect("status=202", "Broker=equal equal equal", "channel=equal equal equal")})
}

// roundTrips sends every event to a Broker and a channel. What Kurier adds is left out.
func roundTrips(w *world) observed {
	broker, channel := w.subscriber(nil), w.subscriber(nil)
	w.broker("b", 3, "")
	w.trigger("t", "b", broker.URL, consumer{})
	w.channel("c", "")
	w.subscription("s", "c", channel.URL, consumer{})
	w.apply()
	events := roundTripEvents()
	got := observed{}
	both := func(f facts, send func(address string) int) {
		f.set("status", send(w.s.Broker(w.ns, "b")))
		if other := send(w.s.Channel(w.ns, "c")); fmt.Sprint(other) != f["status"] {
			f.set("status of the channel", other)
		}
	}
	for n, r := range events {
		// Each event is known by an attribute that is compared, too.
		events[n].event.Extensions = maps.Clone(r.event.Extensions)
		if events[n].event.Extensions == nil {
			events[n].event.Extensions = map[string]string{}
		}
		events[n].event.Extensions["row"] = rowID(n)
		body := strings.TrimSuffix(r.body, "}") + fmt.Sprintf(`,"row":%q}`, rowID(n))
		both(got.of("CE/"+r.id), func(address string) int {
			if r.contentType == "" {
				return w.post(address, events[n].event)
			}
			return w.postRaw(address, r.contentType, body)
		})
	}
	batchEvents := harness.Numbered("batch", 3)
	var envelopes []string
	for _, e := range batchEvents {
		envelopes = append(envelopes, envelope(e))
	}
	both(got.of("CE/batch"), func(address string) int {
		return w.postRaw(address, batched, "["+strings.Join(envelopes, ",")+"]")
	})
	w.settle()
	for name, sub := range map[string]*harness.Subscriber{"Broker": broker, "channel": channel} {
		requests := sub.Requests()
		for n, r := range events {
			mine := slices.DeleteFunc(slices.Clone(requests), func(q harness.Request) bool { return q.Attribute("row") != rowID(n) })
			got.of("CE/"+r.id).set(name, each(mine, func(q *harness.Request) string { return exactly(q, events[n].event, added...) }))
		}
		var words []string
		for _, e := range batchEvents {
			words = append(words, each(withID(requests, e.ID), func(q *harness.Request) string { return exactly(q, e, added...) }))
		}
		got.of("CE/batch").set(name, strings.Join(words, " "))
	}
	return got
}

// post sends an event in binary mode and returns the status, or 0.
func (w *world) post(address string, e harness.Event) int {
	status, _, err := w.s.Post(address, e)
	if err != nil {
		w.t.Error(err)
	}
	return status
}

// postRaw sends a body of a content type and returns the status, or 0.
func (w *world) postRaw(address, contentType, body string) int {
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		w.t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// jsonEvents are events in the JSON format by the names of the conformance suite: the
// members beside id, specversion, type and source; null takes one away.
var jsonEvents = []struct {
	name, members string
	valid         bool
}{
	{"validMinimal", `{}`, true},
	{"validMinimalWithNullForOptional", `{"datacontenttype":null,"dataschema":null,"subject":null,"time":null}`, true},
	{"validAllCoreAttributes", `{"datacontenttype":"text/plain","dataschema":"https://example.com/schema","subject":"s","time":"2021-01-02T03:04:05Z"}`, true},
	{"validMinimalWithTimeToNanosecondsUtc", `{"time":"2021-01-02T03:04:05.000000000Z"}`, true},
	{"validMinimalWithTimeUsingPositiveOffset", `{"time":"2021-01-02T03:04:05+01:00"}`, true},
	{"validMinimalWithTimeUsingNegativeOffset", `{"time":"2021-01-02T03:04:05-01:00"}`, true},
	{"validRelativeSource", `{"source":"#fragment"}`, true},
	{"validSimpleTextData", `{"datacontenttype":"text/plain","data":"Simple text"}`, true},
	{"validAllExtensionTypes", `{"i":10,"b":true,"s":"text","u":"https://example.com","r":"//authority/path","t":"2023-03-31T15:12:00Z","y":"TWE="}`, true},
	{"invalidNoSpecVersion", `{"specversion":null}`, false},
	{"invalidNoId", `{"id":null}`, false},
	{"invalidNoType", `{"type":null}`, false},
	{"invalidNoSource", `{"source":null}`, false},
	{"invalidTimeGarbage", `{"time":"lunchtime"}`, false},
	{"invalidTimeToMinute", `{"time":"2021-01-02T03:04Z"}`, false},
	{"invalidTimeOffsetX", `{"time":"2021-01-02T03:04:05X"}`, false},
	{"invalidTimeOffsetOutOfRange", `{"time":"2021-01-02T03:04:05+25:00"}`, false},
	{"invalidTimeOffsetNonInteger", `{"time":"2021-01-02T03:04:05+xx:00"}`, false},
	{"invalidTimeOffsetHourOnly", `{"time":"2021-01-02T03:04:05+05"}`, false},
	{"invalidEmptyId", `{"id":""}`, false},
	{"invalidEmptyType", `{"type":""}`, false},
	{"invalidEmptySource", `{"source":""}`, false},
	{"invalidEmptySpecVersion", `{"specversion":""}`, false},
	{"invalidUnknownSpecVersion", `{"specversion":"0.9"}`, false},
	{"invalidNonRfc2046DataContentType", `{"datacontenttype":"xyz"}`, false},
	{"invalidEmptyDataContentType", `{"datacontenttype":""}`, false},
	{"invalidEmptyDataSchema", `{"dataschema":""}`, false},
	{"invalidEmptySubject", `{"subject":""}`, false},
	{"invalidNumericId", `{"id":25}`, false},
	{"invalidObjectId", `{"id":{"a":"b"}}`, false},
	{"invalidCapitalizedExtension", `{"MyExtension":"bad"}`, true}, // differs: names are put into lower case
	{"invalidPunctuatedExtension", `{"my.extension":"bad"}`, false},
	{"invalidNonIntegerExtensionValue", `{"ext":1.5}`, false},
	{"invalidBothDataAndDataBase64", `{"data":"text","data_base64":"e30="}`, false},
}

func jsonCases() []testCase {
	var cases []testCase
	for _, e := range jsonEvents {
		want := expect("status=400", "delivered=0")
		if e.valid {
			want = expect("status=202", "delivered=1")
		}
		cases = append(cases, testCase{"CE-JSON/" + e.name, want})
	}
	return cases
}

// jsonFormat: which events in the JSON format are accepted, and those alone.
func jsonFormat(w *world) observed {
	sub := w.subscriber(nil)
	w.channel("c", "")
	w.subscription("s", "c", sub.URL, consumer{})
	w.apply()
	got := observed{}
	for _, e := range jsonEvents {
		members := map[string]any{"specversion": "1.0", "id": e.name, "type": "com.example.json", "source": "/json"}
		if err := json.Unmarshal([]byte(e.members), &members); err != nil {
			w.t.Fatal(err)
		}
		text, err := json.Marshal(members)
		if err != nil {
			w.t.Fatal(err)
		}
		if !e.valid { // a null that takes a required attribute away must be absent
			for name, value := range members {
				if value == nil {
					delete(members, name)
				}
			}
			if text, err = json.Marshal(members); err != nil {
				w.t.Fatal(err)
			}
		}
		got.of("CE-JSON/"+e.name).set("status", w.postRaw(w.s.Channel(w.ns, "c"), structured, string(text)))
	}
	w.settle()
	for _, e := range jsonEvents {
		got.of("CE-JSON/"+e.name).set("delivered", len(withID(sub.Requests(), e.name)))
	}
	return got
}

// headerValues: what a header value means, and how the same value is sent.
func headerValues(w *world) observed {
	values := []string{"a%20b", `"a b"`, "100%", "%E2%82%AC", "%C0%A0", `a"b`, "%F0%9F%98%80"}
	sub, text := w.subscriber(nil), w.subscriber(nil)
	w.channel("c", "")
	w.subscription("binary", "c", sub.URL, consumer{})
	w.subscription("json", "c", text.URL, consumer{delivery: "{format: json}"})
	w.apply()
	got := observed{}
	for n, value := range values {
		e := harness.Event{ID: rowID(n), Extensions: map[string]string{"subject": value}}
		got.of("3.6/"+value).set("status", w.post(w.s.Channel(w.ns, "c"), e))
	}
	w.settle()
	subject := func(r *harness.Request) string { return r.Attribute("subject") }
	for n, value := range values {
		f := got.of("3.6/" + value)
		f.set("sent", each(withID(sub.Requests(), rowID(n)), subject))
		f.set("format json", each(withID(text.Requests(), rowID(n)), subject))
	}
	return got
}
