package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
)

// Where the scripted places are.
const (
	subscriberURL = "http://subscriber"
	replyURL      = "http://reply"
	sinkURL       = "http://sink"
	brokerURL     = "http://ingress/default/broker"
	sourceTopic   = "source"
	deadTopic     = "dead"
	sinkTopic     = "sink-topic"
)

// script is a Sender that answers as it is told: a list of answers per place,
// and the failing test when there are more attempts than answers.
type script struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string][]string
	seen    map[string][]Message
}

func newScript(t *testing.T) *script {
	return &script{t: t, answers: map[string][]string{}, seen: map[string][]Message{}}
}

func placeOf(m Message) string {
	switch m.To.Topic {
	case sourceTopic:
		return "broker"
	case deadTopic:
		return "topic"
	case sinkTopic:
		return "kafkasink"
	}
	return strings.TrimPrefix(m.To.URL, "http://")
}

// Send implements Sender.
func (s *script) Send(ctx context.Context, m Message) (Result, error) {
	place := placeOf(m)
	s.mu.Lock()
	s.seen[place] = append(s.seen[place], m)
	n := len(s.seen[place])
	answers := s.answers[place]
	s.mu.Unlock()
	if n > len(answers) {
		s.t.Errorf("attempt %d at %s: only %d answers are scripted", n, place, len(answers))
		return Result{Code: 200}, nil
	}
	return answer(ctx, m, answers[n-1])
}

// answer is one attempt's outcome:
//
//	202             that code          503+6s   with Retry-After: 6
//	timeout         after the timeout  refused  no connection
//	event text bad  200 with a CloudEvent, with text, with a broken CloudEvent
//	large           Kafka refuses the size
//	hang            until ctx ends
//	kne             422 with headers kne-*, a body and pass-through headers
func answer(ctx context.Context, m Message, text string) (Result, error) {
	fail := func(e AttemptError) (Result, error) {
		e.URL = m.To.URL
		return Result{}, &e
	}
	ce := []event.Header{
		{Name: "Ce-Specversion", Value: "1.0"}, {Name: "Ce-Id", Value: "r"}, {Name: "Ce-Type", Value: "reply"},
		{Name: "Ce-Source", Value: "/s"}, {Name: "Content-Type", Value: "text/plain"},
		{Name: "X-Request-Id", Value: "altered-id"}, {Name: "Knative-1", Value: "new-knative-1-value"},
		{Name: "Do-Not-Passthrough", Value: "no"}, {Name: "Retry-After", Value: "9"},
	}
	switch text {
	case "timeout":
		<-time.After(m.Timeout)
		return fail(AttemptError{Reason: ReasonTimeout})
	case "refused":
		return fail(AttemptError{Reason: ReasonConnection, Err: errors.New("connection refused")})
	case "large":
		return fail(AttemptError{Reason: ReasonReplyTooLarge, Err: sarama.ErrMessageSizeTooLarge})
	case "unsupported":
		return fail(AttemptError{Reason: ReasonUnsupportedScheme})
	case "hang":
		<-ctx.Done()
		return Result{}, ctx.Err()
	case "event":
		return Result{Code: 200, ClaimsEvent: true, Headers: ce, Body: []byte("answer")}, nil
	case "text":
		return Result{Code: 200, Body: []byte("OK"), Headers: []event.Header{{Name: "Content-Type", Value: "garbage"}}}, nil
	case "bad":
		return Result{Code: 200, ClaimsEvent: true, Headers: []event.Header{{Name: "Ce-Specversion", Value: "9000.1"}}}, nil
	case "badjson":
		return Result{Code: 200, ClaimsEvent: true, Body: []byte("{}"),
			Headers: []event.Header{{Name: "Content-Type", Value: "application/cloudevents+json"}}}, nil
	case "ok":
		return Result{}, nil
	case "abc":
		return Result{Code: 202}, nil // ce-abc only, empty body: the headers claim nothing
	case "kne":
		return fail(AttemptError{Code: 422, Body: []byte("because"), Headers: []event.Header{{Name: "Kne-Test", Value: "foo"}}})
	}
	codeText, header, _ := strings.Cut(text, "+")
	code, err := strconv.Atoi(codeText)
	if err != nil {
		panic("no such answer: " + text)
	}
	if code/100 == 2 {
		return Result{Code: code}, nil
	}
	after, _ := time.ParseDuration(header)
	if after > 0 {
		header = strconv.Itoa(int(after / time.Second))
	}
	return fail(AttemptError{Code: code, RetryAfter: header})
}

