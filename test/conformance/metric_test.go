package conformance

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

var sample = regexp.MustCompile(`^([a-z_]+)\{(.*)\} (\S+)$`)

// metric adds up the samples of a metric of one object whose labels contain every given
// piece, such as target="topic".
func (w *world) metric(name, kind, object string, labels ...string) int {
	w.t.Helper()
	code, body, err := w.s.Get(w.s.Admin + "/metrics")
	if err != nil || code != http.StatusOK {
		w.t.Fatalf("metrics: %d %v", code, err)
	}
	sum, found := 0.0, false
	labels = append(labels, `kind="`+kind+`"`, `namespace="`+w.ns+`"`, `name="`+object+`"`)
	for line := range strings.Lines(body) {
		parts := sample.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil || parts[1] != name || !containsAll(parts[2], labels) {
			continue
		}
		value, err := strconv.ParseFloat(parts[3], 64)
		if err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		w.t.Fatalf("no sample of %s with %v", name, labels)
	}
	return int(sum)
}

func containsAll(text string, pieces []string) bool {
	for _, p := range pieces {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// deadLettersInTopic is how many dead letters a consumer wrote to its topic.
func (w *world) deadLettersInTopic(kind, object string) int {
	return w.metric("kurier_dispatch_dead_lettered_total", kind, object, `target="topic"`)
}
