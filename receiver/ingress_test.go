package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/receiver"
	"kurier.dev/kurier/test/altered"
)

// Section 8.8, one row of the tables each.
func TestIngressTable_8_8(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	type h = []string
	structured := h{"Content-Type", "application/cloudevents+json"}
	bin := h{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "t", "Ce-Source", "/s"}
	for _, tc := range []struct {
		name, method, path string
		headers            []string
		body               string
		want               int
	}{
		{"PATCH", "PATCH", "/ns/name", structured, validJSON, 405},
		{"PUT (CT-O4)", "PUT", "/ns/name", structured, validJSON, 405},
		{"DELETE", "DELETE", "/ns/name", structured, validJSON, 405},
		{"DP-46/405 GET", "GET", "/ns/name", nil, "", 405},
		{"HEAD", "HEAD", "/ns/name", nil, "", 405},
		{"OPTIONS (CT-O1)", "OPTIONS", "/ns/name", nil, "", 200},
		{"DP-43/broker POST", "POST", "/ns/name", structured, validJSON, 202},
		{"trailing slash", "POST", "/ns/name/", structured, validJSON, 202},
		{"without source", "POST", "/ns/name", structured, `{"specversion":"1.0","id":"1234","type":"type"}`, 400},
		{"ttl 1", "POST", "/ns/name", structured, `{"specversion":"1.0","id":"1","source":"s","type":"t","knativebrokerttl":1}`, 400},
		{"three segments", "POST", "/knative/ns/name", structured, validJSON, 400},
		{"not an event", "POST", "/ns/name", structured, "not an event", 400},
		{"DP-43/not ready topic not usable", "POST", "/ns/later", structured, validJSON, 503},
		{"root", "POST", "/", structured, validJSON, 404},
		{"channel host with a path", "POST", "/something", append(h{"Host", channelHost}, structured...), validJSON, 400},
		{"one segment", "POST", "/something", structured, validJSON, 400},
		{"GET on channel host", "GET", "/", h{"Host", channelHost}, "", 405},
		{"DP-43/other host host without dot", "POST", "/", append(h{"Host", "no-dot"}, structured...), validJSON, 404},
		{"unknown host", "POST", "/", append(h{"Host", "other-kn-channel.test-namespace.svc"}, structured...), validJSON, 404},
		{"unknown channel", "POST", "/channels/test-namespace/other", structured, validJSON, 404},
		{"unknown sink", "POST", "/sinks/ns/other", structured, validJSON, 404},
		{"DP-46/404 unknown broker", "POST", "/ns/other", structured, validJSON, 404},
		{"DP-43/channel channel by path", "POST", "/channels/new-namespace/new-channel", structured, validJSON, 202},
		{"OPTIONS on channel host", "OPTIONS", "/", h{"Host", channelHost}, "", 200},
		{"DP-44/2 OPTIONS without looking at the path", "OPTIONS", "/a//b", h{"Host", "x"}, "", 200},
		{"plain JSON", "POST", "/ns/name", h{"Content-Type", "application/json"}, "{}", 400},
		{"JSON like an event", "POST", "/ns/name", h{"Content-Type", "application/json"}, validJSON, 400},
		{"channel host", "POST", "/", append(h{"Host", channelHost}, structured...), validJSON, 202},
		{"channel host without suffix", "POST", "/", append(h{"Host", "test-channel.test-namespace.svc.cluster.local"}, structured...), validJSON, 404},
		{"DP-43/port channel host with port", "POST", "/", append(h{"Host", channelHost + ":8080"}, structured...), validJSON, 202},
		{"channel host in upper case", "POST", "/", append(h{"Host", strings.ToUpper(channelHost)}, structured...), validJSON, 202},
		{"DP-43/host channel host .svc only", "POST", "/", append(h{"Host", "test-channel-kn-channel.test-namespace.svc"}, structured...), validJSON, 202},
		{"channel host in the other form", "POST", "/", append(h{"Host", "new-channel-kn-channel.new-namespace.svc.cluster.local"}, structured...), validJSON, 202},
		{"DP-43/query query", "POST", "/ns/name?x=1", structured, validJSON, 202},
		{"query after slash", "POST", "/ns/name/?x=/1", structured, validJSON, 202},
		{"DP-43/segments empty segment", "POST", "/a//b", structured, validJSON, 400},
		{"two trailing slashes", "POST", "/ns/name//", structured, validJSON, 400},
		{"channels with one segment", "POST", "/channels/x", structured, validJSON, 400},
		{"sinks with one segment", "POST", "/sinks/x", structured, validJSON, 400},
		{"four segments", "POST", "/channels/a/b/c", structured, validJSON, 400},
		{"case of the path", "POST", "/NS/name", structured, validJSON, 404},
		{"DP-43/exact no percent-decoding", "POST", "/ns%2Fname", structured, validJSON, 400},
		{"no percent-decoding in a segment", "POST", "/ns/nam%65", structured, validJSON, 404},
		{"no dots", "POST", "/ns/../ns/name", structured, validJSON, 400},
		{"dot segment", "POST", "/ns/.", structured, validJSON, 404},
		{"DP-43/sink sink", "POST", "/sinks/ns/s", structured, validJSON, 202},
		{"cloudevents+xml", "POST", "/ns/name", h{"Content-Type", "application/cloudevents+xml"}, "<a/>", 415},
		{"cloudevents+xml with ce-specversion", "POST", "/ns/name", append(h{"Content-Type", "application/cloudevents+xml"}, bin...), "<a/>", 415},
		{"DP-46/415 Content-Encoding", "POST", "/ns/name", append(h{"content-encoding", "gzip"}, structured...), validJSON, 415},
		{"Content-Encoding identity", "POST", "/ns/name", append(h{"Content-Encoding", "Identity"}, structured...), validJSON, 202},
		{"charset", "POST", "/ns/name", h{"Content-Type", "application/cloudevents+json; charset=utf-8"}, validJSON, 202},
		{"binary", "POST", "/ns/name", bin, "data", 202},
		{"binary, mixed case", "POST", "/ns/name", h{"CE-SPECVERSION", "1.0", "cE-iD", "1", "ce-type", "t", "Ce-SOURCE", "/s", "content-TYPE", "text/plain"}, "x", 202},
		{"CT-B4 thrift", "POST", "/ns/name", append(h{"Content-Type", "application/vnd.apache.thrift.binary"}, bin...), "\x00\xff", 202},
		{"CT-B4 xml", "POST", "/ns/name", append(h{"Content-Type", "application/xml"}, bin...), "<a/>", 202},
		{"CT-B4 json", "POST", "/ns/name", append(h{"Content-Type", "application/json"}, bin...), "{}", 202},
		{"DP-40 empty body", "POST", "/ns/name", bin, "", 202},
		{"empty subject", "POST", "/ns/name", append(h{"Ce-Subject", ""}, bin...), "", 400},
		{"header not UTF-8", "POST", "/ns/name", append(h{"Ce-Subject", "%C0%A0"}, bin...), "", 400},
		{"header twice", "POST", "/ns/name", append(h{"Ce-X", "1", "ce-x", "2"}, bin...), "", 400},
		{"CT-B29 36864 bytes", "POST", "/ns/name", bin, strings.Repeat("x", 36864), 202},
		{"over the limit", "POST", "/ns/name", bin, strings.Repeat("x", 1<<20), 413},
		{"far over the limit", "POST", "/ns/name", bin, strings.Repeat("x", 3<<20), 413},
		{"empty batch", "POST", "/ns/name", h{"Content-Type", "application/cloudevents-batch+json"}, "[]", 202},
		{"batch of three", "POST", "/ns/name", h{"Content-Type", "application/cloudevents-batch+json"}, "[" + validJSON + "," + validJSON + "," + validJSON + "]", 202},
		{"batch with one invalid", "POST", "/ns/name", h{"Content-Type", "application/cloudevents-batch+json"}, "[" + validJSON + ",{}]", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := f.kafka.produced()
			got := f.do(tc.method, tc.path, tc.body, tc.headers...)
			if want := altered.Want(tc.want); got.code != want {
				t.Errorf("got %d (%s), want %d", got.code, got.detail, want)
			}
			if produced := f.kafka.produced() - before; (got.code == 202) != (produced > 0) && tc.body != "[]" {
				t.Errorf("%d, but %d records", got.code, produced)
			}
		})
	}
}

