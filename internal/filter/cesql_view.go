package filter

import (
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// view shows an Event to the SDK's evaluator. Nothing is copied or parsed before
// an expression asks for it, so that attributes keep the text they arrived with.
// The embedded interface is nil: the evaluator only reads, and a method that is
// not overridden here would panic, which match recovers.
type view struct {
	cloudevents.EventContext
	event      Event
	extensions []attribute
}

func (v *view) text(name string) string {
	value, _ := newAttribute(name).get(v.event)
	return value
}

func (v *view) GetSpecVersion() string     { return v.text("specversion") }
func (v *view) GetType() string            { return v.text("type") }
func (v *view) GetSource() string          { return v.text("source") }
func (v *view) GetSubject() string         { return v.text("subject") }
func (v *view) GetID() string              { return v.text("id") }
func (v *view) GetDataSchema() string      { return v.text("dataschema") }
func (v *view) GetDataContentType() string { return v.text("datacontenttype") }

// GetTime gives the time with the offset it was written with: the conformance
// tests of CESQL want it so ("Timestamp type cohercion to string").
func (v *view) GetTime() time.Time {
	t, err := time.Parse(time.RFC3339Nano, v.text("time"))
	if err != nil {
		return time.Time{}
	}
	return t
}

// GetExtensions holds those extensions alone that the expression names. Their
// values are texts; the evaluator casts them where an operator wants a number or
// a boolean.
func (v *view) GetExtensions() map[string]any {
	if len(v.extensions) == 0 {
		return nil
	}
	m := make(map[string]any, len(v.extensions))
	for _, a := range v.extensions {
		if value, ok := extensionOf(a, v.event); ok {
			m[a.name] = value
		}
	}
	return m
}

// extensionOf is the value of an extension, which may be set and empty.
func extensionOf(a attribute, e Event) (string, bool) {
	if value, ok := a.get(e); ok {
		return value, true
	}
	_, ok := e.Get(a.name)
	return "", ok
}
