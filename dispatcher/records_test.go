package dispatcher

import (
	"maps"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"

	"kurier.dev/kurier/internal/event"
)

func recordHeader(name, value string) *sarama.RecordHeader {
	return &sarama.RecordHeader{Key: []byte(name), Value: []byte(value)}
}

func attributesOf(m *event.Message) map[string]string {
	all := map[string]string{}
	for _, a := range m.Attributes {
		all[a.Name] = a.Value
	}
	return all
}

func TestRecordsRead(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	base := func(more ...string) map[string]string {
		all := map[string]string{
			"specversion": "1.0", "type": "dev.knative.kafka.event", "source": "/src#t", "id": "partition:2/offset:7",
			"subject": "partition:2#7", "time": "2026-01-02T03:04:05.678Z", "region": "eu",
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	for _, row := range []struct {
		name    string
		key     string
		headers []*sarama.RecordHeader
		want    map[string]string
		passes  []event.Header
	}{
		{name: "value_only", want: base()},
		{name: "key", key: "k 1", want: base("key", "k 1", "partitionkey", "k 1")},
		{name: "binary_key", key: "\x00\xff", want: base("key", "AP8=", "partitionkey", "AP8=")},
		{name: "headers", headers: []*sarama.RecordHeader{recordHeader("Trace_No-1", "x"), recordHeader("ünï", "y"), recordHeader("--", "lost"), recordHeader("bin", "\xff")},
			want: base("kafkaheadertraceno1", "x", "kafkaheadern", "y", "kafkaheaderbin", "/w==")},
		{name: "content_type", headers: []*sarama.RecordHeader{recordHeader("Content-Type", "text/plain")},
			want: base("kafkaheadercontenttype", "text/plain", "datacontenttype", "text/plain")},
		{name: "bad_content_type", headers: []*sarama.RecordHeader{recordHeader("content-type", "???")}, want: base("kafkaheadercontenttype", "???")},
		{name: "broken_envelope", headers: []*sarama.RecordHeader{recordHeader("content-type", "Application/CloudEvents+json")},
			want: base("kafkaheadercontenttype", "Application/CloudEvents+json")},
		{name: "half_an_event", headers: []*sarama.RecordHeader{recordHeader("ce_specversion", "1.0"), recordHeader("ce_id", "1")},
			want: base("kafkaheaderceid", "1", "kafkaheadercespecversion", "1.0")},
		{name: "pass_through", headers: []*sarama.RecordHeader{recordHeader("x-request-id", "r")},
			want: base("kafkaheaderxrequestid", "r"), passes: []event.Header{{Name: "x-request-id", Value: "r"}}},
		{name: "event", headers: []*sarama.RecordHeader{recordHeader("ce_specversion", "1.0"), recordHeader("ce_id", "1"), recordHeader("ce_type", "t"), recordHeader("ce_source", "/s"), recordHeader("ce_region", "us")},
			want: map[string]string{"specversion": "1.0", "id": "1", "type": "t", "source": "/s", "region": "eu"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			rec := &sarama.ConsumerMessage{Topic: "t", Partition: 2, Offset: 7, Timestamp: at, Value: []byte("{}"), Headers: row.headers}
			if row.key != "" {
				rec.Key = []byte(row.key)
			}
			s := &settings{Subscription: Subscription{Records: &Records{Source: "/src#t", Extensions: map[string]string{"region": "eu"}}}}
			m, err := s.read(rec)
			if err != nil {
				t.Fatal(err)
			}
			if got := attributesOf(m); !maps.Equal(got, row.want) {
				t.Errorf("got  %v\nwant %v", got, row.want)
			}
			if string(m.Data) != "{}" || len(m.Headers) != len(row.passes) || len(row.passes) > 0 && m.Headers[0] != row.passes[0] {
				t.Errorf("%q %v", m.Data, m.Headers)
			}
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRecordsWithoutTimeOrValue(t *testing.T) {
	s := &settings{Subscription: Subscription{Records: &Records{Source: "/s"}}}
	m, err := s.read(&sarama.ConsumerMessage{Timestamp: time.UnixMilli(-1)})
	if _, has := m.Get("time"); err != nil || has || m.Data != nil || m.Validate() != nil {
		t.Errorf("%v %+v", err, m)
	}
	if _, err := (&settings{}).read(&sarama.ConsumerMessage{}); err == nil {
		t.Error("without Records, what is no CloudEvent is none")
	}
}

// TestRecordsAnyRecord: whatever a record holds, its event is valid and can be
// written as a record again.
func TestRecordsAnyRecord(t *testing.T) {
	s := &settings{Subscription: Subscription{Records: &Records{Source: "/s"}}}
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SliceOfN(rapid.Byte(), 0, 20)
		rec := &sarama.ConsumerMessage{Key: bytes.Draw(t, "key"), Value: bytes.Draw(t, "value"), Offset: rapid.Int64Min(0).Draw(t, "offset")}
		for range rapid.IntRange(0, 4).Draw(t, "headers") {
			name := rapid.OneOf(rapid.SampledFrom([][]byte{[]byte("content-type"), []byte("ce_id"), []byte("ce_specversion"), []byte("traceparent")}), bytes)
			rec.Headers = append(rec.Headers, &sarama.RecordHeader{Key: name.Draw(t, "name"), Value: bytes.Draw(t, "header")})
		}
		m, err := s.read(rec)
		if err != nil || m.Validate() != nil {
			t.Fatalf("%v %v", err, m.Validate())
		}
		again, err := m.Record("t", false)
		if err != nil {
			t.Fatal(err)
		}
		back := &sarama.ConsumerMessage{Value: rec.Value}
		for i := range again.Headers {
			back.Headers = append(back.Headers, &again.Headers[i])
		}
		if _, err := event.FromRecord(back); err != nil {
			t.Fatal(err)
		}
	})
}
