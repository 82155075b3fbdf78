package receiver_test

import (
	"bufio"
	"io"
	"testing"

	"kurier.dev/kurier/receiver"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestMetrics(t *testing.T) {
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{Registerer: reg})
	if _, err := receiver.New(receiver.Config{Registerer: reg}); err == nil {
		t.Error("two receivers registered the same metrics")
	}
	count := func(labels ...string) float64 { return reg.value(t, "kurier_ingress_requests_total", labels...) }
	for range 3 {
		f.binary("/ns/name", "")
	}
	f.binary("/ns/name", "", "Ce-Subject", "")
	f.binary("/whoever/invents", "")
	f.do("GET", "/ns/name", "")
	for _, tc := range []struct {
		want   float64
		labels []string
	}{
		{3, []string{"kind", "broker", "namespace", "ns", "name", "name", "code", "202"}},
		{1, []string{"kind", "broker", "namespace", "ns", "name", "name", "code", "400"}},
		{1, []string{"kind", "none", "namespace", "", "name", "", "code", "404"}},
		{1, []string{"kind", "none", "code", "405"}},
		{0, []string{"namespace", "whoever"}},
		{6, nil},
	} {
		if got := count(tc.labels...); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.labels, got, tc.want)
		}
	}
	if got := reg.value(t, "kurier_ingress_produce_duration_seconds", "name", "name"); got != 3 {
		t.Errorf("%v produces measured", got)
	}
	if !reg.has(t, "kurier_ingress_requests_total", "kind", "sink", "name", "s", "code", "503") {
		t.Error("a route's series do not exist from the start")
	}
	f.r.SetRoutes(routes(f.kafka)[:1])
	if reg.has(t, "kurier_ingress_requests_total", "kind", "sink") || reg.has(t, "kurier_ingress_produce_duration_seconds", "kind", "sink") {
		t.Error("series of removed routes are still there")
	}
	if got := count("name", "name", "code", "202"); got != 3 {
		t.Errorf("the counter of a route that stays: %v", got)
	}
}

func (r registry) has(t *testing.T, name string, labels ...string) bool {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() == name && matches(m, labels) {
				return true
			}
		}
	}
	return false
}
