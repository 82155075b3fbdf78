package dispatcher

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"kurier.dev/kurier/internal/event"
)

// trim is how much a dead letter has lost to fit its target (section 4.9).
type trim int

const (
	trimNothing  trim = iota
	trimData          // without knativeerrordata
	trimAllButID      // dest, code and reason alone
)

// headerPrefix marks response headers that become extensions.
const headerPrefix = "kne-"

// setErrorExtensions writes DL-20 to DL-24 onto a dead letter. Values that the
// event brought along are removed even where no new one is set: a dead letter
// that was injected again must not show stale errors (C16). ignored is how many
// kne- headers could not become an extension (DL-38).
func setErrorExtensions(m *event.Message, f *failure, t trim) (ignored int) {
	for _, name := range []string{event.ErrorDest, event.ErrorCode, event.ErrorData, event.Reason} {
		m.Delete(name)
	}
	m.Set(event.ErrorDest, f.dest)
	if f.code != 0 {
		m.Set(event.ErrorCode, strconv.Itoa(f.code))
	} else if f.reason != ReasonNone {
		m.Set(event.Reason, string(f.reason))
	}
	if t < trimData && len(f.body) > 0 {
		m.Set(event.ErrorData, base64.StdEncoding.EncodeToString(f.body[:min(len(f.body), keptBody)]))
	}
	if t == trimAllButID {
		return 0
	}
	for _, h := range f.headers {
		name, ok := cutPrefixFold(h.Name, headerPrefix)
		if !ok {
			continue
		}
		if name = strings.ToLower(name); usableExtension(name) && usableValue(h.Value) {
			m.Set(name, h.Value)
		} else {
			ignored++
		}
	}
	return ignored
}

func cutPrefixFold(s, prefix string) (rest string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// usableExtension keeps a response from making an invalid event, from changing
// what the event is, and from posing as Kurier.
func usableExtension(name string) bool {
	if name == "" || strings.HasPrefix(name, "knativeerror") {
		return false
	}
	switch name {
	case event.SpecVersion, event.ID, event.Source, event.Type, event.Subject, event.Time,
		event.DataSchema, event.SchemaURL, event.DataContentType, "datacontentencoding", "data",
		event.BrokerTTL, event.Reason:
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// usableValue: UTF-8 without control characters.
func usableValue(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}
