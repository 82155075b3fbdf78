package event_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/event"
)

const head = `"specversion":"1.0","id":"1","type":"t","source":"/s"`

// Section 3.4: what becomes of data.
func TestFromStructured_Data(t *testing.T) {
	for _, tc := range []struct {
		members string
		want    string // "-" for no data
	}{
		{``, "-"},
		{`,"data":null`, "-"},
		{`,"data_base64":null`, "-"},
		{`,"data":null,"data_base64":"aGk="`, "hi"},
		{`,"data":{"a": [1, 2]}`, `{"a": [1, 2]}`},
		{`,"data": "text" `, `"text"`},
		{`,"data":"text","datacontenttype":"text/json"`, `"text"`},
		{`,"data":"text","datacontenttype":"application/VND.x+JSON; charset=utf-8"`, `"text"`},
		{`,"data":"text","datacontenttype":"text/plain"`, `text`},
		{`,"datacontenttype":"text/plain","data":"a\nb\u20ac"`, "a\nb€"},
		{`,"datacontenttype":"application/xml","data":""`, ``},
		{`,"data":{"a":1},"datacontenttype":"text/plain"`, `{"a":1}`},
		{`,"data":12.50`, `12.50`},
		{`,"data":true`, `true`},
		{`,"data":[]`, `[]`},
		{`,"data_base64":"AP8="`, "\x00\xff"},
		{`,"data_base64":""`, ""},
		{`,"data_base64":"AP8\u003d"`, "\x00\xff"},
		{`,"data":"\"}],{["`, `"\"}],{["`},
	} {
		m := mustStructured(t, "{"+head+tc.members+"}")
		got := "-"
		if m.Data != nil {
			got = string(m.Data)
		}
		if got != tc.want {
			t.Errorf("%s: data %q, want %q", tc.members, got, tc.want)
		}
	}
}

// Version 0.3 marks binary data by datacontentencoding.
func TestFromStructured_Base64Of03(t *testing.T) {
	m := mustStructured(t, `{"specversion":"0.3","id":"1","type":"t","source":"/s","datacontentencoding":"base64","data":"AP8="}`)
	if string(m.Data) != "\x00\xff" {
		t.Errorf("data %q", m.Data)
	}
	out, err := m.Structured()
	if err != nil || !strings.Contains(string(out), `"data":"AP8="`) {
		t.Errorf("%s, %v", out, err)
	}
	m.Delete("datacontentencoding")
	if out, _ = m.Structured(); !strings.Contains(string(out), `"datacontentencoding":"base64","data":"AP8="`) {
		t.Errorf("%s", out)
	}
	if again := mustStructured(t, string(out)); string(again.Data) != "\x00\xff" {
		t.Errorf("data %q", again.Data)
	}
}

// Attribute strings are kept as received, other types become canonical strings.
func TestFromStructured_Attributes(t *testing.T) {
	m := mustStructured(t, ` { "specversion" : "1.0" , "id":"\u0041","type":"t","source":"/s%20x",
		"time":"2020-03-21T12:34:56.7800+00:00","boolext":true,"intext":-42,"zero":-0,"big":99999999999999999999,
		"absent":null,"UPPER":"u","empty":"","binext":"AAECAw==" } `)
	want := map[string]string{"specversion": "1.0", "id": "A", "type": "t", "source": "/s%20x",
		"time": "2020-03-21T12:34:56.7800+00:00", "boolext": "true", "intext": "-42", "zero": "0",
		"big": "99999999999999999999", "upper": "u", "empty": "", "binext": "AAECAw=="}
	if got := attributes(m); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFromStructured_Refused(t *testing.T) {
	for _, tc := range []struct{ doc, name string }{
		{``, "body is empty"}, {`  `, "body is empty"}, {`not an event`, "not JSON"}, {`{`, "not JSON"}, {`{}x`, "not JSON"},
		{`[]`, "not a JSON object"}, {`"x"`, "not a JSON object"}, {`null`, "not a JSON object"}, {`{}`, "specversion is missing"},
		{`{"specversion":"1.0","type":"t","source":"/s"}`, "id is missing"},
		{`{"specversion":"9000.1","id":"1","type":"t","source":"/s"}`, `specversion "9000.1" is not supported, want 1.0 or 0.3`},
		{`{"specversion":1.0,"id":"1","type":"t","source":"/s"}`, "specversion"},
		{`{"specversion":"1.0","id":1,"type":"t","source":"/s"}`, "id \"1\" is not a JSON string"},
		{`{"specversion":"1.0","id":null,"type":"t","source":"/s"}`, "id is missing"},
		{`{` + head + `,"data":1,"data_base64":""}`, "data_base64 is given together with data"},
		{`{` + head + `,"data_base64":1}`, "data_base64 is not a JSON string"},
		{`{` + head + `,"data_base64":"a"}`, "data_base64 \"a\" is not base64"},
		{`{` + head + `,"data":1,"data":2}`, "data is given twice"},
		{`{` + head + `,"id":"2"}`, "id is given twice"},
		{`{` + head + `,"ID":"2"}`, "id is given twice"},
		{`{` + head + `,"ext":{}}`, "ext"}, {`{` + head + `,"ext":[]}`, "ext"}, {`{` + head + `,"ext":1.5}`, "ext"}, {`{` + head + `,"ext":1e3}`, "ext"},
		{`{` + head + `,"my_ext":"x"}`, "my_ext is no attribute name"}, {`{` + head + `,"":"x"}`, "empty attribute name"},
		{`{` + head + `,"subject":""}`, "subject is empty"}, {`{` + head + `,"time":"yesterday"}`, "time"},
		{`{` + head + `,"dataschema":"/rel"}`, "dataschema"}, {`{` + head + `,"datacontenttype":"x\r\ny: z"}`, "datacontenttype"},
		{"{" + head + ",\"ext\":\"\xff\"}", "is not UTF-8"}, {"{" + head + ",\"\xff\":\"x\"}", "not UTF-8"},
		{"{" + head + ",\"datacontenttype\":\"text/plain\",\"data\":\"\xff\"}", "data is not UTF-8"},
	} {
		m, err := event.FromStructured([]byte(tc.doc))
		invalid := (*event.InvalidError)(nil)
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), tc.name) {
			t.Errorf("%s: %v, %v, want an error with %q", tc.doc, m, err, tc.name)
		}
	}
}

