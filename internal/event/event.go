// Package event translates between the three forms of one CloudEvent that
// Kurier handles: an HTTP message, a Kafka record and [Message], the form in
// between. It decides what a valid event is and which headers travel along.
//
// It refuses to open connections, to know routes, retries or status codes, and
// to change payloads: data bytes pass through as they came, attribute strings
// are kept as received. It never fills in, re-formats or upgrades an attribute.
package event

import (
	"iter"
	"slices"
)

// Names of attributes that other packages ask for.
const (
	SpecVersion     = "specversion"
	ID              = "id"
	Type            = "type"
	Source          = "source"
	Subject         = "subject"
	Time            = "time"
	DataSchema      = "dataschema"
	SchemaURL       = "schemaurl"
	DataContentType = "datacontenttype"
	PartitionKey    = "partitionkey"
	BrokerTTL       = "knativebrokerttl"
	ArrivalTime     = "knativearrivaltime"
	KafkaPartition  = "knativekafkapartition"
	KafkaOffset     = "knativekafkaoffset"
	ErrorDest       = "knativeerrordest"
	ErrorCode       = "knativeerrorcode"
	ErrorData       = "knativeerrordata"
	Reason          = "kurierreason"
)

// Attribute is one context attribute or extension. Name is lower case and has
// no "ce-" or "ce_" prefix; Value is the canonical string form, decoded.
type Attribute struct{ Name, Value string }

// Header is one pass-through header. Name is lower case.
type Header struct{ Name, Value string }

// HeaderSeq yields header names as received and their values, one pair per
// header line, in order. The strings may be views of a buffer that is reused
// after the call they are handed to: this package copies what it keeps.
type HeaderSeq = iter.Seq2[string, string]

// Message is one CloudEvent. Standard attributes and extensions alike live in
// Attributes, in the order they came; datacontenttype is one of them.
//
// Data nil means no data. Data may alias the body or record it was read from,
// so neither may be reused while the Message lives; nothing here writes to it.
//
// Key is the key of the record the event was read from. When it is nil,
// [Message.Record] takes the key from the partitionkey extension.
//
// A Message is plain data and not safe for concurrent use when one of the users
// changes it; [Message.Clone] gives each its own.
type Message struct {
	Attributes []Attribute
	Headers    []Header
	Data       []byte
	Key        []byte
}

// Get returns the value of an attribute; ok is false when it is absent. The
// name is compared as it is: lower case, no prefix.
func (m *Message) Get(name string) (value string, ok bool) {
	for i := range m.Attributes {
		if m.Attributes[i].Name == name {
			return m.Attributes[i].Value, true
		}
	}
	return "", false
}

// Set gives an attribute a value, in its old place or at the end. It writes to
// the Message's own list of attributes only, never to that of a Clone.
func (m *Message) Set(name, value string) {
	for i := range m.Attributes {
		if m.Attributes[i].Name == name {
			m.Attributes[i].Value = value
			return
		}
	}
	m.Attributes = append(m.Attributes, Attribute{Name: name, Value: value})
}

// Delete removes an attribute and keeps the order of the others. Deleting what
// is absent does nothing.
func (m *Message) Delete(name string) {
	for i := range m.Attributes {
		if m.Attributes[i].Name == name {
			m.Attributes = slices.Delete(m.Attributes, i, i+1)
			return
		}
	}
}

// spareAttributes is the room a Clone has for attributes that delivery adds
// (position in Kafka, error extensions) before its list has to grow.
const spareAttributes = 6

// messageBlock is a Message with its attributes, one piece of memory for an
// event of usual size.
type messageBlock struct {
	message    Message
	attributes [10 + spareAttributes]Attribute
}

// newMessage returns a Message with an empty list of attributes that has room
// for n and the spare ones.
func newMessage(n int) *Message {
	if n+spareAttributes > len(messageBlock{}.attributes) {
		return &Message{Attributes: make([]Attribute, 0, n+spareAttributes)}
	}
	b := &messageBlock{}
	b.message.Attributes = b.attributes[:0]
	return &b.message
}

// Clone returns a copy whose attributes can be set and deleted without the
// original seeing it, and the other way round. It costs two allocations:
// headers, data and key are shared, so replace them, never write into them
// (appending to Headers is safe).
func (m *Message) Clone() *Message {
	c := &Message{
		Attributes: make([]Attribute, len(m.Attributes), len(m.Attributes)+spareAttributes),
		Headers:    slices.Clip(m.Headers),
		Data:       m.Data,
		Key:        m.Key,
	}
	copy(c.Attributes, m.Attributes)
	return c
}
