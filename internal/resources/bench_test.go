package resources

import (
	"fmt"
	"strings"
	"testing"
)

const (
	byAttributes = "filter:\n    attributes:\n      type: demo.%d"
	byExpression = "filters:\n    - cesql: type = 'demo.%d' AND EXISTS subject"
)

// many is a file of n objects: one Broker for each 99 Triggers.
func many(n int, filter string) []source {
	var text strings.Builder
	for i := range n {
		if i%100 == 0 {
			text.WriteString(brokerText(fmt.Sprintf("b%d", i), "{delivery: {retry: 3}}"))
		} else {
			text.WriteString(triggerText(fmt.Sprintf("t%d", i), fmt.Sprintf(`
  broker: b%d
  `+filter+`
  subscriber:
    ref:
      apiVersion: serving.knative.dev/v1
      kind: Service
      name: event-display3
    uri: /path
  delivery:
    backoffPolicy: exponential
    backoffDelay: PT0.5S`, i/100*100, i), orderAnnotation, "ordered"))
		}
		text.WriteString("---\n")
	}
	return []source{{name: "m.yaml", data: []byte(text.String())}}
}

func BenchmarkLoad10000(b *testing.B)            { benchmarkLoad(b, byAttributes) }
func BenchmarkLoad10000Expressions(b *testing.B) { benchmarkLoad(b, byExpression) }

func benchmarkLoad(b *testing.B, filter string) {
	sources := many(10_000, filter)
	for b.Loop() {
		if plan, err := load(sources, options(), nil); err != nil || len(plan.Consumers) != 9_900 {
			b.Fatal(err)
		}
	}
}

func BenchmarkReload10000Expressions(b *testing.B) {
	sources := many(10_000, byExpression)
	plan, err := load(sources, options(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		plan = reload(plan, sources, options())
	}
}

// BenchmarkReload10000OneLine changes one line of one large file.
func BenchmarkReload10000OneLine(b *testing.B) {
	sources := many(10_000, byExpression)
	plan, err := load(sources, options(), nil)
	if err != nil {
		b.Fatal(err)
	}
	text, n := string(sources[0].data), 0
	for b.Loop() {
		n++
		edited := []source{{name: "m.yaml", data: []byte(strings.Replace(text, "demo.4242'", fmt.Sprintf("demo.x%d'", n), 1))}}
		if plan = reload(plan, edited, options()); len(plan.Errors) > 0 {
			b.Fatal(plan.Errors)
		}
	}
}
