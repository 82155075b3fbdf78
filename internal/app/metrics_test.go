package app

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"kurier.dev/kurier/test/otlptest"
)

// docs/metrics.md names every metric that a process serves, and no other.
func TestMetricsPageIsCurrent(t *testing.T) {
	sink := newSubscriber(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlptest.Start(t).URL)
	r := startDev(t, t.TempDir(), map[string]string{"orders.yaml": fmt.Sprintf(brokerAndTrigger, sink.URL, sink.URL)})
	eventually(t, "served", func() bool { return len(servedMetrics(t, r.admin)) > 10 })
	served := servedMetrics(t, r.admin)
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `(k[a-z_]+)`").FindAllStringSubmatch(string(page), -1) {
		documented[match[1]] = true
	}
	for name := range served {
		if !documented[name] {
			t.Errorf("%s is served and not documented", name)
		}
	}
	for name := range documented {
		if !served[name] && name != "kurier_source_ticks_total" { // appears with the first tick
			t.Errorf("%s is documented and not served", name)
		}
	}
}

// servedMetrics are the names of Kurier's own metrics.
func servedMetrics(t *testing.T, admin string) map[string]bool {
	t.Helper()
	response, err := client.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	names := map[string]bool{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "k") {
			names[fields[2]] = true
		}
	}
	return names
}
