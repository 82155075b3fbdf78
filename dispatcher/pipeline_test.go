package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
)

// CT-B18: the table of section 8.2, under the effective delivery of each Trigger
// (C6); receivers reject the first n with 409, no backoff.
func TestDeadLetterTable(t *testing.T) {
	for _, c := range []struct {
		id      string
		retry   int
		sink    bool
		rejects int
		sees    string // F rejected, T accepted
		dead    string
	}{
		{"0 t0", 0, false, 0, "T", ""},
		{"1 t0", 3, true, 3, "FFFT", ""},
		{"1 t1", 3, true, 4, "FFFF", "sink"},
		{"2 t0", 3, true, 3, "FFFT", ""},
		{"2 t1", 1, false, 2, "FF", "topic"},
		{"3 t0", 3, true, 3, "FFFT", ""},
		{"3 t1", 1, true, 2, "FF", "sink"},
		{"4 t0", 3, true, 4, "FFFF", "sink"},
		{"4 t1", 1, true, 2, "FF", "sink"},
		// The oracle knconf.DeliveryAttempts: none, none 1; 3 -> 4; 2 -> 3.
		{"oracle 3", 3, false, 9, "FFFF", "topic"},
		{"oracle 2", 2, false, 9, "FFF", "topic"},
	} {
		s := newScript(t)
		for i := range len(c.sees) {
			s.answers["subscriber"] = append(s.answers["subscriber"], map[bool]string{true: "409", false: "202"}[i < c.rejects])
		}
		s.answers["sink"], s.answers["topic"] = []string{"202"}, []string{"ok"}
		p := testPipeline(t, s, Config{}, trigger(func(sub *Subscription) {
			sub.Delivery.Retry = c.retry
			if c.sink {
				sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
			}
		}))
		if waits, done := run(p, &consumer.Delivery{Record: record(t, minEvent())}, 20); !done {
			t.Errorf("%s: unsettled after %v", c.id, waits)
		}
		if n := s.count("subscriber"); n != len(c.sees) {
			t.Errorf("%s: %d attempts, want %d", c.id, n, len(c.sees))
		}
		for _, place := range []string{"sink", "topic"} {
			if got, want := s.count(place) == 1, c.dead == place; got != want {
				t.Errorf("%s: %s got %d", c.id, place, s.count(place))
			}
		}
	}
}

// CT-C5, CT-C6: the table of section 8.3.
func TestChannelDelivery(t *testing.T) {
	for _, c := range []struct {
		sub, subscriber, reply string // answers
		dead                   int
	}{
		{"sub1", "409 202", "", 0},
		{"sub2", "409 event", "202", 0},
		{"sub3", "409 event", "409 202", 0},
		{"sub4", "409 event", "409 409", 1},
	} {
		s := newScript(t)
		s.answers["subscriber"] = strings.Fields(c.subscriber)
		s.answers["reply"] = strings.Fields(c.reply)
		s.answers["sink"] = []string{"202"}
		sub := trigger(func(sub *Subscription) {
			setKind(sub, "subscription with reply")
			sub.Delivery.Retry = 1
			sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		})
		p := testPipeline(t, s, Config{}, sub)
		run(p, &consumer.Delivery{Record: record(t, minEvent())}, 20)
		if s.count("subscriber") != len(s.answers["subscriber"]) || s.count("reply") != len(s.answers["reply"]) || s.count("sink") != c.dead {
			t.Errorf("%s: subscriber %d, reply %d, sink %d", c.sub, s.count("subscriber"), s.count("reply"), s.count("sink"))
		}
		if c.dead > 0 {
			m := s.last("sink").Event
			if id, _ := m.Get("id"); id != "1" || string(m.Data) != "body" {
				t.Errorf("%s: the dead letter is not the original event: %v %q", c.sub, m.Attributes, m.Data)
			}
		}
	}
}

