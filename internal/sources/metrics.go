package sources

import "github.com/prometheus/client_golang/prometheus"

// result is how a tick ended.
type result string

const (
	sent    result = "sent"
	failed  result = "failed"  // all attempts failed
	skipped result = "skipped" // too many events of the source were on their way
)

type metrics struct {
	ticks *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{ticks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kurier_source_ticks_total",
		Help: "Ticks of PingSources that this process fired, by how they ended.",
	}, []string{"namespace", "name", "result"})}
	if r != nil {
		r.MustRegister(m.ticks)
	}
	return m
}

func (m *metrics) count(p Ping, r result) {
	m.ticks.WithLabelValues(p.Namespace, p.Name, string(r)).Inc()
}
