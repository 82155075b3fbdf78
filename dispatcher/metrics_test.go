package dispatcher

import (
	"context"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// scrape returns every sample as name{labels} -> value; of histograms the count.
func scrape(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			sort.Strings(labels)
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch f.GetType().String() {
			case "COUNTER":
				samples[name] = m.GetCounter().GetValue()
			case "GAUGE":
				samples[name] = m.GetGauge().GetValue()
			default:
				samples[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return samples
}

// Every metric is there at zero from the start, counts, and goes with its
// subscription.
func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.topic(sourceTopic, 1, "group-a")
	r.topic(deadTopic, 1)
	a := newPlace(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("ce-id") == "1" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	r.apply(sub("a", a.URL, func(s *Subscription) { s.Attributes = map[string]string{"type": "t"} }))
	const labels = "kind=Trigger,name=a,namespace=default}"
	want := map[string]float64{
		"kurier_dispatch_received_total{" + labels: 4, "kurier_dispatch_delivered_total{" + labels: 2,
		"kurier_dispatch_filtered_total{" + labels: 1, "kurier_dispatch_filter_errors_total{" + labels: 0,
		"kurier_dispatch_attempts_total{code=2xx," + labels: 2, "kurier_dispatch_attempts_total{code=4xx," + labels: 1,
		"kurier_dispatch_attempts_total{code=5xx," + labels: 0, "kurier_dispatch_attempts_total{code=timeout," + labels: 0,
		"kurier_dispatch_attempts_total{code=connection," + labels: 0, "kurier_dispatch_retries_total{" + labels: 0,
		"kurier_dispatch_replies_total{" + labels: 0, "kurier_dispatch_malformed_replies_total{" + labels: 0,
		"kurier_dispatch_discarded_replies_total{" + labels[:len(labels)-1] + ",reason=not_an_event}": 0,
		"kurier_dispatch_dead_lettered_total{" + labels[:len(labels)-1] + ",target=topic}":            1,
		"kurier_dispatch_dead_lettered_total{" + labels[:len(labels)-1] + ",target=sink}":             0,
		"kurier_dispatch_dropped_total{" + labels:                                                     0, "kurier_dispatch_held_total{" + labels: 0,
		"kurier_dispatch_not_cloudevents_total{" + labels: 0, "kurier_dispatch_ignored_extensions_total{" + labels: 0,
		"kurier_dispatch_dead_letter_failures_total{" + labels: 0,
		"kurier_dispatch_in_flight{" + labels:                  0, "kurier_dispatch_waiting{" + labels: 0,
		"kurier_dispatch_held{" + labels: 0, "kurier_dispatch_lag{" + labels: 0,
		"kurier_dispatch_oldest_unsettled_seconds{" + labels: 0, "kurier_dispatch_window_full{" + labels: 0,
		"kn_eventing_dispatch_duration_seconds{" + labels: 3, "kn_eventing_process_duration_seconds{" + labels: 3,
	}
	start := scrape(t, r.registry)
	for name := range want {
		if v, ok := start[name]; !ok || v != 0 {
			t.Errorf("at the start %s is %v (there: %v)", name, v, ok)
		}
	}
	r.produce(sourceTopic, 0, 3)
	r.produce(sourceTopic, 3, 1, "type", "other")
	eventually(t, "all settled", func() bool {
		c := r.status("a").Counters
		return c.Delivered+c.Filtered+c.DeadLettered == 4 && r.status("a").Consumer.InFlight == 0
	})
	got := scrape(t, r.registry)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	if problems, err := testutil.GatherAndLint(r.registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", err, problems)
	}
	r.apply()
	if left := scrape(t, r.registry); len(left) > 0 {
		t.Errorf("left after removal: %v", left)
	}
	if err := r.d.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := r.registry.Register(newCollector(func() []*runner { return nil })); err != nil {
		t.Errorf("registering again after Shutdown: %v", err)
	}
}

func TestCodeClasses(t *testing.T) {
	for want, err := range map[codeClass]error{
		class2xx: nil, class3xx: &AttemptError{Code: 302}, class4xx: &AttemptError{Code: 404}, class5xx: &AttemptError{Code: 502},
		classTimeout: &AttemptError{Reason: ReasonTimeout}, classConnection: context.DeadlineExceeded,
		classOther: &AttemptError{Reason: ReasonReplyTooLarge},
	} {
		if got := classOf(err); got != want {
			t.Errorf("%v: class %s, want %s", err, classNames[got], classNames[want])
		}
	}
}