// The dispatcher headers of section 8.9: which pass-through headers reach whom.
func TestPassThroughHeaders(t *testing.T) {
	request := []event.Header{{Name: "x-request-id", Value: "id123"}, {Name: "knative-1", Value: "a"}, {Name: "knative-2", Value: "b"}}
	original := "x-request-id=id123 knative-1=a knative-2=b"
	altered := "x-request-id=altered-id knative-1=new-knative-1-value"
	play := func(kind string, answers map[string][]string) *script {
		s := newScript(t)
		s.answers = answers
		sub := trigger(func(sub *Subscription) {
			setKind(sub, kind)
			sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		})
		m := minEvent()
		m.Headers = request
		run(testPipeline(t, s, Config{}, sub), &consumer.Delivery{Record: record(t, m)}, 20)
		return s
	}
	check := func(s *script, place, want string, prefer bool) {
		t.Helper()
		m := s.last(place)
		if got := headers(m.Event.Headers); got != want || m.WantReply != prefer || m.Namespace != "default" {
			t.Errorf("%s sees %s (prefer %v, namespace %q), want %s", place, got, m.WantReply, m.Namespace, want)
		}
	}

	s := play("subscription", map[string][]string{"subscriber": {"202"}})
	check(s, "subscriber", original, true)

	s = play("subscription with reply", map[string][]string{"subscriber": {"event"}, "reply": {"200"}})
	check(s, "reply", altered+" retry-after=9", false)
	if m := s.last("reply").Event; string(m.Data) != "answer" {
		t.Errorf("reply body %q", m.Data)
	}

	s = play("subscription", map[string][]string{"subscriber": {"400"}, "sink": {"200"}})
	check(s, "sink", original, false)

	s = play("subscription with reply", map[string][]string{"subscriber": {"event"}, "reply": {"400"}, "sink": {"200"}})
	check(s, "sink", altered, false)
	if m := s.last("sink").Event; string(m.Data) != "body" {
		t.Errorf("dead letter body %q, want the original", m.Data)
	}
}

func headers(list []event.Header) string {
	var parts []string
	for _, h := range list {
		parts = append(parts, h.Name+"="+h.Value)
	}
	return strings.Join(parts, " ")
}

// DP-49, DP-50: what is stored of a reply, whatever the subscriber set.
func TestBrokerReplyRecord(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"], s.answers["broker"] = []string{"event"}, []string{"ok"}
	p := testPipeline(t, s, Config{}, trigger(nil))
	run(p, &consumer.Delivery{Record: record(t, minEvent("knativebrokerttl", "5"))}, 5)
	rec := s.last("broker").Record
	got := map[string]string{}
	for _, h := range rec.Headers {
		got[string(h.Key)] = string(h.Value)
	}
	if rec.Topic != sourceTopic || got["ce_knativebrokerttl"] != "4" || got["ce_id"] != "r" || got["retry-after"] != "" {
		t.Errorf("stored in %s with %v", rec.Topic, got)
	}
	if at, err := time.Parse(time.RFC3339Nano, got["ce_knativearrivaltime"]); err != nil || time.Since(at) > time.Minute {
		t.Errorf("arrival time %q: %v", got["ce_knativearrivaltime"], err)
	}
}

// Own row of 8.7: BROKER_TTL=3 and a subscriber that replies its input gives
// exactly 3 deliveries and 1 dead letter.
func TestReplyLoopEnds(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"] = []string{"event", "event", "event"}
	s.answers["broker"] = []string{"ok", "ok"}
	s.answers["topic"] = []string{"ok"}
	p := testPipeline(t, s, Config{BrokerTTL: 3}, trigger(nil))
	m := minEvent("knativebrokerttl", "3") // as the ingress stores it
	rec := record(t, m)
	for range 5 {
		run(p, &consumer.Delivery{Record: rec}, 5)
		if s.count("topic") > 0 {
			break
		}
		stored := s.last("broker").Record
		rec = &sarama.ConsumerMessage{Topic: sourceTopic}
		rec.Value, _ = stored.Value.Encode()
		for i := range stored.Headers {
			rec.Headers = append(rec.Headers, &stored.Headers[i])
		}
	}
	if s.count("subscriber") != 3 || s.count("topic") != 1 {
		t.Errorf("%d deliveries, %d dead letters, want 3 and 1", s.count("subscriber"), s.count("topic"))
	}
}

