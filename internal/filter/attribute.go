package filter

import "strings"

// kind tells how an attribute's value is found and compared.
type kind uint8

const (
	kindText      kind = iota
	kindTime           // an instant
	kindSchema         // dataschema, or schemaurl: one attribute, two names
	kindMediaType      // the part of datacontenttype before its parameters
)

// attribute is one name that a filter may ask for (FI-6).
type attribute struct {
	name string
	kind kind
}

func newAttribute(name string) attribute {
	switch name {
	case "time":
		return attribute{name, kindTime}
	case "dataschema", "schemaurl":
		return attribute{name, kindSchema}
	case "datamediatype":
		return attribute{name, kindMediaType}
	}
	return attribute{name, kindText}
}

// get gives the value, and false when the event lacks the attribute or has it
// empty. It does not allocate.
func (a attribute) get(e Event) (string, bool) {
	var value string
	switch a.kind {
	case kindSchema:
		if value, _ = e.Get("dataschema"); value == "" {
			value, _ = e.Get("schemaurl")
		}
	case kindMediaType:
		value, _ = e.Get("datacontenttype")
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimSpace(value)
	default:
		value, _ = e.Get(a.name)
	}
	return value, value != ""
}