func (s *script) count(place string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen[place])
}

// last is the last message a place got.
func (s *script) last(place string) Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[place]
	if len(seen) == 0 {
		s.t.Fatalf("%s got nothing", place)
	}
	return seen[len(seen)-1]
}

// trigger is a Subscription as scripts use it.
func trigger(change func(*Subscription)) Subscription {
	sub := Subscription{
		Kind: "Trigger", Namespace: "default", Name: "t",
		Topic: sourceTopic, Group: "g",
		Subscriber: Destination{URL: subscriberURL},
		Reply:      Reply{Kind: ReplyBroker, BrokerURL: brokerURL},
		Delivery:   Delivery{RetryAfterMax: 5 * time.Minute},
		DeadLetter: DeadLetterPolicy{Topic: deadTopic},
	}
	if change != nil {
		change(&sub)
	}
	return sub
}

func testPipeline(t *testing.T, sender Sender, cfg Config, sub Subscription) *pipeline {
	t.Helper()
	cfg.Clusters = func(string) (ClusterConn, error) { return ClusterConn{}, nil }
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s, err := compile(sub)
	if err != nil {
		t.Fatal(err)
	}
	p := &pipeline{
		cfg: &cfg, sender: sender, backoff: cfg.backoff(), replies: new(atomic.Int64),
		metrics: &subMetrics{}, health: newHealth(slog.New(slog.DiscardHandler)),
	}
	p.replies.Store(waitingReplies)
	p.settings.Store(s)
	t.Cleanup(p.health.close)
	return p
}

// record is an event as Kafka has it.
func record(t *testing.T, m *event.Message) *sarama.ConsumerMessage {
	t.Helper()
	out, err := m.Record(sourceTopic, false)
	if err != nil {
		t.Fatal(err)
	}
	in := &sarama.ConsumerMessage{Topic: sourceTopic, Partition: 3, Offset: 42, Timestamp: time.Now()}
	if out.Key != nil {
		in.Key, _ = out.Key.Encode()
	}
	if out.Value != nil {
		in.Value, _ = out.Value.Encode()
	}
	for i := range out.Headers {
		in.Headers = append(in.Headers, &out.Headers[i])
	}
	return in
}

func minEvent(more ...string) *event.Message {
	m := &event.Message{Data: []byte("body"), Attributes: []event.Attribute{
		{Name: "specversion", Value: "1.0"}, {Name: "id", Value: "1"},
		{Name: "type", Value: "t"}, {Name: "source", Value: "/s"},
	}}
	for i := 0; i+1 < len(more); i += 2 {
		m.Set(more[i], more[i+1])
	}
	return m
}

// run calls the handler as a consumer would, until the event is settled, limit
// calls were made, or a call fails. It returns the waits: "2s", "hold 1s".
func run(p *pipeline, d *consumer.Delivery, limit int) (list []string, done bool) {
	for range limit {
		err := p.handle(context.Background(), d)
		if err == nil {
			return list, true
		}
		var later *consumer.Later
		if !errors.As(err, &later) {
			return append(list, "error "+err.Error()), false
		}
		wait := later.After.String()
		if later.Held {
			wait = "hold " + wait
		}
		list = append(list, wait)
		<-time.After(later.After)
	}
	return list, false
}

// ending sums up what became of the events of a pipeline.
func ending(p *pipeline) string {
	c := p.metrics.counters()
	var list []string
	for _, o := range []struct {
		outcome outcome
		n       int64
	}{
		{outcomeDelivered, c.Delivered}, {outcomeFiltered, c.Filtered},
		{outcomeDeadLettered, c.DeadLettered}, {outcomeDropped, c.Dropped},
	} {
		if o.n > 0 {
			list = append(list, o.outcome.String())
		}
		if o.n > 1 {
			list = append(list, fmt.Sprint(o.n))
		}
	}
	if len(list) == 0 {
		return "unsettled"
	}
	return strings.Join(list, " ")
}
