package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// router is the Sender of one subscription: HTTP for a URL, Kafka for a topic.
type router struct {
	http           *HTTPSender
	clusters       func(name string) (ClusterConn, error)
	produceTimeout time.Duration
}

// Send implements Sender.
func (r *router) Send(ctx context.Context, m Message) (Result, error) {
	if m.To.Topic == "" {
		return r.http.Send(ctx, m)
	}
	return Result{}, r.produce(ctx, m)
}

// produce makes one produce attempt: it fails after the shorter of the attempt's
// and the produce timeout (section 4.8).
func (r *router) produce(ctx context.Context, m Message) error {
	cluster, err := r.clusters(m.To.Cluster)
	if err != nil {
		return &AttemptError{URL: m.To.URL, Reason: ReasonConnection, Err: err}
	}
	rec := m.Record
	if rec == nil {
		if rec, err = m.Event.Record(m.To.Topic, m.To.Structured); err != nil {
			return &AttemptError{URL: m.To.URL, Reason: ReasonConnection, Err: err}
		}
	}
	timeout := r.produceTimeout
	if m.Timeout > 0 {
		timeout = min(timeout, m.Timeout)
	}
	if !m.may() {
		return ErrMayNot
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = cluster.Producer.Produce(limited, rec, func() {})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err() // cancelled: does not count
	case errors.Is(err, sarama.ErrMessageSizeTooLarge):
		return &AttemptError{URL: m.To.URL, Reason: ReasonReplyTooLarge, Err: err}
	case limited.Err() != nil:
		return &AttemptError{URL: m.To.URL, Reason: ReasonTimeout,
			Err: fmt.Errorf("topic %q: Kafka did not acknowledge the record within %v", m.To.Topic, timeout)}
	}
	return &AttemptError{URL: m.To.URL, Reason: ReasonConnection, Err: fmt.Errorf("topic %q: %w", m.To.Topic, err)}
}