// Section 4.4: the envelope.
func TestStructured_Envelope(t *testing.T) {
	for _, tc := range []struct{ dct, data, want string }{
		{"application/json", `{"a":1}`, `"data":{"a":1}`},
		{"", `[1]`, `"data":[1]`},
		{"text/json", `"hello"`, `"data":"hello"`},
		{"text/json", `hello`, `"data_base64":"aGVsbG8="`},
		{"application/json", `{broken`, `"data_base64":"e2Jyb2tlbg=="`},
		{"application/json", " null\n", `"data_base64":"IG51bGwK"`},
		{"application/json", "\"\xff\"", `"data_base64":"Iv8i"`},
		{"text/plain", "a\"b\\\n\x01<€>", `"data":"a\"b\\\n\u0001<€>"`},
		{"Text/HTML; charset=utf-8", "x", `"data":"x"`},
		{"text/plain", "\xff", `"data_base64":"/w=="`},
		{"text/plain", "", `"data":""`},
		{"application/xml", "<a/>", `"data_base64":"PGEvPg=="`},
		{"application/json", "", `"data_base64":""`},
	} {
		m := mustStructured(t, "{"+head+"}")
		want := "{" + head
		if tc.dct != "" {
			m.Set("datacontenttype", tc.dct)
			want += `,"datacontenttype":"` + tc.dct + `"`
		}
		m.Data = []byte(tc.data)
		got, err := m.Structured()
		if err != nil || string(got) != want+","+tc.want+"}" {
			t.Errorf("%s %q:\ngot  %s, %v\nwant %s,%s}", tc.dct, tc.data, got, err, want, tc.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", got)
		}
		if again := mustStructured(t, string(got)); string(again.Data) != tc.data {
			t.Errorf("data %q came back as %q", tc.data, again.Data)
		}
	}
	if got, _ := mustStructured(t, "{"+head+"}").Structured(); string(got) != "{"+head+"}" {
		t.Errorf("without data: %s", got)
	}
}

// DP-35, DP-53.
func TestFromBatch_DP35(t *testing.T) {
	batch, err := event.FromBatch([]byte(` [ {` + head + `} , {` + head + `,"data":1}, {"specversion":"0.3","id":"3","type":"t","source":"/s"}]`))
	if err != nil || len(batch) != 3 || string(batch[1].Data) != "1" {
		t.Fatalf("%v, %v", batch, err)
	}
	if batch, err = event.FromBatch([]byte(`[]`)); err != nil || len(batch) != 0 {
		t.Errorf("empty batch: %v, %v", batch, err)
	}
	_, err = event.FromBatch([]byte(`[{` + head + `},{"specversion":"1.0","id":"1","type":"t"}]`))
	bad := (*event.BatchError)(nil)
	if !errors.As(err, &bad) || bad.Index != 1 || err.Error() != "event at index 1 of the batch: source is missing, every CloudEvent has one" {
		t.Errorf("got %v", err)
	}
	for _, doc := range []string{``, `{}`, `[1]`, `[[]]`, `[`, `null`, `[{}]`, `[{` + head + `},]`} {
		if batch, err := event.FromBatch([]byte(doc)); err == nil {
			t.Errorf("FromBatch(%s) = %v, want an error", doc, batch)
		}
	}
}
