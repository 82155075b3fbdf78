package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

const (
	dataMember       = "data"
	dataBase64Member = "data_base64"
	contentEncoding  = "datacontentencoding" // 0.3 only
	encodingBase64   = "base64"
)

// FromStructured reads one event from its JSON envelope. Attribute strings are
// kept as received; booleans and integers become their canonical string.
// Member data is kept as raw JSON text, or, when it is a string and
// datacontenttype is not JSON, as that string; data_base64 (in 0.3: data with
// datacontentencoding base64) is decoded. The event is valid, or the error is
// an *InvalidError that names the member. Data may alias body. Pass-through
// headers are the caller's to add: m.Headers = PassThrough(headers).
func FromStructured(body []byte) (*Message, error) {
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	m, err := fromObject(body)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// FromBatch reads a JSON array of structured events. All are valid, or the
// error names the first that is not: a *BatchError, or an *InvalidError when
// the body is no JSON array. An empty array gives no messages.
func FromBatch(body []byte) ([]*Message, error) {
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	if body[skipSpace(body, 0)] != '[' {
		return nil, invalid("", "", "the batch is not a JSON array")
	}
	var batch []*Message
	err := elements(body, func(index int, value []byte) error {
		m, err := fromObject(value)
		if err != nil {
			return &BatchError{Index: index, Err: err}
		}
		batch = append(batch, m)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return batch, nil
}

// envelope gathers the members of one structured event.
type envelope struct {
	m          Message
	data       []byte // raw value of data, nil when absent or null
	dataBase64 []byte // raw value of data_base64
}

// fromObject reads one valid JSON value.
func fromObject(doc []byte) (*Message, *InvalidError) {
	if doc[skipSpace(doc, 0)] != '{' {
		return nil, invalid("", "", "the event is not a JSON object")
	}
	e := &envelope{m: Message{Attributes: make([]Attribute, 0, 8+spareAttributes)}}
	if err := members(doc, e.member); err != nil {
		return nil, err
	}
	if name := duplicate(e.m.Attributes); name != "" {
		return nil, invalid(name, "", "is given twice, want it once")
	}
	if err := e.m.validate(); err != nil {
		return nil, err
	}
	if err := e.readData(); err != nil {
		return nil, err
	}
	return &e.m, nil
}

func (e *envelope) member(key string, raw []byte) *InvalidError {
	switch key {
	case dataMember:
		return keepData(&e.data, key, raw)
	case dataBase64Member:
		return keepData(&e.dataBase64, key, raw)
	}
	value, present, reason := scalar(raw)
	if reason != "" {
		return invalid(key, string(raw[:min(len(raw), shownValue+1)]), reason)
	}
	if !present {
		return nil
	}
	name := strings.ToLower(key)
	if raw[0] != '"' && isStandard(name) {
		return invalid(key, value, "is not a JSON string")
	}
	e.m.Attributes = append(e.m.Attributes, Attribute{Name: name, Value: value})
	return nil
}

func keepData(into *[]byte, key string, raw []byte) *InvalidError {
	if *into != nil {
		return invalid(key, "", "is given twice, want it once")
	}
	if string(raw) != "null" {
		*into = raw
	}
	return nil
}

// scalar gives the canonical string of an attribute's JSON value; null counts
// as absent.
func scalar(raw []byte) (value string, present bool, reason string) {
	switch raw[0] {
	case '"':
		s, ok := unquoteJSON(raw)
		if !ok {
			return "", false, "is not UTF-8"
		}
		return s, true, ""
	case 'n':
		return "", false, ""
	case 't', 'f':
		return string(raw), true, ""
	case '{', '[':
		return "", false, "is not a value an attribute can have, want a string, a boolean or an integer"
	}
	if strings.ContainsAny(string(raw), ".eE") {
		return "", false, "is not an integer, send other numbers as strings"
	}
	if string(raw) == "-0" {
		return "0", true, ""
	}
	return string(raw), true, ""
}

// isStandard names the attributes that are JSON strings in every event.
func isStandard(name string) bool {
	switch name {
	case SpecVersion, ID, Type, Source, Subject, Time, DataSchema, SchemaURL, DataContentType, contentEncoding:
		return true
	}
	return false
}

func (e *envelope) readData() *InvalidError {
	switch {
	case e.data != nil && e.dataBase64 != nil:
		return invalid(dataBase64Member, "", "is given together with data, want one of them")
	case e.dataBase64 != nil:
		return e.decode(dataBase64Member, e.dataBase64)
	case e.data == nil:
		return nil
	case e.isBase64():
		return e.decode(dataMember, e.data)
	}
	dct, _ := e.m.Get(DataContentType)
	if e.data[0] != '"' || isJSON(dct) {
		e.m.Data = e.data
		return nil
	}
	text, ok := stringBytes(e.data)
	if !ok {
		return invalid(dataMember, "", "is not UTF-8")
	}
	e.m.Data = text
	return nil
}

// isBase64 tells the way that version 0.3 marks binary data.
func (e *envelope) isBase64() bool { return e.m.isBase64() && e.data[0] == '"' }

func (m *Message) isBase64() bool {
	if version, _ := m.Get(SpecVersion); version != version03 {
		return false
	}
	encoding, _ := m.Get(contentEncoding)
	return strings.EqualFold(encoding, encodingBase64)
}

func (e *envelope) decode(name string, raw []byte) *InvalidError {
	if raw[0] != '"' {
		return invalid(name, "", "is not a JSON string in base64")
	}
	text, ok := stringBytes(raw)
	if !ok {
		return invalid(name, "", "is not base64")
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(data, text)
	if err != nil {
		return invalid(name, string(text[:min(len(text), shownValue+1)]), "is not base64, want the standard alphabet with padding")
	}
	e.m.Data = data[:n:n]
	return nil
}

// Structured makes the JSON envelope of the event, to be sent with
// [StructuredContentType]. All attributes are JSON strings. JSON data stands in
// data as it is, text that is UTF-8 as a string, everything else in data_base64
// (in 0.3: in data, with datacontentencoding base64). JSON data that is a bare
// null is base64 too: as data it would read as no data. White space around JSON
// data is not kept. The error is reserved; it is nil today.
func (m *Message) Structured() ([]byte, error) {
	out := make([]byte, 0, m.structuredSize())
	out = append(out, '{')
	for i := range m.Attributes {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendJSONString(out, m.Attributes[i].Name)
		out = append(out, ':')
		out = appendJSONString(out, m.Attributes[i].Value)
	}
	if m.Data != nil {
		if len(m.Attributes) > 0 {
			out = append(out, ',')
		}
		out = m.appendData(out)
	}
	return append(out, '}'), nil
}

func (m *Message) structuredSize() int {
	size := len(`{,"data_base64":""}`) + base64.StdEncoding.EncodedLen(len(m.Data))
	for i := range m.Attributes {
		size += len(`"":"",`) + len(m.Attributes[i].Name) + len(m.Attributes[i].Value)
	}
	return size
}

func (m *Message) appendData(out []byte) []byte {
	dct, _ := m.Get(DataContentType)
	switch {
	case m.isBase64():
		out = append(out, `"data":`...)
	case isJSON(dct) && embeds(m.Data):
		return append(append(out, `"data":`...), m.Data...)
	case !isJSON(dct) && isText(dct) && utf8.Valid(m.Data):
		return appendJSONString(append(out, `"data":`...), m.Data)
	default:
		if version, _ := m.Get(SpecVersion); version == version03 {
			out = append(out, `"datacontentencoding":"base64","data":`...)
		} else {
			out = append(out, `"data_base64":`...)
		}
	}
	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, m.Data)
	return append(out, '"')
}

// embeds tells whether data can stand in an envelope as JSON.
func embeds(data []byte) bool {
	return json.Valid(data) && utf8.Valid(data) && string(bytes.TrimSpace(data)) != "null"
}
