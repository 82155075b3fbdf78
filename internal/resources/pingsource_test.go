package resources

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	_ "time/tzdata"
)

func TestPingSourceValidation(t *testing.T) {
	ping := func(more string) string { return pingText("p", `{sink: {uri: "http://s.example.com"}`+more+"}") }
	limit := func(n string) string { return configMapText("config-ping-defaults", "data-max-size", n) }
	large, encoded := strings.Repeat("x", 5000), strings.Repeat("QUFB", 1667)
	checkRows(t, []row{
		{id: "VA-24/five_fields", text: ping(", schedule: '*/2 * * * *'")},
		{id: "VA-24/six_fields", text: ping(", schedule: '0/5 * * * * *'")},
		{id: "VA-24/question_mark", text: ping(", schedule: '10 0/5 * * * ?'")},
		{id: "VA-24/descriptor", text: ping(", schedule: '@hourly'")},
		{id: "VA-24/no_schedule", text: ping("")},
		{id: "VA-24/timezone", text: ping(", schedule: '*/2 * * * *', timezone: Europe/Paris")},
		{id: "VA-24/json", text: ping(`, contentType: application/json, data: '{"msg": "Hello World"}'`)},
		{id: "VA-24/any_json", text: ping(`, contentType: application/json, data: '[1]'`)},
		{id: "VA-24/text_base64", text: ping(", contentType: text/plain, dataBase64: SGVsbG8gV29ybGQu")},
		{id: "VA-24/large_unlimited", text: ping(", data: " + large), extra: limit("-1")},
		{id: "VA-24/large", text: ping(", data: " + large)},
		{id: "VA-24/bad_timezone", text: ping(", timezone: Knative/Land"),
			want: []string{"invalid value: provided bad location Knative/Land: unknown time zone Knative/Land: spec.timezone"}},
		{id: "VA-24/bad_schedule", text: ping(", schedule: '2'"), want: []string{"invalid value: expected 5 to 6 fields, found 1: [2]: spec.schedule"}},
		{id: "VA-24/no_sink", text: pingText("p", "{}"), want: []string{"expected at least one, got none: spec.sink.ref, spec.sink.uri"}},
		{id: "VA-24/data_twice", text: ping(", data: x, dataBase64: QUFB"), want: []string{"expected exactly one, got both: spec.data, spec.dataBase64"}},
		{id: "VA-24/bad_base64", text: ping(", dataBase64: '$$$ invalid base64 string $$$'"),
			want: []string{"invalid value: illegal base64 data at input byte 0: spec.dataBase64"}},
		{id: "VA-24/bad_json", text: ping(", contentType: application/json, data: Invalid JSON"),
			want: []string{"invalid value: invalid character 'I' looking for beginning of value: spec.data"}},
		{id: "VA-24/bad_json_base64", text: ping(", contentType: application/json, dataBase64: SW52YWxpZCBKU09O"),
			want: []string{"invalid value: invalid character 'I' looking for beginning of value: spec.dataBase64"}},
		{id: "VA-24/too_large", text: ping(", data: " + large), extra: limit("4096"),
			want: []string{"invalid value: the data length of 5000 bytes exceeds limit set at 4096.: spec.data"}},
		{id: "VA-24/too_large_base64", text: ping(", dataBase64: " + encoded), extra: limit("4096"),
			want: []string{"invalid value: the dataBase64 length of 6668 bytes exceeds limit set at 4096.: spec.dataBase64"}},
		{id: "VA-24/every", text: ping(", schedule: '@every 2h'"), want: []string{"invalid value: unsupported descriptor @every: spec.schedule"}},
		{id: "VA-24/every_with_timezone", text: ping(", schedule: '@every 2h', timezone: Europe/Paris"),
			want: []string{"invalid value: unsupported descriptor @every: spec.schedule"}},
		{id: "VA-24/extension", text: ping(", ceOverrides: {extensions: {Invalid_type: x}}"),
			want: []string{"invalid key name \"Invalid_type\": spec.ceOverrides.extensions\nkeys are expected to be alphanumeric"}},
		{id: "VA-24/parser_panics", text: ping(", schedule: TZ=0"), want: []string{"invalid value: a time zone belongs into spec.timezone: TZ=0: spec.schedule"}},
	})
}

func TestPingSourcePlan(t *testing.T) {
	for _, version := range []string{"v1", "v1beta2"} {
		plan := mustLoad(t, options(), channelText("InMemoryChannel", "c", "{}"), manifestText("sources.knative.dev/"+version, "PingSource", "p",
			`{sink: {ref: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: c}}, timezone: Europe/Paris, contentType: text/plain,
  dataBase64: aGVsbG8sIHdvcmxkIQ==, ceOverrides: {extensions: {region: eu}}}`))
		want := Ping{Ref: Ref{"PingSource", "test-ns", "p"}, Schedule: "* * * * *", Timezone: "Europe/Paris", ContentType: "text/plain", Data: []byte("hello, world!"),
			Extensions: map[string]string{"region": "eu"}, Sink: Destination{URL: "http://ingress:8080/channels/test-ns/c", Ref: Ref{"InMemoryChannel", "test-ns", "c"}}}
		if len(plan.Pings) != 1 || !reflect.DeepEqual(plan.Pings[0], want) {
			t.Errorf("%s: %s", version, fmt.Sprintf("%+v", plan.Pings))
		}
	}
	plan := mustLoad(t, options(), pingText("p", "{sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: x}}}"))
	if got := condition(find(t, plan, "pingsource/test-ns/p"), "SinkProvided"); got != `False NotFound: Broker "x" in namespace "test-ns" does not exist` || len(plan.Pings[0].Blocked) != 1 {
		t.Errorf("SinkProvided: %q, blocked: %v", got, plan.Pings[0].Blocked)
	}
}
