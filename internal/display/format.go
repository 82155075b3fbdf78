package display

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kurier.dev/kurier/internal/event"
)

// Headline is the first line of every event, as users of Knative's
// event_display know it.
const Headline = "☁️  cloudevents.Event"

// standard are the context attributes of both versions in the order in which
// they are printed.
var standard = []string{
	event.SpecVersion, event.Type, event.Source, event.Subject, event.ID, event.Time,
	event.DataSchema, event.SchemaURL, event.DataContentType,
}

// Format is the text of one event, headline included, ending in a line break.
// Attributes keep the spelling they came with; extensions are sorted; JSON data
// is indented. Data that is no text is shown in base64, and characters that
// could steer a terminal are shown as escapes.
func Format(m *event.Message) string {
	var text strings.Builder
	text.WriteString(Headline + "\nContext Attributes,\n")
	var extensions []event.Attribute
	for _, name := range standard {
		if value, ok := m.Get(name); ok {
			writeAttribute(&text, name, value)
		}
	}
	for _, a := range m.Attributes {
		if !slices.Contains(standard, a.Name) {
			extensions = append(extensions, a)
		}
	}
	slices.SortStableFunc(extensions, func(a, b event.Attribute) int { return strings.Compare(a.Name, b.Name) })
	if len(extensions) > 0 {
		text.WriteString("Extensions,\n")
	}
	for _, a := range extensions {
		writeAttribute(&text, a.Name, a.Value)
	}
	writeData(&text, m)
	return text.String()
}

func writeAttribute(text *strings.Builder, name, value string) {
	text.WriteString("  " + name + ": " + strings.ReplaceAll(Printable(value), "\n", `\n`) + "\n")
}

func writeData(text *strings.Builder, m *event.Message) {
	if len(m.Data) == 0 {
		return
	}
	contentType, _ := m.Get(event.DataContentType)
	var indented bytes.Buffer
	switch {
	case !utf8.Valid(m.Data):
		text.WriteString("Data (binary),\n  " + base64.StdEncoding.EncodeToString(m.Data))
	case mayBeJSON(contentType) && json.Indent(&indented, m.Data, "  ", "  ") == nil:
		text.WriteString("Data,\n  " + Printable(indented.String()))
	default:
		text.WriteString("Data,\n  " + Printable(string(m.Data)))
	}
	text.WriteString("\n")
}

// mayBeJSON tells whether data of this content type is indented when it parses
// as JSON; without a type data counts as JSON.
func mayBeJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// Printable returns text with every control character but tab and line break
// written as an escape, so that an event's content cannot steer the terminal
// that shows it.
func Printable(text string) string {
	if strings.IndexFunc(text, steers) < 0 {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		switch {
		case !steers(r):
			safe.WriteRune(r)
		case r == '\r':
			safe.WriteString(`\r`)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	return safe.String()
}

func steers(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
