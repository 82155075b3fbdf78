package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// What a client does with an event.
const (
	sends   = "sends"
	reads   = "reads"
	answers = "answers" // as a subscriber that answers with the event that it read
)

// finding is where a client does something else than the CloudEvents specification says,
// or than its user may think. Empty fields mean all.
type finding struct {
	client string
	does   []string
	modes  []mode
	events []string // the ends of ids
	// change makes of the event that was meant the event that is there.
	change func(e *event)
	// refused: nothing is accepted; words of the error.
	refused string
	// page is a line of docs/clients.md that tells it.
	page string
}

var (
	inBinary = []mode{binary}
	special  = []string{"spaces", "percent", "quotes", "latin", "unicode", "uri"}
	untyped  = []string{"nodata", "untyped", "spaces", "percent", "quotes", "latin", "unicode", "uri", "time", "notime"}
)

var findings = []finding{
	{client: "go", does: []string{sends, answers}, change: timeAs(func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }),
		page: "| Go | sends times in UTC |"},
	{client: "go", does: []string{sends}, modes: inBinary, events: []string{"percent", "quotes", "uri"}, change: decoded,
		page: "| Go | sends header values as they are, not percent-coded |"},
	{client: "go", does: []string{reads}, modes: inBinary, events: special, change: stillCoded,
		page: "| Go | reads header values as they are, not percent-decoded |"},
	{client: "go", does: []string{sends}, modes: []mode{binary, structured}, events: []string{"notime"}, change: timedNow,
		page: "| Go | its client gives the present time to an event without `time` |"},
	{client: "go", does: []string{answers}, events: []string{"untyped"}, change: typed("text/plain; charset=utf-8"),
		page: "| Go | answers an event that has data and no `datacontenttype` with the type that net/http guesses |"},

	{client: "python", events: []string{"notime"}, change: timedNow,
		page: "| Python | gives the present time to an event without `time`, also when it reads one |"},
	{client: "python", change: timeAs(func(t time.Time) string {
		if t.Nanosecond() == 0 {
			return t.Format("2006-01-02T15:04:05Z07:00")
		}
		return t.Format("2006-01-02T15:04:05.000000Z07:00")
	}), page: "| Python | times have microseconds |"},

	{client: "javascript", events: []string{"notime"}, change: timedNow,
		page: "| JavaScript | gives the present time to an event without `time`, also when it reads one |"},
	{client: "javascript", change: timeAs(func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }),
		page: "| JavaScript | times are turned to UTC and cut to milliseconds |"},
	{client: "javascript", does: []string{sends, answers}, modes: inBinary, events: untyped, change: typed("application/json; charset=utf-8"),
		page: "| JavaScript | sends `application/json; charset=utf-8` for an event without `datacontenttype` in binary mode |"},
	{client: "javascript", does: []string{sends}, modes: inBinary, events: []string{"percent", "quotes", "uri"}, change: decoded,
		page: "| JavaScript | sends header values as they are, not percent-coded |"},
	{client: "javascript", does: []string{sends}, modes: inBinary, events: []string{"latin"}, refused: "is not UTF-8",
		page: "| JavaScript | header values with letters like ü go out as Latin-1, which Kurier answers 400 |"},
	{client: "javascript", does: []string{sends}, modes: inBinary, events: []string{"unicode"}, refused: "ByteString",
		page: "| JavaScript | header values with any other letter cannot be sent at all |"},
	{client: "javascript", does: []string{reads}, modes: inBinary, events: special, change: stillCoded,
		page: "| JavaScript | reads header values as they are, not percent-decoded |"},
	{client: "javascript", does: []string{reads}, modes: []mode{structured}, events: []string{"bytes"},
		change: func(e *event) { e.Attributes["class"] = "Uint32Array" },
		page:   "| JavaScript | reads bytes in structured mode as a `Uint32Array` with one byte in each element |"},
	{client: "javascript", does: []string{answers}, modes: []mode{structured}, events: special, change: stillCoded,
		page: "| JavaScript | reads header values as they are, not percent-decoded |"},
}

// known are the findings on a client and an event, in their order.
func known(client, does string, m mode, e event) []finding {
	var all []finding
	for _, f := range findings {
		if f.client == client && (f.does == nil || slices.Contains(f.does, does)) && (f.modes == nil || slices.Contains(f.modes, m)) &&
			(f.events == nil || slices.ContainsFunc(f.events, func(name string) bool { return strings.HasSuffix("-"+e.id(), "-"+name) })) {
			all = append(all, f)
		}
	}
	return all
}

// expected is the event that is there when a client did something with another; refused
// has words of an error when there is none.
func expected(client, does string, m mode, e event) (there event, refused string) {
	there = e.with(nil)
	for _, f := range known(client, does, m, e) {
		if f.refused != "" {
			return event{}, f.refused
		}
		f.change(&there)
	}
	return there, ""
}

// timeAs writes the time in another way.
func timeAs(format func(time.Time) string) func(*event) {
	return func(e *event) {
		if at, err := time.Parse(time.RFC3339Nano, e.Attributes["time"]); err == nil {
			e.Attributes["time"] = format(at)
		}
	}
}

// decoded: what looks coded although it is not is decoded by whoever reads it.
func decoded(e *event) {
	for name, value := range e.Attributes {
		if inner, ok := strings.CutPrefix(value, `"`); ok {
			value = strings.TrimSuffix(inner, `"`)
		}
		e.Attributes[name] = strings.NewReplacer("%25", "%", "%20", " ", "%41", "A").Replace(value)
	}
}

// stillCoded: values stay as they stand in the header.
func stillCoded(e *event) {
	for name, value := range e.Attributes {
		e.Attributes[name] = coded(value)
	}
}

func typed(kind string) func(*event) {
	return func(e *event) { e.Attributes["datacontenttype"] = kind }
}

func timedNow(e *event) { e.Attributes["time"] = now }

// TestFindingsAreTold: docs/clients.md tells each finding, and names the versions that
// it was found with.
func TestFindingsAreTold(t *testing.T) {
	read := func(path ...string) string {
		text, err := os.ReadFile(filepath.Join(append([]string{harness.Root()}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	page := read("docs", "clients.md")
	for _, f := range findings {
		if !strings.Contains(page, strings.TrimSuffix(f.page, " |")) {
			t.Errorf("docs/clients.md has no line that begins with %q", f.page)
		}
	}
	version := func(text, before, after string) string {
		_, rest, _ := strings.Cut(text, before)
		found, _, _ := strings.Cut(rest, after)
		return found
	}
	for name, want := range map[string]string{
		"github.com/cloudevents/sdk-go/v2": version(read("go.mod"), "github.com/cloudevents/sdk-go/v2 v", "\n"),
		"cloudevents (Python)":             version(read("test", "interop", "python", "requirements.txt"), "cloudevents==", "\n"),
		"kafka-python":                     version(read("test", "interop", "python", "requirements.txt"), "kafka-python==", "\n"),
		"cloudevents (JavaScript)":         version(read("test", "interop", "javascript", "package.json"), `"cloudevents": "`, `"`),
	} {
		if line := "| " + name + " | " + want + " |"; want == "" || !strings.Contains(page, line) {
			t.Errorf("docs/clients.md has no line that begins with %q", line)
		}
	}
}