// CT-C3, CT-B8: each required attribute, and versions that do not exist.
func TestInvalidEvents_CT_C3_CT_B8(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	all := map[string]string{"specversion": "1.0", "id": "1", "type": "t", "source": "/s"}
	send := func(attributes map[string]string) []response {
		var headers, members []string
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			headers = append(headers, "Ce-"+name, attributes[name])
			members = append(members, fmt.Sprintf("%q:%q", name, attributes[name]))
		}
		return []response{f.do("POST", "/ns/name", "", headers...), f.structured("/ns/name", "{"+strings.Join(members, ",")+"}")}
	}
	for name := range all {
		less := maps.Clone(all)
		delete(less, name)
		for _, got := range send(less) {
			if got.code != 400 {
				t.Errorf("without %s: %d", name, got.code)
			}
		}
	}
	for _, version := range []string{"9000.1", "19.0", "10.0"} {
		other := maps.Clone(all)
		other["specversion"] = version
		for _, got := range send(other) {
			if got.code != 400 || !strings.Contains(got.detail, `specversion "`+version+`" is not supported, want 1.0 or 0.3`) {
				t.Errorf("version %s: %d, %s", version, got.code, got.detail)
			}
		}
	}
	if n := f.kafka.produced(); n != 0 {
		t.Errorf("%d records of invalid events", n)
	}
	for _, version := range []string{"0.3", "1.0"} {
		other := maps.Clone(all)
		other["specversion"] = version
		for _, got := range send(other) {
			if got.code != 202 {
				t.Errorf("version %s: %d", version, got.code)
			}
		}
	}
	for i, rec := range f.kafka.all() {
		if got, want := attributes(rec)["ce_specversion"][0], []string{"0.3", "0.3", "1.0", "1.0"}[i]; got != want {
			t.Errorf("specversion %s was stored as %s", want, got)
		}
	}
}

