package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// mode is a content mode of the HTTP binding.
type mode string

const (
	binary     mode = "binary"
	structured mode = "structured"
	batch      mode = "batch"
)

// event is an event as a program means it: attributes are not coded.
type event struct {
	Attributes map[string]string `json:"attributes"`
	Data       []byte            `json:"data,omitempty"`
}

func (e event) id() string { return e.Attributes["id"] }

// with is a copy with other attributes.
func (e event) with(attributes map[string]string) event {
	all := maps.Clone(e.Attributes)
	maps.Copy(all, attributes)
	return event{all, e.Data}
}

// instant is the time of most events.
const instant = "2020-03-21T12:34:56.789Z"

// allBytes is data that is no text.
func allBytes() []byte {
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	return all
}

// events are what each client sends and reads. prefix makes their ids.
func events(prefix string) []event {
	var all []event
	add := func(name string, data []byte, attributes map[string]string) {
		e := event{map[string]string{
			"specversion": "1.0", "id": prefix + name, "type": "com.example.interop",
			"source": "https://example.com/orders", "time": instant,
		}, data}
		all = append(all, e.with(attributes))
	}
	add("plain", []byte(`{"n":1}`), map[string]string{"datacontenttype": "application/json"})
	add("full", []byte(`{"item":{"name":"Brötchen €","count":2},"list":[1,2.5,true,null]}`), map[string]string{
		"datacontenttype": "application/json; charset=utf-8", "subject": "order/1", "dataschema": "https://example.com/schema",
		"exstring": "value", "exint": "42", "exbool": "true", "partitionkey": "customer-1",
	})
	add("nodata", nil, nil)
	add("bytes", allBytes(), map[string]string{"datacontenttype": "application/octet-stream"})
	add("text", []byte("Grüße, 世界\n"), map[string]string{"datacontenttype": "text/plain; charset=utf-8"})
	add("untyped", []byte(`{"n":1}`), nil)
	add("spaces", nil, map[string]string{"subject": "a b  c", "ex": "two words"})
	add("percent", nil, map[string]string{"subject": "100% sure", "ex": "50%25 %41"})
	add("quotes", nil, map[string]string{"subject": `say "hi"`, "ex": `"quoted"`})
	add("latin", nil, map[string]string{"subject": "Grüße"})
	add("unicode", nil, map[string]string{"subject": "世界 €", "ex": "🚀"})
	add("uri", nil, map[string]string{"source": "https://example.com/a%20b"})
	add("time", nil, map[string]string{"time": "2020-03-21T14:34:56.123456789+02:00"})
	add("notime", nil, nil)
	delete(all[len(all)-1].Attributes, "time")
	return all
}

// now as a wanted time is the time of the test.
const now = "now"

// Attributes that Kurier adds to what it delivers, and at the ingress of a Broker before.
var (
	position = []string{"knativekafkapartition", "knativekafkaoffset"}
	added    = append([]string{"knativearrivaltime"}, position...)
)

// received is the event of a request as it stands on the wire, percent-decoded. It must
// carry the attributes that Kurier adds, which are taken away.
func received(t testing.TB, r *harness.Request, added []string) event {
	t.Helper()
	e := event{map[string]string{}, r.Body}
	for name, values := range r.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			if strings.ContainsFunc(values[0], func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }) {
				t.Errorf("header ce-%s: %q is not percent-coded", name, values[0])
			}
			value, err := url.PathUnescape(values[0])
			if err != nil || len(values) != 1 {
				t.Errorf("header ce-%s: %q: %v", name, values, err)
			}
			e.Attributes[name] = value
		}
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		e.Attributes["datacontenttype"] = kind
	}
	without(t, e.Attributes, added)
	return e
}

func without(t testing.TB, attributes map[string]string, added []string) {
	t.Helper()
	for _, name := range added {
		if attributes[name] == "" {
			t.Errorf("%s has no %s", attributes["id"], name)
		}
		delete(attributes, name)
	}
}

// difference tells how two events differ; JSON data is compared as JSON, and so is data
// without a type: it counts as JSON.
func difference(got, want event) string {
	var all []string
	for name := range merged(got.Attributes, want.Attributes) {
		g, inGot := got.Attributes[name]
		w, inWant := want.Attributes[name]
		if at, err := time.Parse(time.RFC3339Nano, g); name == "time" && w == now && err == nil && time.Since(at).Abs() < time.Hour {
			continue
		}
		if g != w || inGot != inWant {
			all = append(all, fmt.Sprintf("%s is %q (there: %t), want %q (there: %t)", name, g, inGot, w, inWant))
		}
	}
	if !sameData(got, want) {
		all = append(all, fmt.Sprintf("data is %q, want %q", got.Data, want.Data))
	}
	return strings.Join(all, "; ")
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func sameData(got, want event) bool {
	kind := want.Attributes["datacontenttype"]
	if kind != "" && !strings.HasPrefix(kind, "application/json") || len(want.Data) == 0 {
		return bytes.Equal(got.Data, want.Data)
	}
	var g, w any
	if json.Unmarshal(got.Data, &g) != nil || json.Unmarshal(want.Data, &w) != nil {
		return false
	}
	return reflect.DeepEqual(g, w)
}
