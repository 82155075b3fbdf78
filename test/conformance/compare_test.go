package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"kurier.dev/kurier/test/harness"
)

// attributesOf are the attributes of a binary event on the wire, as they stand there, with
// its content type.
func attributesOf(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		if short, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			all[short] = strings.Join(values, ",")
		}
	}
	if contentType := h.Get("Content-Type"); contentType != "" {
		all["datacontenttype"] = contentType
	}
	return all
}

// attributesSent are those of an event to be sent, with the harness's defaults.
func attributesSent(e *harness.Event) map[string]string {
	all := map[string]string{"id": e.ID, "type": "com.example.test", "source": "/test", "specversion": "1.0"}
	for name, value := range map[string]string{"type": e.Type, "source": e.Source, "specversion": e.SpecVersion, "datacontenttype": e.ContentType} {
		if value != "" {
			all[name] = value
		}
	}
	if e.Data != nil && e.ContentType == "" {
		all["datacontenttype"] = "application/json"
	}
	maps.Copy(all, e.Extensions)
	return all
}

// added are the attributes that Kurier adds on the way; see DP-50 and DP-51.
var added = []string{"knativearrivaltime", "knativekafkapartition", "knativekafkaoffset"}

// exactly compares a request in binary mode with the event that was sent: every attribute
// and every byte. It returns "equal", or what differs. Attributes in except are left out.
func exactly(r *harness.Request, e harness.Event, except ...string) string {
	want, got := attributesSent(&e), attributesOf(r.Header)
	for _, name := range except {
		delete(want, name)
		delete(got, name)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			all = append(all, fmt.Sprintf("%s is %q, was %q", name, got[name], want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			all = append(all, fmt.Sprintf("%s=%q is new", name, got[name]))
		}
	}
	if !bytes.Equal(r.Body, e.Data) {
		all = append(all, fmt.Sprintf("data are %.80q, were %.80q", r.Body, e.Data))
	}
	if len(all) > 0 {
		return strings.Join(all, "; ")
	}
	return "equal"
}

// each joins a text per request.
func each(requests []harness.Request, f func(*harness.Request) string) string {
	var all []string
	for i := range requests {
		all = append(all, f(&requests[i]))
	}
	return strings.Join(all, " ")
}

// withID are the requests that carry an event's id.
func withID(requests []harness.Request, id string) []harness.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r harness.Request) bool { return r.ID() != id })
}

// all tells whether something holds for every request and there is one: yes, no or none.
func all(requests []harness.Request, f func(*harness.Request) bool) string {
	if len(requests) == 0 {
		return "none"
	}
	for i := range requests {
		if !f(&requests[i]) {
			return "no"
		}
	}
	return "yes"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
