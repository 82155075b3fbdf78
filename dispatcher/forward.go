package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// forward makes one attempt to bring a reply to its place. Its budget is its own
// (C2, C3): the subscriber has succeeded and is not called again.
func (p *pipeline) forward(ctx context.Context, v *delivery) error {
	s := v.settings
	if s.Reply.Kind == ReplyNone {
		p.metrics.discarded(discardedNoAddress).Inc()
		p.delivered(v)
		return nil
	}
	message, err := p.replyMessage(v)
	if err == nil {
		_, err = p.send(ctx, v, message)
	}
	if early := v.uncounted(ctx, err); early != nil {
		return early
	}
	v.tries++
	if err == nil {
		p.metrics.replies.Inc()
		p.delivered(v)
		return nil
	}
	return p.replyFailed(ctx, v, err)
}

// replyMessage is the attempt that forward makes: a request to the reply
// address, or a record for the Broker's topic.
func (p *pipeline) replyMessage(v *delivery) (Message, error) {
	s := v.settings
	m := Message{
		Event:     v.reply.event,
		To:        s.Reply.Destination,
		Format:    s.Delivery.Format,
		Namespace: s.Namespace,
		Timeout:   s.Delivery.timeout(),
	}
	if s.Reply.Kind == ReplyURL {
		return m, nil
	}
	m.To = Destination{URL: s.Reply.BrokerURL, Cluster: s.Cluster, Topic: s.Topic}
	rec, err := p.brokerReply(v)
	m.Record = rec
	return m, err
}

// brokerReply is a reply as it is stored in the Broker's topic (DP-49, DP-50).
func (p *pipeline) brokerReply(v *delivery) (*sarama.ProducerMessage, error) {
	s := v.settings
	ttl := v.ttl - 1
	if ttl <= 0 {
		return nil, &AttemptError{URL: s.Reply.BrokerURL, Reason: ReasonTTLExhausted,
			Err: errors.New("the event has made as many hops through Brokers as its hop limit allows")}
	}
	m := v.reply.event.Clone()
	m.Set(event.BrokerTTL, strconv.Itoa(ttl))
	m.Set(event.ArrivalTime, time.Now().UTC().Format(time.RFC3339Nano))
	rec, err := m.Record(s.Topic, false)
	if err != nil {
		return nil, err
	}
	if size := event.RecordSize(rec); size > p.cfg.MaxEventBytes {
		return nil, &AttemptError{URL: s.Reply.BrokerURL, Reason: ReasonReplyTooLarge,
			Err: fmt.Errorf("the reply takes %d bytes, %d are allowed", size, p.cfg.MaxEventBytes)}
	}
	return rec, nil
}

// replyFailed waits for the next attempt, or dead-letters the original event.
func (p *pipeline) replyFailed(ctx context.Context, v *delivery, err error) error {
	s := v.settings
	dest := s.Reply.Destination.URL
	if s.Reply.Kind == ReplyBroker {
		dest = s.Reply.BrokerURL
	}
	wrapped := &replyError{url: dest, err: err}
	p.health.failed(v, wrapped, v.tries)
	if Retryable(err) && v.tries <= s.Delivery.Retry {
		later := p.wait(v, v.tries, wrapped)
		if later.After <= 0 || v.reply.reserve(p.replies) {
			return later
		}
		// Too many replies wait in memory: this one keeps its place among the
		// calls in flight, so that no further events are sent for.
		if err := pause(ctx, later.After, s.replaced); err != nil {
			return err
		}
		later.After = 0
		return later
	}
	f := newFailure(dest, wrapped)
	f.ofReply = true
	if s.Reply.Kind == ReplyBroker && (f.reason == ReasonTimeout || f.reason == ReasonConnection) {
		f.reason = ReasonReplyNotStored
	}
	v.failure = f
	v.to(atDeadLetter)
	return nil
}

// pause waits, or until wake is closed, or returns ctx's error.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
