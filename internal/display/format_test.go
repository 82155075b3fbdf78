package display

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// message builds an event from name, value pairs.
func message(data string, attributes ...string) *event.Message {
	m := &event.Message{}
	for i := 0; i < len(attributes); i += 2 {
		m.Set(attributes[i], attributes[i+1])
	}
	if data != "" {
		m.Data = []byte(data)
	}
	return m
}

func TestFormat(t *testing.T) {
	tests := map[string]struct {
		event *event.Message
		want  string
	}{
		"a ping": {
			message(`{"message":"Hello","n":[1,2]}`,
				"datacontenttype", "application/json", "id", "1", "specversion", "1.0", "knativearrivaltime", "2026-01-02T03:04:05Z",
				"type", "dev.knative.sources.ping", "source", "/apis/v1/x", "time", "2026-01-02T03:04:05.5+01:00", "abc", "d"),
			`☁️  cloudevents.Event
Context Attributes,
  specversion: 1.0
  type: dev.knative.sources.ping
  source: /apis/v1/x
  id: 1
  time: 2026-01-02T03:04:05.5+01:00
  datacontenttype: application/json
Extensions,
  abc: d
  knativearrivaltime: 2026-01-02T03:04:05Z
Data,
  {
    "message": "Hello",
    "n": [
      1,
      2
    ]
  }
`,
		},
		"no data, no extensions": {
			message("", "specversion", "1.0", "type", "t", "source", "s", "id", "1", "subject", "x"),
			`☁️  cloudevents.Event
Context Attributes,
  specversion: 1.0
  type: t
  source: s
  subject: x
  id: 1
`,
		},
		"JSON of another type, and none": {
			message(`[]`, "specversion", "0.3", "schemaurl", "u", "datacontenttype", "application/vnd.x+json; charset=utf-8"),
			`☁️  cloudevents.Event
Context Attributes,
  specversion: 0.3
  schemaurl: u
  datacontenttype: application/vnd.x+json; charset=utf-8
Data,
  []
`,
		},
		"what claims to be JSON": {
			message(`{"a":`, "datacontenttype", "application/json"),
			"☁️  cloudevents.Event\nContext Attributes,\n  datacontenttype: application/json\nData,\n  {\"a\":\n",
		},
		"text of several lines": {
			message("one\ntwo", "datacontenttype", "text/plain"),
			"☁️  cloudevents.Event\nContext Attributes,\n  datacontenttype: text/plain\nData,\n  one\ntwo\n",
		},
		"binary": {
			message("\xff\x00", "datacontenttype", "image/png"),
			"☁️  cloudevents.Event\nContext Attributes,\n  datacontenttype: image/png\nData (binary),\n  /wA=\n",
		},
		"what would steer a terminal": {
			message("a\x1b[31mb\r\nc", "datacontenttype", "text/plain", "subject", "x\x07\ny"),
			"☁️  cloudevents.Event\nContext Attributes,\n  subject: x\\u0007\\ny\n  datacontenttype: text/plain\nData,\n  a\\u001b[31mb\\r\nc\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Format(test.event); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestFormatIsTheSDKs compares with what Knative's event_display prints.
func TestFormatIsTheSDKs(t *testing.T) {
	word := rapid.StringMatching(`[a-z][a-z0-9./-]{0,8}`)
	name := rapid.StringMatching(`x[a-z0-9]{1,5}`)
	rapid.Check(t, func(t *rapid.T) {
		sdk := cloudevents.NewEvent(rapid.SampledFrom([]string{"1.0", "0.3"}).Draw(t, "version"))
		m := &event.Message{}
		m.Set(event.SpecVersion, sdk.SpecVersion())
		set := func(attribute string, to func(string)) {
			value := word.Draw(t, attribute)
			to(value)
			m.Set(attribute, value)
		}
		set(event.ID, sdk.SetID)
		set(event.Source, sdk.SetSource)
		set(event.Type, sdk.SetType)
		if rapid.Bool().Draw(t, "has subject") {
			set(event.Subject, sdk.SetSubject)
		}
		if rapid.Bool().Draw(t, "has time") {
			at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0)
			sdk.SetTime(at)
			m.Set(event.Time, at.UTC().Format(time.RFC3339Nano))
		}
		for range rapid.IntRange(0, 3).Draw(t, "extensions") {
			extension := name.Draw(t, "extension")
			set(extension, func(value string) { sdk.SetExtension(extension, value) })
		}
		data := rapid.SampledFrom([][2]string{
			{"", ""}, {"application/json", `{"a":{"b":[1,"x"]}}`}, {"application/json", `"text"`},
			{"text/plain", "hello"}, {"application/xml", "<a/>"},
		}).Draw(t, "data")
		if data[0] != "" {
			sdk.SetDataContentType(data[0])
			sdk.DataEncoded = []byte(data[1]) // as it comes over HTTP
			m.Set(event.DataContentType, data[0])
			m.Data = []byte(data[1])
		}
		if got, want := Format(m), Headline+"\n"+sdk.String(); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestPrinter(t *testing.T) {
	tests := map[string]struct {
		colour bool
		prints [][2]string // label, text
		want   string
	}{
		"no label":          {false, [][2]string{{"", "a\nb\n"}}, "a\nb\n"},
		"no label, colours": {true, [][2]string{{"", "a\n"}}, "a\n"},
		"every line":        {false, [][2]string{{"one", "a\n\nb"}}, "one | a\none | \none | b\n"},
		"a colour each": {
			true,
			[][2]string{{"one", "a\n"}, {"two", "b\n"}, {"one", "c\n"}},
			"\x1b[36mone |\x1b[0m a\n\x1b[33mtwo |\x1b[0m b\n\x1b[36mone |\x1b[0m c\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := NewPrinter(&out, test.colour)
			for _, one := range test.prints {
				if err := p.Print(one[0], one[1]); err != nil {
					t.Fatal(err)
				}
			}
			if out.String() != test.want {
				t.Errorf("got %q, want %q", out.String(), test.want)
			}
		})
	}
}

// writes counts the calls of Write.
type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.Buffer.Write(p)
}

func TestPrinterNeverInterleaves(t *testing.T) {
	out := &writes{}
	p := NewPrinter(out, false)
	var all sync.WaitGroup
	for _, label := range []string{"a", "b", "c", "d"} {
		all.Go(func() {
			for range 50 {
				if err := p.Print(label, "1\n2\n3\n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if out.n != 200 {
		t.Errorf("%d writes for 200 texts", out.n)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i := 0; i < len(lines); i += 3 {
		label := lines[i][:1]
		if lines[i] != label+" | 1" || lines[i+1] != label+" | 2" || lines[i+2] != label+" | 3" {
			t.Fatalf("mixed: %q", lines[i:i+3])
		}
	}
}
