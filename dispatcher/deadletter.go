package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
)

// grave is where a dead letter goes under the current settings.
type grave struct {
	kind graveKind
	to   Destination
}

// graveKind is a label value.
type graveKind string

const (
	graveSink      graveKind = "sink"
	graveKafkaSink graveKind = "kafka_sink"
	graveTopic     graveKind = "topic"
	graveNone      graveKind = "" // dropped
)

var graveKinds = []graveKind{graveSink, graveKafkaSink, graveTopic}

// grave decides steps 1 and 2 of section 4.9. A record that is no CloudEvent
// goes to the topic even when there is a sink, and so does an event that has no
// hop left into one of our own Brokers: there it would fail again, for ever.
func (p *pipeline) grave(v *delivery) grave {
	s := v.settings
	if sink := s.Delivery.DeadLetterSink; sink != nil && v.event != nil && (v.ttl > 1 || !sink.OwnBroker) {
		kind := graveSink
		if sink.Topic != "" {
			kind = graveKafkaSink
		}
		return grave{kind, *sink}
	}
	if s.DeadLetter.Drop {
		return grave{kind: graveNone}
	}
	return grave{graveTopic, Destination{
		URL: "the dead letter topic " + s.DeadLetter.Topic, Cluster: s.Cluster, Topic: s.DeadLetter.Topic,
	}}
}

// bury makes one attempt to write the dead letter, or more while it has to be
// made smaller.
func (p *pipeline) bury(ctx context.Context, v *delivery) error {
	g := p.grave(v)
	if g.kind == graveNone {
		p.dropped(v, nil)
		return nil
	}
	err := p.write(ctx, v, g)
	for tooLarge(err) && v.trim < trimAllButID && v.event != nil && ctx.Err() == nil {
		v.trim++
		err = p.write(ctx, v, g)
	}
	if early := v.uncounted(ctx, err); early != nil {
		return early
	}
	if err == nil {
		p.buried(v, g)
		return nil
	}
	return p.burialFailed(v, err)
}

// burialFailed is step 3: the stage's own budget, then hold for ever or drop.
func (p *pipeline) burialFailed(v *delivery, err error) error {
	s := v.settings
	v.tries++
	p.metrics.deadLetterFailures.Inc()
	if v.failure != nil {
		if attempt := asAttempt(err); attempt != nil {
			err = &eitherError{first: v.failure, second: err, url: attempt.URL}
		}
	}
	if v.holds == 0 && Retryable(err) && v.tries < s.Delivery.attempts() {
		return p.wait(v, v.tries, err)
	}
	if s.DeadLetter.OnFailureDrop {
		p.dropped(v, err)
		return nil
	}
	v.holds++
	p.held(v, err)
	return &consumer.Later{
		After:  p.retryAfter(p.backoff.holding(v.holds, &s.Delivery), &s.Delivery, err),
		Held:   true,
		Resume: true,
		Err:    err,
	}
}

// write makes one attempt.
func (p *pipeline) write(ctx context.Context, v *delivery, g grave) error {
	s := v.settings
	m := Message{To: g.to, Format: s.Delivery.Format, Namespace: s.Namespace, Timeout: s.Delivery.timeout()}
	if v.event == nil {
		m.Record = notCloudEvent(v, g.to.Topic)
	} else {
		m.Event = p.deadLetter(v, g)
	}
	_, err := p.send(ctx, v, m)
	return err
}

// deadLetter is the original event as it was delivered, with error extensions.
func (p *pipeline) deadLetter(v *delivery, g grave) *event.Message {
	m := v.event.Clone()
	f := v.failure
	if f.ofReply && v.reply != nil {
		m.Headers = slices.DeleteFunc(slices.Clone(v.reply.event.Headers), func(h event.Header) bool {
			return h.Name == "retry-after" // meant for the reply's place alone
		})
	}
	ignored := setErrorExtensions(m, f, v.trim)
	if v.tries == 0 && v.trim == trimNothing {
		p.metrics.ignoredExtensions.Add(int64(ignored))
	}
	if g.to.OwnBroker && v.hops {
		// The Broker's ingress takes one off: the event is stored with TTL - 1.
		m.Set(event.BrokerTTL, strconv.Itoa(v.ttl))
	}
	return m
}

// Headers that a record which is no CloudEvent gets in the dead letter topic.
const (
	headerReason = "kurier-reason"
	headerSource = "kurier-source"
)

// notCloudEvent is DL-37: key, value and headers unchanged, plus why and whence.
func notCloudEvent(v *delivery, topic string) *sarama.ProducerMessage {
	in := v.Record
	out := &sarama.ProducerMessage{Topic: topic, Headers: make([]sarama.RecordHeader, 0, len(in.Headers)+2)}
	if in.Key != nil {
		out.Key = sarama.ByteEncoder(in.Key)
	}
	if in.Value != nil {
		out.Value = sarama.ByteEncoder(in.Value)
	}
	for _, h := range in.Headers {
		out.Headers = append(out.Headers, *h)
	}
	out.Headers = append(out.Headers,
		sarama.RecordHeader{Key: []byte(headerReason), Value: []byte(v.err.Error())},
		sarama.RecordHeader{Key: []byte(headerSource), Value: []byte(source(in))})
	return out
}

// eitherError is an event that reached neither its subscriber (or the reply's
// place) nor its dead letter sink.
type eitherError struct {
	first  *failure
	second error
	url    string
}

func (e *eitherError) Error() string {
	return fmt.Sprintf("unable to complete request to either %s (%s) or %s (%s)",
		e.first.dest, cause(e.first.err), e.url, cause(e.second))
}

// Unwrap gives the dead letter's error: it decides what happens next.
func (e *eitherError) Unwrap() error { return e.second }

// cause is an attempt's error without the URL, which the sentence around it
// names already.
func cause(err error) string {
	var attempt *AttemptError
	switch {
	case !errors.As(err, &attempt):
		return err.Error()
	case attempt.Err != nil:
		return attempt.Err.Error()
	case attempt.Code != 0:
		return fmt.Sprintf("unexpected HTTP response, expected 2xx, got %d", attempt.Code)
	}
	return string(attempt.Reason)
}