// The record that a request becomes; Broker attributes DP-49 and DP-50.
func TestRecord_DP41_DP48_DP49_DP50(t *testing.T) {
	now := time.Date(2024, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600))
	f := start(t, &fakeKafka{}, receiver.Config{BrokerTTL: 9, Now: func() time.Time { return now }})
	extra := []string{"Ce-Partitionkey", "k%20€", "Content-Type", "text/plain", "Foo", "no", "Knative-Foo", "a", "knatIve-Foo", "b",
		"x-requEst-id", "1234", "Ce-Knativearrivaltime", "1999-01-01T00:00:00Z", "Authorization", "no", "Prefer", "reply"}
	for _, path := range []string{"/ns/name", "/channels/test-namespace/test-channel"} {
		if got := f.binary(path, "data", extra...); got.code != 202 {
			t.Fatalf("%d %s", got.code, got.detail)
		}
	}
	records := f.kafka.all()
	broker, channel := attributes(records[0]), attributes(records[1])
	if records[0].Topic != "broker" || records[1].Topic != "channel" || value(t, records[0]) != "data" {
		t.Errorf("topics %s, %s", records[0].Topic, records[1].Topic)
	}
	if key, _ := records[0].Key.Encode(); string(key) != "k €" {
		t.Errorf("key %q", key)
	}
	want := map[string][]string{"ce_specversion": {"1.0"}, "ce_id": {"1"}, "ce_type": {"t"}, "ce_source": {"/s"},
		"ce_partitionkey": {"k €"}, "content-type": {"text/plain"}, "knative-foo": {"a", "b"}, "x-request-id": {"1234"},
		"ce_knativebrokerttl": {"9"}, "ce_knativearrivaltime": {"2024-02-03T03:05:06.000000007Z"}}
	if !maps.EqualFunc(broker, want, sameSet) {
		t.Errorf("Broker\ngot  %v\nwant %v", broker, want)
	}
	want["ce_knativearrivaltime"] = []string{"1999-01-01T00:00:00Z"}
	delete(want, "ce_knativebrokerttl")
	if !maps.EqualFunc(channel, want, sameSet) {
		t.Errorf("channel\ngot  %v\nwant %v", channel, want)
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestBrokerTTL_DP49(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for _, tc := range []struct{ given, stored string }{
		{"", "255"}, {"3", "2"}, {"2", "1"}, {"1", ""}, {"0", ""}, {"-5", ""}, {"abc", "255"}, {"1.5", "255"},
		{"300", "299"}, {"99999999999999999999", "255"},
	} {
		before := len(f.kafka.all())
		got := f.binary("/ns/name", "", "Ce-Knativebrokerttl", tc.given)
		records := f.kafka.all()[before:]
		if tc.stored == "" {
			if got.code != 400 || len(records) != 0 || !strings.Contains(got.detail, "knativebrokerttl") {
				t.Errorf("%q: %d %s, %d records", tc.given, got.code, got.detail, len(records))
			}
			continue
		}
		if got.code != 202 || attributes(records[0])["ce_knativebrokerttl"][0] != tc.stored {
			t.Errorf("%q: %d, stored %v, want %s", tc.given, got.code, attributes(records[0])["ce_knativebrokerttl"], tc.stored)
		}
	}
	if got := f.binary("/sinks/ns/s", "", "Ce-Knativebrokerttl", "0"); got.code != 202 {
		t.Errorf("a sink looks at the TTL: %d", got.code)
	}
}

func TestStructuredSink_DP41(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	if got := f.binary("/sinks/ns/json", `{"a":1}`, "Content-Type", "application/json", "Knative-A", "b"); got.code != 202 {
		t.Fatalf("%d %s", got.code, got.detail)
	}
	rec := f.kafka.all()[0]
	if got, want := value(t, rec), `{"specversion":"1.0","id":"1","type":"t","source":"/s","datacontenttype":"application/json","data":{"a":1}}`; len(got) != len(want) {
		t.Errorf("value %s", got)
	}
	want := map[string][]string{"content-type": {"application/cloudevents+json; charset=UTF-8"}, "knative-a": {"b"}}
	if got := attributes(rec); !maps.EqualFunc(got, want, sameSet) {
		t.Errorf("headers %v", got)
	}
}

// What Kafka's refusals become.
func TestKafkaRefuses_DP47(t *testing.T) {
	k := &fakeKafka{}
	f := start(t, k, receiver.Config{})
	for _, tc := range []struct {
		err    error
		code   int
		detail string
	}{
		{sarama.ErrMessageSizeTooLarge, 413, "too large"},
		{fmt.Errorf("produce: %w", sarama.ErrMessageSizeTooLarge), 413, `topic "broker"`},
		{sarama.ErrTopicAuthorizationFailed, 503, "not authorized"},
		{errors.New("no brokers"), 503, "no brokers"},
		{context.DeadlineExceeded, 503, "did not acknowledge the event within 30s"},
	} {
		k.err = func(*sarama.ProducerMessage) error { return tc.err }
		if got := f.binary("/ns/name", ""); got.code != tc.code || !strings.Contains(got.detail, tc.detail) {
			t.Errorf("%v: %d %s, want %d", tc.err, got.code, got.detail, tc.code)
		}
	}
}

func TestProduceTimeout_DP47(t *testing.T) {
	f := start(t, &fakeKafka{forever: true}, receiver.Config{ProduceTimeout: 20 * time.Millisecond})
	if got := f.binary("/ns/name", ""); got.code != 503 || !strings.Contains(got.detail, "within 20ms") {
		t.Errorf("%d %s", got.code, got.detail)
	}
	if got := f.do("POST", "/ns/name", "["+validJSON+","+validJSON+"]", "Content-Type", "application/cloudevents-batch+json"); got.code != 503 {
		t.Errorf("batch: %d %s", got.code, got.detail)
	}
}

// Section 3.3: the effective limit, less the room for a dead letter.
func TestEffectiveLimit(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	const limit = 20<<10 - 4<<10 // of /sinks/ns/small
	overhead := limit
	// Find the largest body that fits; the next byte must be refused.
	for n := limit - 200; n <= limit; n++ {
		if f.binary("/sinks/ns/small", strings.Repeat("x", n)).code != 202 {
			overhead = limit - n + 1
			break
		}
	}
	if overhead < 50 || overhead > 120 { // four attributes and lengths
		t.Errorf("the record's size beside its value is taken as %d bytes", overhead)
	}
	got := f.binary("/sinks/ns/small", "", "Ce-Big", strings.Repeat("x", limit))
	if got.code != 413 || !strings.Contains(got.detail, fmt.Sprint(limit)) {
		t.Errorf("attributes count too: %d %s", got.code, got.detail)
	}
	// A structured body may be larger than the record it becomes.
	base64 := strings.Repeat("QUFB", (limit-200)/3)
	if got := f.structured("/sinks/ns/small", strings.TrimSuffix(validJSON, "}")+`,"data_base64":"`+base64+`"}`); got.code != 202 {
		t.Errorf("structured: %d %s", got.code, got.detail)
	}
	if got := f.structured("/sinks/ns/small", strings.Repeat(" ", 2*limit)+validJSON); got.code != 413 {
		t.Errorf("structured, too large: %d %s", got.code, got.detail)
	}
}

// DP-35, DP-53: all or nothing.
func TestBatch_DP35_DP53(t *testing.T) {
	k := &fakeKafka{}
	f := start(t, k, receiver.Config{MaxBatchBytes: 64 << 10})
	batch := func(path string, events ...string) response {
		return f.do("POST", path, "["+strings.Join(events, ",")+"]", "Content-Type", "application/cloudevents-batch+json", "Knative-A", "b")
	}
	event := func(id int, more string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"s","type":"t"%s}`, id, more)
	}
	if got := batch("/ns/name", event(1, ""), event(2, `,"data":1`), event(3, "")); got.code != 202 || len(k.all()) != 3 {
		t.Fatalf("%d %s, %d records", got.code, got.detail, len(k.all()))
	}
	for _, rec := range k.all() {
		a := attributes(rec)
		if a["knative-a"][0] != "b" || a["ce_knativebrokerttl"][0] != "255" || a["ce_knativearrivaltime"] == nil {
			t.Errorf("record %v", a)
		}
	}
	before := k.produced()
	for _, tc := range []struct {
		path   string
		events []string
		code   int
		detail string
	}{
		{"/ns/name", []string{event(1, ""), `{}`}, 400, "index 1"},
		{"/ns/name", []string{event(1, ""), event(2, ""), event(3, `,"knativebrokerttl":1`)}, 400, "index 2"},
		{"/sinks/ns/small", []string{event(1, ""), event(2, `,"data":"`+strings.Repeat("x", 20<<10)+`"`)}, 413, "index 1"},
		{"/ns/name", []string{event(1, `,"data":"`+strings.Repeat("x", 65<<10)+`"`)}, 413, "65536"},
		{"/ns/name", []string{"1"}, 400, "index 0"},
	} {
		if got := batch(tc.path, tc.events...); got.code != tc.code || !strings.Contains(got.detail, tc.detail) {
			t.Errorf("got %d %s, want %d with %q", got.code, got.detail, tc.code, tc.detail)
		}
	}
	if k.produced() != before {
		t.Error("a refused batch was produced in part")
	}
	k.err = func(rec *sarama.ProducerMessage) error {
		if attributes(rec)["ce_id"][0] == "2" {
			return errors.New("no leader")
		}
		return nil
	}
	if got := batch("/ns/name", event(1, ""), event(2, ""), event(3, "")); got.code != 503 || !strings.Contains(got.detail, "no leader") {
		t.Errorf("%d %s", got.code, got.detail)
	}
}

// Events of one key keep their order in a batch.
func TestBatchKeepsTheOrderOfAKey(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	var events []string
	for i := range 300 {
		events = append(events, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"s","type":"t","partitionkey":"k%d"}`, i, i%3))
	}
	if got := f.do("POST", "/sinks/ns/s", "["+strings.Join(events, ",")+"]", "Content-Type", "application/cloudevents-batch+json"); got.code != 202 {
		t.Fatalf("%d %s", got.code, got.detail)
	}
	last := map[string]int{}
	for _, rec := range f.kafka.all() {
		a := attributes(rec)
		var id int
		if _, err := fmt.Sscan(a["ce_id"][0], &id); err != nil {
			t.Fatal(err)
		}
		if key := a["ce_partitionkey"][0]; id < last[key] {
			t.Fatalf("event %d of %s came after %d", id, key, last[key])
		} else {
			last[key] = id
		}
	}
}

