package dispatcher

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// Records says what events become of the records of a topic that others fill (a
// KafkaSource).
type Records struct {
	// Source is the source attribute of a record that is no CloudEvent.
	Source string
	// Extensions are set on every event, whatever it brings (ceOverrides).
	Extensions map[string]string
}

// recordType is the type of a record that is no CloudEvent.
const recordType = "dev.knative.kafka.event"

const headerExtension = "kafkaheader"

// read makes the event of a record. Without Records, what is no CloudEvent is
// an error; with them there is none.
func (s *settings) read(rec *sarama.ConsumerMessage) (*event.Message, error) {
	m, err := event.FromRecord(rec)
	if s.Records == nil {
		return m, err
	}
	if err != nil {
		m = s.Records.wrap(rec)
	}
	for name, value := range s.Records.Extensions {
		m.Set(name, value)
	}
	return m, nil
}

// wrap is the event around a record that is none: value as data, key and headers
// as extensions.
func (r *Records) wrap(rec *sarama.ConsumerMessage) *event.Message {
	at, offset := strconv.Itoa(int(rec.Partition)), strconv.FormatInt(rec.Offset, 10)
	m := &event.Message{Data: rec.Value, Key: rec.Key, Attributes: []event.Attribute{
		{Name: event.SpecVersion, Value: "1.0"},
		{Name: event.Type, Value: recordType},
		{Name: event.Source, Value: r.Source},
		{Name: event.ID, Value: fmt.Sprintf("partition:%s/offset:%s", at, offset)},
		{Name: event.Subject, Value: fmt.Sprintf("partition:%s#%s", at, offset)},
	}}
	if rec.Timestamp.UnixMilli() > 0 { // -1: the record has none
		m.Set(event.Time, rec.Timestamp.UTC().Format(time.RFC3339Nano))
	}
	if len(rec.Key) > 0 {
		key := attributeText(rec.Key)
		m.Set("key", key)
		m.Set(event.PartitionKey, key)
	}
	for _, h := range rec.Headers {
		if name := extensionName(h.Key); name != "" {
			m.Set(headerExtension+name, attributeText(h.Value))
		}
	}
	if contentType := contentTypeOf(rec); contentType != "" {
		m.Set(event.DataContentType, contentType)
		if m.Validate() != nil {
			m.Delete(event.DataContentType)
		}
	}
	m.Headers = event.PassThrough(recordHeaders(rec))
	return m
}

// contentTypeOf is what the record says its value is; empty for a CloudEvents
// envelope, which it is not.
func contentTypeOf(rec *sarama.ConsumerMessage) string {
	for _, h := range rec.Headers {
		if value := string(h.Value); strings.EqualFold(string(h.Key), "content-type") {
			if len(value) >= len(envelopeType) && strings.EqualFold(value[:len(envelopeType)], envelopeType) {
				return ""
			}
			return value
		}
	}
	return ""
}

const envelopeType = "application/cloudevents"

// recordHeaders is an event.HeaderSeq of what can be an HTTP header.
func recordHeaders(rec *sarama.ConsumerMessage) event.HeaderSeq {
	return func(yield func(name, value string) bool) {
		for _, h := range rec.Headers {
			if isText(h.Value) && !yield(string(h.Key), string(h.Value)) {
				return
			}
		}
	}
}

// extensionName keeps of a header's name what may stand in that of an
// extension.
func extensionName(header []byte) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return -1
	}, string(header))
}

// attributeText is bytes as the value of an attribute: as they are when they
// are text, base64 (the form of binary attributes) otherwise.
func attributeText(b []byte) string {
	if isText(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// isText tells whether b may stand in an attribute of CloudEvents: UTF-8 without
// control characters.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, c := range string(b) {
		if unicode.IsControl(c) {
			return false
		}
	}
	return true
}
