package receiver

import (
	"encoding/json"
	"strings"
	"testing"
)

// What a person reads in a terminal holds no escapes but JSON's own.
func TestProblemIsReadable(t *testing.T) {
	want := problem(400, `path "/a" is no address, want /<namespace>/<broker> & more`)
	body := problemBody(&want)
	var got struct{ Detail string }
	if err := json.Unmarshal(body, &got); err != nil || got.Detail != want.detail {
		t.Fatalf("%v: %s", err, body)
	}
	if !strings.Contains(string(body), "/<namespace>/<broker> & more") {
		t.Errorf("%s", body)
	}
}
