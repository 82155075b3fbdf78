package event

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/IBM/sarama"
)

const (
	recordPrefix      = "ce_"
	recordContentType = "content-type"
	recordSpecVersion = recordPrefix + SpecVersion
)

// Record makes the Kafka record of the event for a topic: binary (attributes in
// ce_* headers, data as value, null without data) or structured (JSON envelope
// as value), with the pass-through headers. Its key is m.Key, else the
// partitionkey extension, else null. The record's value, key and headers share
// memory with the Message, so nobody may write into them. Timestamp and
// partition are left to the producer. The error comes only from [Message.Structured].
func (m *Message) Record(topic string, structured bool) (*sarama.ProducerMessage, error) {
	b := &recordBlock{}
	rec := &b.record
	rec.Topic = topic
	if b.key = m.recordKey(); b.key != nil {
		rec.Key = &b.key
	}
	b.value = m.Data
	if structured {
		envelope, err := m.Structured()
		if err != nil {
			return nil, err
		}
		b.value = envelope
	}
	if b.value != nil {
		rec.Value = &b.value
	}
	rec.Headers = m.recordHeaders(b.headers[:0], structured)
	return rec, nil
}

// recordBlock is a record with what it points to, one piece of memory for an
// event of usual size.
type recordBlock struct {
	record     sarama.ProducerMessage
	key, value sarama.ByteEncoder
	headers    [12]sarama.RecordHeader
}

// recordKey takes an empty partitionkey for none: its extension's definition
// wants a non-empty string, and one partition would get all such events.
func (m *Message) recordKey() []byte {
	if m.Key != nil {
		return m.Key
	}
	if key, _ := m.Get(PartitionKey); key != "" {
		return bytesOf(key)
	}
	return nil
}

// recordHeaders fills headers, or a larger list when its room is too small. It
// copies no values, and of the names only those that are rare.
func (m *Message) recordHeaders(headers []sarama.RecordHeader, structured bool) []sarama.RecordHeader {
	count := 1 + len(m.Headers)
	if !structured {
		count += len(m.Attributes)
	}
	if count > cap(headers) {
		headers = make([]sarama.RecordHeader, 0, count)
	}
	if structured {
		headers = append(headers, recordHeader(recordContentType, structuredRecordType))
	} else {
		for i := range m.Attributes {
			a := &m.Attributes[i]
			headers = append(headers, recordHeader(recordName(a.Name), a.Value))
		}
	}
	for i := range m.Headers {
		if h := &m.Headers[i]; h.Name != retryAfter {
			headers = append(headers, recordHeader(h.Name, h.Value))
		}
	}
	return headers
}

func recordHeader(name, value string) sarama.RecordHeader {
	return sarama.RecordHeader{Key: bytesOf(name), Value: bytesOf(value)}
}

// bytesOf is s without a copy; nobody may write into it. It is never nil: an
// empty value is not null.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// textOf is b without a copy; nobody may write into b any more.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// recordName is the record header of an attribute; the common ones cost nothing.
func recordName(attribute string) string {
	switch attribute {
	case SpecVersion:
		return recordSpecVersion
	case ID:
		return recordPrefix + ID
	case Type:
		return recordPrefix + Type
	case Source:
		return recordPrefix + Source
	case Subject:
		return recordPrefix + Subject
	case Time:
		return recordPrefix + Time
	case DataContentType:
		return recordContentType
	case PartitionKey:
		return recordPrefix + PartitionKey
	case BrokerTTL:
		return recordPrefix + BrokerTTL
	case ArrivalTime:
		return recordPrefix + ArrivalTime
	}
	return recordPrefix + attribute
}

// FromRecord reads the event of a record, structured or binary. The event is
// valid, or the error is a *NotCloudEventError and stays one for this record.
// Data, Key and the texts of attributes and headers alias the record, so nobody
// may write into it. Headers that do not pass through are left out.
func FromRecord(rec *sarama.ConsumerMessage) (*Message, error) {
	m, err := fromRecord(rec)
	if err != nil {
		return nil, &NotCloudEventError{Err: err}
	}
	m.Key = rec.Key
	return m, nil
}

func fromRecord(rec *sarama.ConsumerMessage) (*Message, error) {
	m := newMessage(len(rec.Headers))
	mediaType, binary := "", false
	for _, h := range rec.Headers {
		kind := kindOf(h)
		if kind == ignored {
			continue
		}
		name, value := textOf(h.Key), textOf(h.Value)
		if kind == passThrough {
			if isHeaderValue(value) {
				m.Headers = append(m.Headers, Header{Name: strings.ToLower(name), Value: value})
			}
			continue
		}
		if !utf8.ValidString(value) {
			return nil, invalid(name, "", "is not UTF-8")
		}
		if kind == contentType {
			name, mediaType = DataContentType, value
		} else {
			binary = binary || name == recordSpecVersion
			name = strings.ToLower(name[len(recordPrefix):])
		}
		m.Attributes = append(m.Attributes, Attribute{Name: name, Value: value})
	}
	m.Headers = withValidTrace(m.Headers)
	switch {
	case hasPrefixFold(mediaType, structuredType):
		structured, err := FromStructured(rec.Value)
		if err != nil {
			return nil, err
		}
		structured.Headers = m.Headers
		return structured, nil
	case !binary:
		return nil, errors.New("neither the header ce_specversion nor content-type application/cloudevents+json")
	}
	if name := duplicate(m.Attributes); name != "" {
		return nil, invalid(name, "", "is given twice, want it once")
	}
	m.Data = rec.Value
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// headerKind tells what a record header means for the event.
type headerKind int

const (
	ignored headerKind = iota
	attribute
	contentType
	passThrough
)

func kindOf(h *sarama.RecordHeader) headerKind {
	switch {
	case len(h.Key) > len(recordPrefix) && string(h.Key[:len(recordPrefix)]) == recordPrefix:
		return attribute
	case len(h.Key) == len(recordContentType) && strings.EqualFold(string(h.Key), recordContentType):
		return contentType
	case passesBytes(h.Key):
		return passThrough
	}
	return ignored
}

// passesBytes looks at the first letter before it makes a string.
func passesBytes(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	switch name[0] | 0x20 {
	case 'x', 'k', 't', 'b':
		return passes(string(name))
	}
	return false
}

// RecordSize is the size of a record as it stands in a Kafka batch, in bytes:
// key, value, headers, and the lengths between them. The batch itself adds 61
// bytes.
func RecordSize(rec *sarama.ProducerMessage) int {
	// Attributes, timestamp delta and offset delta at their smallest.
	size := 3 + sizeOf(rec.Key) + sizeOf(rec.Value) + varint(len(rec.Headers))
	for i := range rec.Headers {
		key, value := len(rec.Headers[i].Key), len(rec.Headers[i].Value)
		size += varint(key) + key + varint(value) + value
	}
	return varint(size) + size
}

func sizeOf(e sarama.Encoder) int {
	if e == nil {
		return varint(-1)
	}
	n := e.Length()
	return varint(n) + n
}

// varint is the length of a zigzag varint.
func varint(n int) int {
	var buf [binary.MaxVarintLen64]byte
	return binary.PutVarint(buf[:], int64(n))
}