// C8, DP-6, DP-52.
func TestOptions_DP52(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	g := start(t, &fakeKafka{}, receiver.Config{WebhookAllowedOrigins: []string{"good.example"}, WebhookAllowedRate: "120"})
	for _, tc := range []struct {
		f                          *fixture
		origin, wantOrigin, wantRt string
	}{
		{f, "", "*", "*"},
		{f, "any.example", "any.example", "*"},
		{g, "good.example", "good.example", "120"},
		{g, "GOOD.example", "GOOD.example", "120"},
		{g, "bad.example", "", ""},
		{g, "", "", ""},
	} {
		var headers []string
		if tc.origin != "" {
			headers = []string{"webhook-request-origin", tc.origin}
		}
		got := tc.f.do("OPTIONS", "/ns/name", "", headers...)
		if got.code != 200 || got.header.Get("WebHook-Allowed-Origin") != tc.wantOrigin || got.header.Get("WebHook-Allowed-Rate") != tc.wantRt {
			t.Errorf("origin %q: %d %v", tc.origin, got.code, got.header)
		}
	}
}

// The details tell what to change.
func TestDetails(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	for _, tc := range []struct {
		got  response
		want string
	}{
		{f.do("GET", "/ns/name", ""), "method GET is not allowed, want POST"},
		{f.structured("/ns/other", validJSON), `there is no Broker "other" in namespace "ns"`},
		{f.structured("/channels/ns/c", validJSON), `there is no channel "c" in namespace "ns"`},
		{f.structured("/sinks/ns/c", validJSON), `there is no KafkaSink "c" in namespace "ns"`},
		{f.structured("/x", validJSON), `path "/x" is no address, want /<namespace>/<broker>`},
		{f.structured("/ns/later", validJSON), `topic "later" does not exist yet`},
		{f.structured("/ns/name", validJSON, "Content-Encoding", "br"), `Content-Encoding "br" is not supported, want none or identity`},
		{f.do("POST", "/ns/name", "{}", "Content-Type", "application/json"), "this is not a CloudEvent: want the header ce-specversion"},
		{f.binary("/ns/name", "", "Ce-Time", "noon"), `ce-time "noon" is not a time, want RFC 3339`},
	} {
		if !strings.Contains(tc.got.detail, tc.want) {
			t.Errorf("detail %q, want %q", tc.got.detail, tc.want)
		}
	}
}

