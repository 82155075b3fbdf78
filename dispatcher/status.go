package dispatcher

import (
	"fmt"
	"time"

	"kurier.dev/kurier/consumer"
)

// Status is how one subscription does in this process.
type Status struct {
	Kind, Namespace, Name string

	// Error is why it does not run; empty when it does.
	Error string
	// Consumer is zero while it does not run.
	Consumer consumer.Stats

	LastSuccess time.Time // zero: none yet
	LastFailure *Failure  // nil: none yet

	SubscriberHealthy     Condition // Unknown before the first attempt
	DeadLetterSinkHealthy Condition
	WindowFull            Condition

	Counters Counters
}

// Condition is one statement about a subscription. Status is "True", "False" or
// "Unknown"; Since is when it last changed, zero when that is not known.
type Condition struct {
	Status          string
	Reason, Message string
	Since           time.Time
}

// The values of Condition.Status.
const (
	conditionTrue    = "True"
	conditionFalse   = "False"
	conditionUnknown = "Unknown"
)

// Reasons of conditions.
const (
	reasonSubscriberFailing     = "SubscriberFailing"
	reasonNoAttempt             = "NoAttemptYet"
	reasonDeadLetterSinkFailing = "DeadLetterSinkFailing"
	reasonWindowFull            = "TooManyUnsettledEvents"
)

const windowFullMessage = "Too many events are unsettled, so no further ones are read until some are settled. " +
	"Ways out: repair the subscriber or the dead letter sink; lower retry or backoff; " +
	"or set the annotation kurier.dev/on-dead-letter-failure: drop to give up what cannot be dead-lettered."

// Counters are exact counts since the subscription was first applied.
type Counters struct {
	Received, Delivered, Filtered, FilterErrors int64
	Attempts, Retries                           int64
	Replies, DiscardedReplies, MalformedReplies int64
	DeadLettered, DeadLetterFailures            int64
	Dropped, Held                               int64 // Held: how often an event began to be held
	NotCloudEvents, IgnoredExtensions           int64
}

func (m *subMetrics) counters() Counters {
	c := Counters{
		Received: m.received.Value(), Delivered: m.delivered.Value(),
		Filtered: m.filtered.Value(), FilterErrors: m.filterErrors.Value(),
		Retries: m.retries.Value(), Replies: m.replies.Value(), MalformedReplies: m.malformed.Value(),
		DeadLetterFailures: m.deadLetterFailures.Value(), Dropped: m.dropped.Value(), Held: m.held.Value(),
		NotCloudEvents: m.notCloudEvents.Value(), IgnoredExtensions: m.ignoredExtensions.Value(),
	}
	for i := range m.attempts {
		c.Attempts += m.attempts[i].Value()
	}
	for i := range m.discards {
		c.DiscardedReplies += m.discards[i].Value()
	}
	for _, kind := range graveKinds {
		c.DeadLettered += m.deadLettered(kind).Value()
	}
	return c
}

// describe fills in what health knows. stats tell whether anything can be held.
func (h *health) describe(s *Status) {
	if n := h.lastSuccess.Load(); n != 0 {
		s.LastSuccess = time.Unix(0, n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lastFailure != nil {
		f := *h.lastFailure
		s.LastFailure = &f
	}
	s.SubscriberHealthy = h.subscriber(s.LastSuccess)
	s.DeadLetterSinkHealthy = Condition{Status: conditionTrue}
	// A held event may have gone to another process with its partition.
	if h.sink != nil && s.Consumer.Held+s.Consumer.InFlight > 0 {
		s.DeadLetterSinkHealthy = h.sink.condition()
	}
	s.WindowFull = Condition{Status: conditionFalse}
	if s.Consumer.WindowFull {
		s.WindowFull = Condition{Status: conditionTrue, Reason: reasonWindowFull, Message: windowFullMessage}
	}
}

func (h *health) subscriber(lastSuccess time.Time) Condition {
	switch {
	case h.failing.Load():
		return Condition{Status: conditionFalse, Reason: reasonSubscriberFailing, Message: h.lastError.Error(), Since: h.since}
	case lastSuccess.IsZero():
		return Condition{Status: conditionUnknown, Reason: reasonNoAttempt, Message: "No event was delivered yet."}
	}
	return Condition{Status: conditionTrue}
}

func (t *sinkTrouble) condition() Condition {
	code := ""
	if t.code != 0 {
		code = fmt.Sprintf(" with code %d", t.code)
	}
	return Condition{
		Status: conditionFalse,
		Reason: reasonDeadLetterSinkFailing,
		Message: fmt.Sprintf("Events are held: %s fails%s since %s: %s",
			t.url, code, t.since.UTC().Format(time.RFC3339), t.text),
		Since: t.since,
	}
}
