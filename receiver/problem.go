package receiver

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// answer is the core's verdict on a request.
type answer struct {
	status     int
	detail     string // why, for every status of 400 and above
	retryAfter int    // seconds; 0: no header
	origin     string // WebHook-Allowed-Origin and -Rate; empty: neither header
	rate       string
	close      bool   // the connection must not be used again
	route      *entry // nil when none was found
}

// problem is an error answer. The detail tells a person what to change.
func problem(status int, detail string) answer { return answer{status: status, detail: detail} }

// busy is an error answer that invites to come back.
func busy(status int, seconds int, detail string) answer {
	return answer{status: status, detail: detail, retryAfter: seconds}
}

// problemBody renders RFC 9457 problem details.
func problemBody(a *answer) []byte {
	title := http.StatusText(a.status)
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // a person reads /<namespace>/<broker> in a terminal
	err := encoder.Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", title, a.status, a.detail})
	if err != nil { // four plain fields always marshal
		return nil
	}
	return body.Bytes() // its last line ends, as terminals like it
}
