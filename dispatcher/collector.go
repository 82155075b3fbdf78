package dispatcher

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kurier.dev/kurier/consumer"
)

var subLabels = []string{"kind", "namespace", "name"}

// collector shows the counts of the subscriptions that run, from zero on. What
// is removed is not shown any more.
type collector struct {
	list     func() []*runner
	counters []counterMetric
	states   []statusMetric
	dispatch *prometheus.HistogramVec
	process  *prometheus.HistogramVec
}

type counterMetric struct {
	desc  *prometheus.Desc
	label string
	value func(*subMetrics) int64
}

// statusMetric is read from a subscription's Status.
type statusMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Status) float64
}

func newCollector(list func() []*runner) *collector {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600}
	return &collector{
		list:     list,
		counters: counterMetrics(),
		states:   append(gaugeMetrics(), consumerMetrics()...),
		dispatch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kn_eventing_dispatch_duration_seconds",
			Help: "Duration of an attempt at the subscriber.", Buckets: buckets,
		}, subLabels),
		process: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kn_eventing_process_duration_seconds",
			Help: "Time from an event's arrival in Kafka to its first attempt at the subscriber.", Buckets: buckets,
		}, subLabels),
	}
}

func counterMetrics() []counterMetric {
	var list []counterMetric
	add := func(name, help, label, labelValue string, value func(*subMetrics) int64) {
		labels := subLabels
		if label != "" {
			labels = append(labels[:len(labels):len(labels)], label)
		}
		list = append(list, counterMetric{
			desc:  prometheus.NewDesc("kurier_dispatch_"+name+"_total", help, labels, nil),
			label: labelValue, value: value,
		})
	}
	plain := func(name, help string, value func(*subMetrics) *counter) {
		add(name, help, "", "", func(m *subMetrics) int64 { return value(m).Value() })
	}
	plain("received", "Events taken out of Kafka.", func(m *subMetrics) *counter { return &m.received })
	plain("delivered", "Events that the subscriber accepted and whose reply, if any, reached its place.", func(m *subMetrics) *counter { return &m.delivered })
	plain("filtered", "Events that the filter refused.", func(m *subMetrics) *counter { return &m.filtered })
	plain("filter_errors", "Evaluations of a filter that failed; the event counts as refused.", func(m *subMetrics) *counter { return &m.filterErrors })
	for class, name := range classNames {
		add("attempts", "Attempts at the subscriber, by what they gave.", "code", name,
			func(m *subMetrics) int64 { return m.attempts[class].Value() })
	}
	plain("retries", "Attempts at the subscriber after the first of an event.", func(m *subMetrics) *counter { return &m.retries })
	plain("replies", "Replies that reached their place.", func(m *subMetrics) *counter { return &m.replies })
	for reason, name := range discardNames {
		add("discarded_replies", "Response bodies that went nowhere, by reason.", "reason", name,
			func(m *subMetrics) int64 { return m.discards[reason].Value() })
	}
	plain("malformed_replies", "Responses that claimed to be a CloudEvent and were none.", func(m *subMetrics) *counter { return &m.malformed })
	for _, kind := range graveKinds {
		add("dead_lettered", "Events written to a dead letter sink or topic.", "target", string(kind),
			func(m *subMetrics) int64 { return m.deadLettered(kind).Value() })
	}
	plain("dead_letter_failures", "Attempts to write a dead letter that failed.", func(m *subMetrics) *counter { return &m.deadLetterFailures })
	plain("dropped", "Events dropped by a policy of the manifest.", func(m *subMetrics) *counter { return &m.dropped })
	plain("held", "Events whose dead letter could not be written, when they began to be held.", func(m *subMetrics) *counter { return &m.held })
	plain("not_cloudevents", "Records that are no CloudEvents.", func(m *subMetrics) *counter { return &m.notCloudEvents })
	plain("ignored_extensions", "Kne- response headers that cannot become an extension.", func(m *subMetrics) *counter { return &m.ignoredExtensions })
	return list
}