// DP-51, FI-21: the position is set before the filter, the hop limit is seen by
// neither filter nor subscriber.
func TestDeliveredAttributes(t *testing.T) {
	s := newScript(t)
	s.answers["subscriber"] = []string{"202", "202"}
	sub := trigger(func(sub *Subscription) { sub.Attributes = map[string]string{"knativekafkaoffset": "42"} })
	p := testPipeline(t, s, Config{AddKafkaPosition: true}, sub)
	run(p, &consumer.Delivery{Record: record(t, minEvent("knativebrokerttl", "9", "knativekafkaoffset", "old"))}, 5)
	want := "specversion=1.0 id=1 type=t source=/s knativekafkaoffset=42 knativekafkapartition=3"
	if got := attributes(s.last("subscriber").Event); got != want {
		t.Errorf("the subscriber sees %s\nwant %s", got, want)
	}
	p = testPipeline(t, s, Config{}, trigger(nil))
	run(p, &consumer.Delivery{Record: record(t, minEvent())}, 5)
	if got, want := attributes(s.last("subscriber").Event), "specversion=1.0 id=1 type=t source=/s"; got != want {
		t.Errorf("ADD_KAFKA_POSITION=false: %s\nwant %s", got, want)
	}
}

// DL-37: a record that is no CloudEvent goes to the topic unchanged, even when
// there is a sink, and is never sent to the subscriber.
func TestNotACloudEvent(t *testing.T) {
	s := newScript(t)
	s.answers["topic"] = []string{"refused", "ok"}
	sub := trigger(func(sub *Subscription) {
		sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		sub.Attributes = map[string]string{"type": "never"}
	})
	synctest.Test(t, func(t *testing.T) {
		p := testPipeline(t, s, Config{}, sub)
		rec := &sarama.ConsumerMessage{Topic: sourceTopic, Partition: 1, Offset: 7, Key: []byte("k"), Value: []byte("v"),
			Headers: []*sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}, {Key: []byte("h"), Value: nil}}}
		waits, done := run(p, &consumer.Delivery{Record: rec}, 5)
		if !done || !slices.Equal(waits, []string{"hold 1s"}) {
			t.Errorf("waits %v, settled %v", waits, done)
		}
		out := s.last("topic").Record
		key, _ := out.Key.Encode()
		value, _ := out.Value.Encode()
		var list []string
		for _, h := range out.Headers {
			list = append(list, fmt.Sprintf("%s=%s", h.Key, h.Value))
		}
		if string(key) != "k" || string(value) != "v" || list[0] != "h=1" || list[1] != "h=" ||
			!strings.HasPrefix(list[2], "kurier-reason=not-a-cloudevent: ") || list[3] != "kurier-source=source/1/7" {
			t.Errorf("dead letter %s=%s %q", key, value, list)
		}
		if c := p.metrics.counters(); c.NotCloudEvents != 1 || c.DeadLettered != 1 || c.Attempts != 0 {
			t.Errorf("counters %+v", c)
		}

		p = testPipeline(t, s, Config{}, trigger(func(sub *Subscription) { sub.DeadLetter = DeadLetterPolicy{Drop: true} }))
		if _, done := run(p, &consumer.Delivery{Record: rec}, 1); !done || p.metrics.counters().Dropped != 1 {
			t.Error("drop: not dropped")
		}
	})
}

// An attempt that a stop or a revoke cut off does not count, and says so with
// ctx's error.
func TestCancelledAttemptDoesNotCount(t *testing.T) {
	for place, answers := range map[string]map[string][]string{
		"subscriber": {"subscriber": {"hang"}},
		"broker":     {"subscriber": {"event"}, "broker": {"hang"}},
		"topic":      {"subscriber": {"400"}, "topic": {"hang"}},
	} {
		s := newScript(t)
		s.answers = answers
		p := testPipeline(t, s, Config{}, trigger(nil))
		ctx, cancel := context.WithCancel(context.Background())
		d := &consumer.Delivery{Record: record(t, minEvent())}
		result := make(chan error)
		go func() { result <- p.handle(ctx, d) }()
		for s.count(place) == 0 {
			<-time.After(time.Millisecond)
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", place, err)
		}
		if want := len(answers) - 1; d.Attempts != want {
			t.Errorf("%s: %d attempts count, want %d", place, d.Attempts, want)
		}
		if st := d.State.(*progress); st.tries != 0 {
			t.Errorf("%s: %d tries count", place, st.tries)
		}
	}
}
