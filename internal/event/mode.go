package event

import (
	"strings"
	"sync"
)

// Mode is how an HTTP message carries its event.
type Mode int

// The content modes.
const (
	// Binary: attributes in ce-* headers, data in the body.
	Binary Mode = iota + 1
	// Structured: the whole event as one JSON object.
	Structured
	// Batch: a JSON array of structured events.
	Batch
)

const (
	structuredType  = "application/cloudevents+json"
	batchType       = "application/cloudevents-batch+json"
	cloudEventTypes = "application/cloudevents"
	// structuredRecordType is what Kurier itself writes in records, as Knative's Java data
	// plane does.
	structuredRecordType = "application/cloudevents+json; charset=UTF-8"
)

// StructuredContentType is the Content-Type that goes with [Message.Structured] in
// requests. It has no parameter: the CloudEvents SDK for JavaScript compares the whole
// text, and refuses "; charset=UTF-8".
const StructuredContentType = structuredType

// ModeOf tells how a message carries its event, from its Content-Type and from
// whether there is a ce-specversion header. It returns *UnsupportedError for a
// CloudEvents format that is not JSON, and *InvalidError for what is no
// CloudEvent at all. It does not look at the body.
func ModeOf(contentType string, headers HeaderSeq) (Mode, error) {
	media := mediaType(contentType)
	switch {
	case strings.EqualFold(media, batchType):
		return Batch, nil
	case strings.EqualFold(media, structuredType):
		return Structured, nil
	case hasPrefixFold(media, cloudEventTypes):
		return 0, &UnsupportedError{ContentType: strings.Clone(contentType)}
	case hasHeader(headers, "ce-specversion"):
		return Binary, nil
	}
	return 0, invalid("", "", "this is not a CloudEvent: want the header ce-specversion, "+
		"or Content-Type application/cloudevents+json or application/cloudevents-batch+json")
}

func hasHeader(headers HeaderSeq, name string) bool {
	f := finders.Get().(*finder)
	defer finders.Put(f)
	f.name, f.found = name, false
	headers(f.yield)
	return f.found
}

// finder looks for a header. It is pooled because the body of a loop over
// headers costs allocations for each loop, and this one runs for each event.
type finder struct {
	name  string
	found bool
	yield func(name, value string) bool // look, bound once
}

var finders = sync.Pool{New: func() any {
	f := &finder{}
	f.yield = f.look
	return f
}}

func (f *finder) look(name, _ string) bool {
	f.found = len(name) == len(f.name) && strings.EqualFold(name, f.name)
	return !f.found
}

// mediaType is the content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

// isJSON tells whether data of this content type is JSON: */json, *+json, or
// none given.
func isJSON(contentType string) bool {
	media := mediaType(contentType)
	return media == "" || hasSuffixFold(media, "/json") || hasSuffixFold(media, "+json")
}

func isText(contentType string) bool { return hasPrefixFold(mediaType(contentType), "text/") }

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
