package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// coded is an attribute's value as somebody who reads the HTTP binding writes it.
func coded(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// envelope is an event in JSON.
func envelope(e event) ([]byte, error) {
	all := map[string]any{}
	for name, value := range e.Attributes {
		all[name] = value
	}
	switch kind := e.Attributes["datacontenttype"]; {
	case e.Data == nil:
	case strings.HasPrefix(kind, "application/json"):
		all["data"] = json.RawMessage(e.Data)
	case strings.HasPrefix(kind, "text/"):
		all["data"] = string(e.Data)
	default:
		all["data_base64"] = base64.StdEncoding.EncodeToString(e.Data)
	}
	return json.Marshal(all)
}

// sendCurl sends with curl, as a person types it.
func sendCurl(t testing.TB, address string, m mode, all []event) outcome {
	t.Helper()
	path, err := exec.LookPath("curl")
	if err != nil {
		skipOrFail(t, "there is no curl on PATH (Debian: curl)")
	}
	args := []string{"--silent", "--show-error", "--max-time", "60", "--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary", "@-"}
	body := all[0].Data
	switch m {
	case binary:
		kind := "Content-Type:" // takes curl's own away
		for name, value := range all[0].Attributes {
			if name == "datacontenttype" {
				kind += " " + value
				continue
			}
			args = append(args, "--header", "ce-"+name+": "+coded(value))
		}
		args = append(args, "--header", kind)
	case structured:
		args = append(args, "--header", "Content-Type: application/cloudevents+json")
		body, err = envelope(all[0])
	case batch:
		args = append(args, "--header", "Content-Type: application/cloudevents-batch+json")
		var parts [][]byte
		for _, e := range all {
			part, failed := envelope(e)
			if failed != nil {
				err = failed
			}
			parts = append(parts, part)
		}
		body = []byte("[" + string(bytes.Join(parts, []byte(","))) + "]")
	}
	if err != nil {
		return outcome{Error: err.Error()}
	}
	cmd := exec.Command(path, append(args, address)...)
	cmd.Stdin = bytes.NewReader(body)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return outcome{Error: err.Error() + ": " + string(out)}
	}
	status, err := strconv.Atoi(string(out))
	if err != nil {
		return outcome{Error: string(out)}
	}
	return outcome{Status: status, Body: body}
}
