package event_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	sdk "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"kurier.dev/kurier/internal/event"
)

// Events that both the SDK and Kurier can express: no value needs percent-coding
// and none is in a form that the SDK would rewrite.
var shared = map[string]struct {
	headers []string
	body    string
}{
	"minimal": {[]string{"ce-specversion", "1.0", "ce-id", "min-event", "ce-type", "com.example.MinEvent", "ce-source", "http://example.com/source"}, ""},
	"full": {[]string{"ce-specversion", "1.0", "ce-id", "full-event", "ce-type", "com.example.FullEvent", "ce-source", "http://example.com/source",
		"ce-subject", "topic", "ce-time", "2020-03-21T12:34:56.78Z", "ce-dataschema", "http://example.com/schema", "content-type", "text/json",
		"ce-exbool", "true", "ce-exint", "42", "ce-exstring", "exstring", "ce-exbinary", "AAECAw==", "ce-exurl", "http://example.com/source",
		"ce-extime", "2020-03-21T12:34:56.78Z"}, `"hello"`},
	"keyed 0.3": {[]string{"ce-specversion", "0.3", "ce-id", "1", "ce-type", "t", "ce-source", "/s", "ce-schemaurl", "http://example.com/schema",
		"content-type", "application/json", "ce-partitionkey", "k"}, `{"a":1}`},
	"bytes": {[]string{"ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "ce-source", "/s", "content-type", "application/octet-stream"}, "\x00\xff"},
	"text":  {[]string{"ce-specversion", "1.0", "ce-id", "1", "ce-type", "t", "ce-source", "/s", "content-type", "text/plain"}, "a <b> \"c\""},
}

func httpRequest(headers event.HeaderSeq, body []byte) *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	for name, value := range headers {
		req.Header.Add(name, value)
	}
	return req
}

func sdkEvent(t *testing.T, m binding.Message) *sdk.Event {
	t.Helper()
	e, err := binding.ToEvent(context.Background(), m)
	if err != nil {
		t.Fatalf("the SDK does not read it: %v", err)
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("the SDK finds it invalid: %v", err)
	}
	return e
}

func headerSet(headers []sarama.RecordHeader) map[string]string {
	all := map[string]string{}
	for _, h := range headers {
		all[string(h.Key)] = string(h.Value)
	}
	return all
}

// Kurier writes the record that kafka_sarama writes.
func TestSDK_SameRecord(t *testing.T) {
	for name, tc := range shared {
		t.Run(name, func(t *testing.T) {
			var theirs sarama.ProducerMessage
			in := cehttp.NewMessageFromHttpRequest(httpRequest(pairs(tc.headers...), []byte(tc.body)))
			if err := kafka_sarama.WriteProducerMessage(context.Background(), in, &theirs); err != nil {
				t.Fatal(err)
			}
			ours, err := mustBinary(t, pairs(tc.headers...), []byte(tc.body)).Record("", false)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := headerSet(ours.Headers), headerSet(theirs.Headers); !reflect.DeepEqual(got, want) {
				t.Errorf("headers\ngot  %v\nwant %v", got, want)
			}
			a, b := consumed(t, ours), consumed(t, &theirs)
			if string(a.Key) != string(b.Key) || string(a.Value) != string(b.Value) {
				t.Errorf("key %q, value %q, want %q, %q", a.Key, a.Value, b.Key, b.Value)
			}
		})
	}
}

// The SDK reads the same event from what Kurier sends, binary and structured,
// over HTTP and from Kafka, as from the original request.
func TestSDK_ReadsWhatKurierWrites(t *testing.T) {
	for name, tc := range shared {
		t.Run(name, func(t *testing.T) {
			want := sdkEvent(t, cehttp.NewMessageFromHttpRequest(httpRequest(pairs(tc.headers...), []byte(tc.body))))
			check := func(what string, got *sdk.Event) {
				t.Helper()
				for _, position := range []string{"kafkaoffset", "kafkapartition", "kafkatopic"} {
					got.SetExtension(position, nil) // added by kafka_sarama itself
				}
				got.DataBase64 = want.DataBase64
				if got.String() != want.String() {
					t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
				}
			}
			m := mustBinary(t, pairs(tc.headers...), []byte(tc.body))
			check("binary", sdkEvent(t, cehttp.NewMessageFromHttpRequest(httpRequest(m.BinaryHeaders(), m.Data))))
			envelope, err := m.Structured()
			if err != nil {
				t.Fatal(err)
			}
			check("structured", sdkEvent(t, cehttp.NewMessageFromHttpRequest(
				httpRequest(pairs("content-type", event.StructuredContentType), envelope))))
			for _, structured := range []bool{false, true} {
				rec, err := m.Record("t", structured)
				if err != nil {
					t.Fatal(err)
				}
				check("record", sdkEvent(t, kafka_sarama.NewMessageFromConsumerMessage(consumed(t, rec))))
			}
		})
	}
}

// Kurier reads the same event from what the SDK writes.
func TestSDK_KurierReadsWhatItWrites(t *testing.T) {
	for name, tc := range shared {
		t.Run(name, func(t *testing.T) {
			want := mustBinary(t, pairs(tc.headers...), []byte(tc.body))
			e := sdkEvent(t, cehttp.NewMessageFromHttpRequest(httpRequest(pairs(tc.headers...), []byte(tc.body))))
			if strings.Contains(tc.body, "\x00") {
				e.DataBase64 = true
			}
			envelope, err := e.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			got := mustStructured(t, string(envelope))
			if !reflect.DeepEqual(attributes(got), attributes(want)) || string(got.Data) != string(want.Data) {
				t.Errorf("structured %s\ngot  %+v\nwant %+v", envelope, got, want)
			}
			var rec sarama.ProducerMessage
			ctx := kafka_sarama.WithSkipKeyMapping(binding.WithForceStructured(context.Background()))
			if err := kafka_sarama.WriteProducerMessage(ctx, binding.ToMessage(e), &rec); err != nil {
				t.Fatal(err)
			}
			if got, err = event.FromRecord(consumed(t, &rec)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(attributes(got), attributes(want)) || string(got.Data) != string(want.Data) {
				t.Errorf("record\ngot  %+v\nwant %+v", got, want)
			}
		})
	}
}
