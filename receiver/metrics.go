package receiver

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// codes are the status codes that a request can end with; each has its counter
// from the start.
var codes = [...]int{200, 202, 400, 404, 405, 408, 413, 415, 417, 429, 431, 503}

// metrics are the receiver's own. Namespace and name are those of configured
// routes, never what a client wrote: a request without a route has them empty.
type metrics struct {
	requests *prometheus.CounterVec
	produce  *prometheus.HistogramVec
	none     *routeMetrics

	mu     sync.Mutex
	routes map[routeKey]*routeMetrics
}

// routeKey is kind, namespace and name.
type routeKey [3]string

// routeMetrics are the metrics of one route, looked up once.
type routeMetrics struct {
	requests [len(codes)]prometheus.Counter
	produce  prometheus.Observer
}

// newMetrics registers the metrics; with a nil registerer they count for nobody.
func newMetrics(reg prometheus.Registerer, r *Receiver) (*metrics, error) {
	labels := []string{"kind", "namespace", "name"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kurier_ingress_requests_total",
			Help: "HTTP requests answered, by target and status code. Requests without a target have kind none.",
		}, append(labels, "code")),
		produce: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kurier_ingress_produce_duration_seconds",
			Help:    "Time from handing an event or batch to Kafka's client until its outcome was known.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
		}, labels),
		routes: map[routeKey]*routeMetrics{},
	}
	m.none = m.with(routeKey{"none", "", ""})
	if reg == nil {
		return m, nil
	}
	for _, c := range append([]prometheus.Collector{m.requests, m.produce}, gauges(r)...) {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func gauges(r *Receiver) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("kurier_ingress_inflight_requests", "Events' requests whose records Kafka's client has not returned.",
			func() float64 { return float64(r.budget.requests.Load()) }),
		gauge("kurier_ingress_inflight_bytes", "Memory reserved for those requests, in bytes.",
			func() float64 { return float64(r.budget.bytes.Load()) }),
		gauge("kurier_ingress_connections", "Open connections of clients.",
			func() float64 { return float64(r.connections()) }),
	}
}

func (m *metrics) with(key routeKey) *routeMetrics {
	rm := &routeMetrics{}
	for i, code := range codes {
		rm.requests[i] = m.requests.WithLabelValues(key[0], key[1], key[2], strconv.Itoa(code))
	}
	if key[0] != "none" {
		rm.produce = m.produce.WithLabelValues(key[:]...)
	}
	return rm
}

// route gives the metrics of a route, the same ones as long as it is kept.
func (m *metrics) route(key routeKey) *routeMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	rm := m.routes[key]
	if rm == nil {
		rm = m.with(key)
		m.routes[key] = rm
	}
	return rm
}

// keep forgets the routes that are not used any more. A request still under way
// on one of them counts into a series that is gone.
func (m *metrics) keep(used map[routeKey]*routeMetrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.routes {
		if used[key] == nil {
			labels := prometheus.Labels{"kind": key[0], "namespace": key[1], "name": key[2]}
			m.requests.DeletePartialMatch(labels)
			m.produce.DeletePartialMatch(labels)
			delete(m.routes, key)
		}
	}
}

// answered counts a request.
func (m *metrics) answered(a *answer) {
	rm := m.none
	if a.route != nil {
		rm = a.route.metrics
	}
	for i, code := range codes {
		if code == a.status {
			rm.requests[i].Inc()
			return
		}
	}
}

func (rm *routeMetrics) produced(d time.Duration) { rm.produce.Observe(d.Seconds()) }
