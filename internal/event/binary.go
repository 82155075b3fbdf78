package event

import (
	"iter"
	"strings"
	"sync"
)

// FromBinary reads an event in binary mode: ce-* headers, Content-Type as
// datacontenttype, pass-through headers, and the body as data, not copied; an
// empty body means no data. The event is valid, or the error is an
// *InvalidError that names the header.
//
// Everything kept from the headers is copied into one string, so the pairs may
// be views of a buffer that is reused later.
func FromBinary(headers HeaderSeq, body []byte) (*Message, error) {
	d := readers.Get().(*headerReader)
	defer d.release()
	headers(d.yield)
	m, err := d.message()
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		m.Data = body
	}
	if invalid := m.validate(); invalid != nil {
		invalid.Name = headerName(invalid.Name)
		return nil, invalid
	}
	return m, nil
}

// headerReader collects what a Message keeps of its headers. Names and values
// are gathered in one buffer, which becomes one string at the end.
type headerReader struct {
	buf        []byte
	attributes []span
	headers    []span
	err        *InvalidError
	yield      func(name, value string) bool // visit, bound once
}

// span is a name and a value, one behind the other in the buffer.
type span struct{ start, middle, end int }

var readers = sync.Pool{New: func() any {
	d := &headerReader{}
	d.yield = d.visit
	return d
}}

// keptBuffer bounds the buffer that a pooled reader keeps, in bytes.
const keptBuffer = 64 << 10

func (d *headerReader) release() {
	if cap(d.buf) > keptBuffer {
		return
	}
	d.buf, d.attributes, d.headers, d.err = d.buf[:0], d.attributes[:0], d.headers[:0], nil
	readers.Put(d)
}

// visit takes one header. It returns false at the first error.
func (d *headerReader) visit(name, value string) bool {
	switch {
	case len(name) >= 3 && name[2] == '-' && name[0]|0x20 == 'c' && name[1]|0x20 == 'e':
		s, ok := d.add(name[len("ce-"):], value, true)
		if !ok {
			d.err = invalid(strings.ToLower(name), value, "is not UTF-8 after percent-decoding")
			return false
		}
		d.attributes = append(d.attributes, s)
	case strings.EqualFold(name, "content-type"):
		s, _ := d.add(DataContentType, value, false)
		d.attributes = append(d.attributes, s)
	case passes(name) && isHeaderValue(value):
		s, _ := d.add(name, value, false)
		d.headers = append(d.headers, s)
	}
	return true
}

func (d *headerReader) add(name, value string, decode bool) (span, bool) {
	s, ok := span{start: len(d.buf)}, true
	for i := range len(name) {
		d.buf = append(d.buf, lower(name[i]))
	}
	s.middle = len(d.buf)
	if decode {
		d.buf, ok = appendDecoded(d.buf, value)
	} else {
		d.buf = append(d.buf, value...)
	}
	s.end = len(d.buf)
	return s, ok
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func (d *headerReader) message() (*Message, error) {
	if d.err != nil {
		return nil, d.err
	}
	text := string(d.buf)
	m := newMessage(len(d.attributes))
	m.Attributes = m.Attributes[:len(d.attributes)]
	for i, s := range d.attributes {
		m.Attributes[i] = Attribute{Name: text[s.start:s.middle], Value: text[s.middle:s.end]}
	}
	if name := duplicate(m.Attributes); name != "" {
		return nil, invalid(headerName(name), "", "is given twice, want it once")
	}
	if len(d.headers) > 0 {
		m.Headers = make([]Header, len(d.headers))
		for i, s := range d.headers {
			m.Headers[i] = Header{Name: text[s.start:s.middle], Value: text[s.middle:s.end]}
		}
		m.Headers = withValidTrace(m.Headers)
	}
	return m, nil
}

// manyAttributes is where looking for duplicates in pairs would cost more than
// a map; a request may have thousands of ce-* headers.
const manyAttributes = 32

// duplicate returns a name that occurs twice, or "".
func duplicate(attributes []Attribute) string {
	if len(attributes) > manyAttributes {
		seen := make(map[string]struct{}, len(attributes))
		for i := range attributes {
			if _, ok := seen[attributes[i].Name]; ok {
				return attributes[i].Name
			}
			seen[attributes[i].Name] = struct{}{}
		}
		return ""
	}
	for i := range attributes {
		for j := range i {
			if attributes[i].Name == attributes[j].Name {
				return attributes[i].Name
			}
		}
	}
	return ""
}

// BinaryHeaders yields the headers of the event in binary mode: "ce-" names
// with percent-encoded values, Content-Type as it is (absent when the event has
// none), then the pass-through headers. The body that goes with them is Data.
func (m *Message) BinaryHeaders() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range m.Attributes {
			a := &m.Attributes[i]
			value := a.Value
			if a.Name != DataContentType {
				value = EncodeValue(value)
			}
			if !yield(headerName(a.Name), value) {
				return
			}
		}
		for i := range m.Headers {
			if !yield(m.Headers[i].Name, m.Headers[i].Value) {
				return
			}
		}
	}
}

// AppendBinaryHeaders appends the lines of [Message.BinaryHeaders] to b as HTTP/1.1
// writes them, each with its line break. The attributes' names are those of a valid
// event; whatever else would not be one line of HTTP is left out.
func (m *Message) AppendBinaryHeaders(b []byte) []byte {
	for i := range m.Attributes {
		a := &m.Attributes[i]
		if a.Name == DataContentType {
			b = AppendHeader(b, "Content-Type", a.Value)
			continue
		}
		b = append(b, "ce-"...)
		b = append(b, a.Name...)
		b = append(b, ": "...)
		b = appendEncoded(b, a.Value)
		b = append(b, "\r\n"...)
	}
	return m.AppendHeaders(b)
}

// AppendHeaders does it for the pass-through headers alone.
func (m *Message) AppendHeaders(b []byte) []byte {
	for i := range m.Headers {
		b = AppendHeader(b, m.Headers[i].Name, m.Headers[i].Value)
	}
	return b
}

// AppendHeader appends one header as HTTP/1.1 writes it, with its line break. A name
// that is no token and a value that would break the line are left out: a record written
// by another program may carry any bytes.
func AppendHeader(b []byte, name, value string) []byte {
	if !isTokenString(name) || !isHeaderValue(value) {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// headerName is the HTTP header of an attribute; the common ones cost nothing.
func headerName(attribute string) string {
	switch attribute {
	case SpecVersion:
		return "ce-specversion"
	case ID:
		return "ce-id"
	case Type:
		return "ce-type"
	case Source:
		return "ce-source"
	case Subject:
		return "ce-subject"
	case Time:
		return "ce-time"
	case DataSchema:
		return "ce-dataschema"
	case DataContentType:
		return "Content-Type"
	case PartitionKey:
		return "ce-partitionkey"
	case ArrivalTime:
		return "ce-knativearrivaltime"
	case KafkaPartition:
		return "ce-knativekafkapartition"
	case KafkaOffset:
		return "ce-knativekafkaoffset"
	}
	return "ce-" + attribute
}
