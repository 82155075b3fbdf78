package dispatcher

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// counter is a count that both a status and a scrape read.
type counter struct{ n atomic.Int64 }

func (c *counter) Inc()         { c.n.Add(1) }
func (c *counter) Add(n int64)  { c.n.Add(n) }
func (c *counter) Value() int64 { return c.n.Load() }

// discardReason is a label value.
type discardReason int

const (
	discardedOther     discardReason = iota // a body that is no CloudEvent (DL-27)
	discardedNoAddress                      // a CloudEvent, and no reply address (DL-30)
	discardReasons
)

var discardNames = [discardReasons]string{"not_an_event", "no_reply_address"}

// codeClass is a label value: what became of an attempt at a subscriber.
type codeClass int

const (
	class2xx codeClass = iota
	class3xx
	class4xx
	class5xx
	classTimeout
	classConnection
	classOther // unsupported scheme, reply too large, a final 1xx
	codeClasses
)

var classNames = [codeClasses]string{"2xx", "3xx", "4xx", "5xx", "timeout", "connection", "other"}

// subMetrics are the exact counts of one subscription.
type subMetrics struct {
	received, delivered, filtered, filterErrors counter
	attempts                                    [codeClasses]counter
	retries, replies, malformed                 counter
	discards                                    [discardReasons]counter
	sinkLetters, kafkaSinkLetters, topicLetters counter
	deadLetterFailures, dropped, held           counter
	notCloudEvents, ignoredExtensions           counter

	dispatch, process prometheus.Observer // nil: no metrics wanted
}

func (m *subMetrics) discarded(r discardReason) *counter { return &m.discards[r] }

func (m *subMetrics) deadLettered(k graveKind) *counter {
	switch k {
	case graveSink:
		return &m.sinkLetters
	case graveKafkaSink:
		return &m.kafkaSinkLetters
	case graveTopic, graveNone:
	}
	return &m.topicLetters
}

// observeAttempt counts an attempt at the subscriber by what it gave.
func (m *subMetrics) observeAttempt(took time.Duration, err error) {
	m.attempts[classOf(err)].Inc()
	if m.dispatch != nil {
		m.dispatch.Observe(took.Seconds())
	}
}

func classOf(err error) codeClass {
	if err == nil {
		return class2xx
	}
	var attempt *AttemptError
	if !errors.As(err, &attempt) {
		return classConnection
	}
	switch attempt.Reason {
	case ReasonTimeout:
		return classTimeout
	case ReasonConnection:
		return classConnection
	default: // the code says it
	}
	switch attempt.Code / 100 {
	case 3:
		return class3xx
	case 4:
		return class4xx
	case 0, 1:
		return classOther
	}
	return class5xx
}

// observeProcess measures the time from an event's arrival in Kafka to its first
// attempt.
func (m *subMetrics) observeProcess(v *delivery) {
	if m.process != nil && !v.Record.Timestamp.IsZero() {
		m.process.Observe(max(0, v.begun.Sub(v.Record.Timestamp).Seconds()))
	}
}