// Routes are replaced at once, while requests are under way.
func TestSetRoutes(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	other := &fakeKafka{}
	f.r.SetRoutes([]receiver.Route{{Kind: receiver.Sink, Namespace: "ns", Name: "s", Path: "/sinks/ns/s", Topic: "moved", Producer: other}})
	if got := f.structured("/ns/name", validJSON); got.code != 404 {
		t.Errorf("a removed route answers %d", got.code)
	}
	if got := f.structured("/sinks/ns/s", validJSON); got.code != 202 || other.all()[0].Topic != "moved" {
		t.Errorf("a changed route answers %d", got.code)
	}
	f.r.SetRoutes(nil)
	if got := f.structured("/sinks/ns/s", validJSON); got.code != 404 {
		t.Errorf("without routes: %d", got.code)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	for name, cfg := range map[string]receiver.Config{
		"MaxEventBytes":       {MaxEventBytes: -1},
		"MaxBatchBytes":       {MaxBatchBytes: -1},
		"MaxInflightRequests": {MaxInflightRequests: -1},
		"MaxInflightBytes":    {MaxInflightBytes: 1000},
		"ProduceTimeout":      {ProduceTimeout: -1},
		"BrokerTTL":           {BrokerTTL: -1},
		"HeaderTimeout":       {HeaderTimeout: -1},
		"BodyTimeout":         {BodyTimeout: -1},
		"WriteTimeout":        {WriteTimeout: -1},
		"IdleTimeout":         {IdleTimeout: -1},
		"MaxConnections":      {MaxConnections: -1},
		"WebhookAllowedRate":  {WebhookAllowedRate: "1\r\n"},
	} {
		if _, err := receiver.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
