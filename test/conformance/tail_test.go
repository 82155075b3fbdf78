package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"kurier.dev/kurier/test/harness"
)

// tail reads the first n records of an object as they stand in Kafka, as CloudEvents in JSON.
func (w *world) tail(n int, args ...string) []map[string]any {
	w.t.Helper()
	args = append([]string{"tail", "--output", "json", "--from", "oldest", "--max", fmt.Sprint(n)}, args...)
	stdout, stderr, code := harness.Run(w.t, w.s.Env(), args...)
	if code != 0 {
		w.t.Fatalf("kurier %s: status %d\n%s", strings.Join(args, " "), code, stderr)
	}
	var events []map[string]any
	for line := range strings.Lines(stdout) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("kurier tail printed %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}