func gaugeMetrics() []statusMetric {
	var list []statusMetric
	add := func(name, help string, value func(Status) float64) {
		list = append(list, statusMetric{
			desc: prometheus.NewDesc("kurier_dispatch_"+name, help, subLabels, nil), kind: prometheus.GaugeValue, value: value,
		})
	}
	add("in_flight", "Events being worked on.", func(s Status) float64 { return float64(s.Consumer.InFlight) })
	add("waiting", "Events that wait for a retry.", func(s Status) float64 { return float64(s.Consumer.Waiting) })
	add("held", "Events held because their dead letter cannot be written.", func(s Status) float64 { return float64(s.Consumer.Held) })
	add("lag", "Events of this process's partitions that are not settled.", func(s Status) float64 { return float64(s.Consumer.Lag) })
	add("oldest_unsettled_seconds", "Age of the oldest event that is not settled; 0 when there is none.", func(s Status) float64 {
		if s.Consumer.OldestUnsettled.IsZero() {
			return 0
		}
		return max(0, time.Since(s.Consumer.OldestUnsettled).Seconds())
	})
	add("window_full", "1 while reading pauses because too many events are unsettled.", func(s Status) float64 {
		if s.Consumer.WindowFull {
			return 1
		}
		return 0
	})
	return list
}

// consumerMetrics tell of the consumer group and its commits.
func consumerMetrics() []statusMetric {
	var list []statusMetric
	add := func(name, help string, kind prometheus.ValueType, value func(consumer.Stats) float64) {
		list = append(list, statusMetric{
			desc: prometheus.NewDesc("kurier_consumer_"+name, help, subLabels, nil), kind: kind,
			value: func(s Status) float64 { return value(s.Consumer) },
		})
	}
	count := func(name, help string, value func(consumer.Counters) int64) {
		add(name+"_total", help, prometheus.CounterValue, func(s consumer.Stats) float64 { return float64(value(s.Counters)) })
	}
	add("partitions", "Partitions that this process consumes.", prometheus.GaugeValue, func(s consumer.Stats) float64 { return float64(len(s.Partitions)) })
	add("buffered_bytes", "Memory of fetched events that are not settled, in bytes.", prometheus.GaugeValue, func(s consumer.Stats) float64 { return float64(s.BufferedBytes) })
	count("rebalances", "Generations of the consumer group that this process took part in.", func(c consumer.Counters) int64 { return c.Rebalances })
	count("commits", "Commits that Kafka acknowledged.", func(c consumer.Counters) int64 { return c.Commits })
	count("commit_failures", "Commits that were refused or lost; they are made again.", func(c consumer.Counters) int64 { return c.CommitFailures })
	count("skipped", "Events not delivered again because the commit says that they are settled.", func(c consumer.Counters) int64 { return c.Skipped })
	count("replays", "Assignments that began at the committed offset alone because its metadata could not be used.", func(c consumer.Counters) int64 { return c.Replays })
	count("out_of_range", "Partitions whose position was not in the log and was set back to the log's start.", func(c consumer.Counters) int64 { return c.OutOfRange })
	return list
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.counters {
		ch <- m.desc
	}
	for _, m := range c.states {
		ch <- m.desc
	}
	c.dispatch.Describe(ch)
	c.process.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, r := range c.list() {
		labels := []string{r.key.kind, r.key.namespace, r.key.name}
		for _, m := range c.counters {
			with := labels
			if m.label != "" {
				with = append(with[:len(with):len(with)], m.label)
			}
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(m.value(r.pipe.metrics)), with...)
		}
		status := r.status()
		for _, m := range c.states {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(status), labels...)
		}
	}
	c.dispatch.Collect(ch)
	c.process.Collect(ch)
}

// track makes the histograms of a subscription; forget removes them.
func (c *collector) track(k key, m *subMetrics) {
	if c == nil {
		return
	}
	m.dispatch = c.dispatch.WithLabelValues(k.kind, k.namespace, k.name)
	m.process = c.process.WithLabelValues(k.kind, k.namespace, k.name)
}

func (c *collector) forget(k key) {
	if c == nil {
		return
	}
	c.dispatch.DeleteLabelValues(k.kind, k.namespace, k.name)
	c.process.DeleteLabelValues(k.kind, k.namespace, k.name)
}
