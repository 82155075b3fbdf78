package dispatcher

import (
	"strings"
	"testing"

	"kurier.dev/kurier/internal/event"
)

// The rows of section 8.6 that concern the extensions alone.
func TestErrorExtensions(t *testing.T) {
	const html = "<!doctype html>\n<html>\n<head>\n    <title>Error Page(tm)</title>\n</head>\n<body>\n<p>Quoth the server, 404!\n</body></html>"
	for _, c := range []struct {
		id      string
		failure failure
		before  string // attributes the event brought
		want    string
		ignored int
	}{
		{id: "CT-B26", failure: failure{dest: "http://fake.svc.cluster.local", reason: ReasonConnection},
			want: "knativeerrordest=http://fake.svc.cluster.local kurierreason=connection"},
		{id: "CT-B27", failure: failure{dest: "http://s", code: 422}, want: "knativeerrordest=http://s knativeerrorcode=422"},
		{id: "CT-B28", failure: failure{dest: "http://s", code: 422, body: []byte(`{ "message": "catastrophic failure" }`)},
			want: "knativeerrordest=http://s knativeerrorcode=422 knativeerrordata=eyAibWVzc2FnZSI6ICJjYXRhc3Ryb3BoaWMgZmFpbHVyZSIgfQ=="},
		{id: "CT-C14c", failure: failure{dest: "http://s", code: 422, body: []byte(html)},
			want: "knativeerrordest=http://s knativeerrorcode=422 knativeerrordata=PCFkb2N0eXBlIGh0bWw+CjxodG1sPgo8aGVhZD4KICAgIDx0aXRsZT5FcnJvciBQYWdlKHRtKTwvdGl0bGU+CjwvaGVhZD4KPGJvZHk+CjxwPlF1b3RoIHRoZSBzZXJ2ZXIsIDQwNCEKPC9ib2R5PjwvaHRtbD4="},
		{id: "CT-K6", failure: failure{dest: "http://s", code: 422, body: []byte(strings.Repeat("X", 1024) + "YYYYYYY")},
			want: "knativeerrordest=http://s knativeerrorcode=422 knativeerrordata=" + strings.Repeat("WFhY", 341) + "WA=="},
		{id: "CT-K8", failure: failure{dest: "http://s", code: 422, headers: []event.Header{{Name: "Kne-Test", Value: "foo"}, {Name: "Date", Value: "x"}}},
			want: "knativeerrordest=http://s knativeerrorcode=422 test=foo"},
		{id: "own: names that cannot be", failure: failure{dest: "http://s", code: 422, headers: []event.Header{
			{Name: "Kne-Foo-Bar", Value: "x"}, {Name: "Kne-Id", Value: "x"}, {Name: "kne-knativeerrorcode", Value: "1"},
			{Name: "kne-knativebrokerttl", Value: "1"}, {Name: "kne-", Value: "1"}, {Name: "KNE-OK", Value: "1"},
			{Name: "kne-bad", Value: "\x01"}, {Name: "kne-data", Value: "1"}, {Name: "kne-kurierreason", Value: "1"}}},
			want: "knativeerrordest=http://s knativeerrorcode=422 ok=1", ignored: 8},
		{id: "own: C16", before: "knativeerrorcode=7 knativeerrordata=old kurierreason=old x=1",
			failure: failure{dest: "http://s", reason: ReasonTimeout}, want: "x=1 knativeerrordest=http://s kurierreason=timeout"},
	} {
		m := &event.Message{}
		for pair := range strings.FieldsSeq(c.before) {
			name, value, _ := strings.Cut(pair, "=")
			m.Set(name, value)
		}
		ignored := setErrorExtensions(m, &c.failure, trimNothing)
		if got := attributes(m); got != c.want || ignored != c.ignored {
			t.Errorf("%s: %s (%d ignored)\nwant %s (%d ignored)", c.id, got, ignored, c.want, c.ignored)
		}
	}
}

func TestErrorExtensionsTrimmed(t *testing.T) {
	f := &failure{dest: "http://s", code: 500, body: []byte("x"), headers: []event.Header{{Name: "Kne-Test", Value: "foo"}}}
	for level, want := range map[trim]string{
		trimNothing:  "knativeerrordest=http://s knativeerrorcode=500 knativeerrordata=eA== test=foo",
		trimData:     "knativeerrordest=http://s knativeerrorcode=500 test=foo",
		trimAllButID: "knativeerrordest=http://s knativeerrorcode=500",
	} {
		m := &event.Message{}
		setErrorExtensions(m, f, level)
		if got := attributes(m); got != want {
			t.Errorf("level %d: %s, want %s", level, got, want)
		}
	}
}

func attributes(m *event.Message) string {
	var list []string
	for _, a := range m.Attributes {
		list = append(list, a.Name+"="+a.Value)
	}
	return strings.Join(list, " ")
}
