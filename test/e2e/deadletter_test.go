package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

var deadLetterScenarios = []scenario{
	{"CT-B18 attempts and dead letters", deadLetterCounts},
	{"dead letter to a topic", deadLetterTopic},
	{"dead letter to a KafkaSink", deadLetterKafkaSink},
	{"dead letter hold and repair", holdAndRepair},
	{"drop", dropped},
}

// deadLetterCounts: the exact number of attempts and of dead letters, with settings on the
// Broker, on the Trigger, and on both.
func deadLetterCounts(t *testing.T, s *harness.System) {
	dls := func(sub *harness.Subscriber) string { return fmt.Sprintf("deadLetterSink: {uri: %q}", sub.URL) }
	w := newWorld(t, s)
	type trigger struct {
		sub      *harness.Subscriber
		delivery string
		pattern  string
	}
	rows := []struct {
		broker     func(brokerDLS *harness.Subscriber) string
		triggers   func(t0DLS *harness.Subscriber) []trigger
		brokerDead int
		t0Dead     int
	}{
		{func(*harness.Subscriber) string { return "{}" }, func(*harness.Subscriber) []trigger {
			return []trigger{{nil, "", "T"}, {nil, "", "T"}}
		}, 0, 0},
		{func(b *harness.Subscriber) string { return "{retry: 3, " + dls(b) + "}" }, func(*harness.Subscriber) []trigger {
			return []trigger{{harness.NewSubscriber(t, harness.Reject(3, 0, "")), "", "FFFT"},
				{harness.NewSubscriber(t, harness.Reject(4, 0, "")), "", "FFFF"}}
		}, 1, 0},
		{func(*harness.Subscriber) string { return "{retry: 0}" }, func(d *harness.Subscriber) []trigger {
			return []trigger{{harness.NewSubscriber(t, harness.Reject(3, 0, "")), "{retry: 3, " + dls(d) + "}", "FFFT"},
				{harness.NewSubscriber(t, harness.Reject(2, 0, "")), "{retry: 1}", "FF"}}
		}, 0, 0},
		{func(b *harness.Subscriber) string { return "{retry: 1, " + dls(b) + "}" }, func(d *harness.Subscriber) []trigger {
			return []trigger{{harness.NewSubscriber(t, harness.Reject(3, 0, "")), "{retry: 3, " + dls(d) + "}", "FFFT"},
				{harness.NewSubscriber(t, harness.Reject(2, 0, "")), "", "FF"}}
		}, 1, 0},
		{func(b *harness.Subscriber) string { return "{retry: 1, " + dls(b) + "}" }, func(d *harness.Subscriber) []trigger {
			return []trigger{{harness.NewSubscriber(t, harness.Reject(4, 0, "")), "{retry: 3, " + dls(d) + "}", "FFFF"},
				{harness.NewSubscriber(t, harness.Reject(2, 0, "")), "", "FF"}}
		}, 1, 1},
	}
	var checks []func()
	for n, r := range rows {
		brokerDLS, t0DLS := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
		broker := fmt.Sprint("b", n)
		w.broker(broker, 1, r.broker(brokerDLS))
		for i, tr := range r.triggers(t0DLS) {
			if tr.sub == nil {
				tr.sub = harness.NewSubscriber(t, nil)
			}
			name := fmt.Sprintf("b%d-t%d", n, i)
			w.trigger(name, broker, tr.sub.URL, consumer{delivery: tr.delivery})
			checks = append(checks, func() {
				w.pattern(fmt.Sprintf("row %d: the subscriber of t%d", n, i), tr.sub, tr.pattern)
			})
		}
		checks = append(checks, func() {
			if b, d := len(brokerDLS.Requests()), len(t0DLS.Requests()); b != r.brokerDead || d != r.t0Dead {
				t.Errorf("row %d: %d dead letters at the Broker's sink, %d at the Trigger's; want %d, %d", n, b, d, r.brokerDead, r.t0Dead)
			}
		})
	}
	w.apply()
	for n := range rows {
		s.Send(t, s.Broker(w.ns, fmt.Sprint("b", n)), harness.MinEvent("x"))
	}
	for n := range rows { // what has to come, comes; then nothing more may be on its way
		w.settled(w.ref("trigger", fmt.Sprintf("b%d-t0", n)), w.ref("trigger", fmt.Sprintf("b%d-t1", n)))
	}
	for _, check := range checks {
		check()
	}
	dead := w.tail(1, w.ref("trigger", "b2-t1"), "--dead-letters")
	if dead[0]["knativeerrorcode"] == nil || fmt.Sprint(dead[0]["knativeerrorcode"]) != "409" {
		t.Errorf("row 2: the record in the dead letter topic is %v", dead[0])
	}
}

// deadLetterTopic: without any sink the event is in the default topic, with what went wrong.
func deadLetterTopic(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, harness.RejectAll(422, `{"no":"thanks"}`))
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{delivery: "{retry: 2}"})
	w.apply()
	w.send("b", harness.Event{ID: "dead", Type: "x", Data: []byte(`{"n":1}`), Extensions: map[string]string{"partitionkey": "k"}})
	dead := w.tail(1, w.ref("trigger", "t"), "--dead-letters")[0]
	for name, want := range map[string]string{
		"id": "dead", "partitionkey": "k", "knativeerrordest": sub.URL, "knativeerrorcode": "422",
		"knativeerrordata": base64.StdEncoding.EncodeToString([]byte(`{"no":"thanks"}`)),
	} {
		if got := fmt.Sprint(dead[name]); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := sub.Pattern(); got != "F" { // 422 is not retried
		t.Errorf("422 was tried %s, want F", got)
	}
	w.settled(w.ref("trigger", "t"))
}

// deadLetterKafkaSink: the dead letter is produced to the sink's topic.
func deadLetterKafkaSink(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, harness.RejectAll(503, ""))
	w.broker("b", 1, "")
	w.add("eventing.knative.dev/v1alpha1", "KafkaSink", "graveyard", fmt.Sprintf(
		"{topic: %s-graveyard, numPartitions: 1, replicationFactor: 1, bootstrapServers: [%s]}", w.ns, bootstrap(s)), "")
	w.trigger("t", "b", sub.URL, consumer{delivery: `{retry: 1, backoffPolicy: linear, backoffDelay: PT0.1S, ` +
		`deadLetterSink: {ref: {apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, name: graveyard}}}`})
	w.apply()
	w.send("b", harness.MinEvent("x"))
	dead := w.tail(1, w.ref("kafkasink", "graveyard"))[0]
	if dead["id"] != "min-event" || fmt.Sprint(dead["knativeerrorcode"]) != "503" {
		t.Errorf("the sink's topic has %v", dead)
	}
	w.settled(w.ref("trigger", "t"))
	if got := sub.Pattern(); got != "FF" {
		t.Errorf("attempts %s, want FF", got)
	}
}

// bootstrap is the Kafka of a target; kurier dev maps any to its embedded broker.
func bootstrap(s *harness.System) string {
	if b := s.Env()["KAFKA_BOOTSTRAP_SERVERS"]; b != "" {
		quoted := strings.Split(b, ",")
		for i := range quoted {
			quoted[i] = fmt.Sprintf("%q", quoted[i])
		}
		return strings.Join(quoted, ", ")
	}
	return `"kafka:9092"`
}

// holdAndRepair: a dead letter sink that is down holds the event, says so, and lets go
// when the file is corrected.
func holdAndRepair(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, harness.RejectAll(503, ""))
	sink := harness.NewSubscriber(t, nil)
	const wrong = "http://127.0.0.1:9/"
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{delivery: fmt.Sprintf("{retry: 0, deadLetterSink: {uri: %q}}", wrong)})
	w.apply()
	w.send("b", harness.MinEvent("x"))
	held := w.s.AwaitStatus(t, w.ref("trigger", "t"), "held", func(o *harness.Object) bool {
		d := o.Status.Delivery // the lag is asked of Kafka now and then, so it may come later
		return d.Held == 1 && o.Condition("DeadLetterSinkHealthy").Status == "False" && d.Lag != nil && *d.Lag == 1
	})
	if c := held.Condition("DeadLetterSinkHealthy"); c.Reason != "DeadLetterSinkFailing" || !strings.Contains(c.Message, wrong) {
		t.Errorf("condition %+v, want the reason DeadLetterSinkFailing and a message with %s", c, wrong)
	}
	if c := held.Condition("Ready"); c.Status == "False" {
		t.Errorf("a held event makes the Trigger unready: %+v", c)
	}
	repaired := time.Now()
	w.edit(wrong, sink.URL)
	got := sink.AwaitReceived(t, 1)[0]
	if took := got.End.Sub(repaired); took > 30*time.Second { // 2 s by the book
		t.Errorf("settled %s after the file was corrected", took)
	}
	if got.ID() != "min-event" || got.Attribute("knativeerrorcode") != "503" || got.Header.Get("Prefer") != "" {
		t.Errorf("the dead letter is %v", got.Header)
	}
	w.settled(w.ref("trigger", "t"))
	s.AwaitCondition(t, w.ref("trigger", "t"), "DeadLetterSinkHealthy", "True")
}

// dropped: a policy that the user wrote lets an event go, and the rest go on.
func dropped(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, harness.Reject(1, http.StatusBadRequest, ""))
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{order: "ordered", delivery: "{retry: 0}", annotations: "kurier.dev/dead-letter: drop"})
	w.apply()
	w.send("b", harness.Numbered("e", 2)...)
	sub.AwaitReceived(t, 1)
	w.settled(w.ref("trigger", "t"))
	if got := harness.Join(sub.IDs()); got != "e-1 e-2" {
		t.Errorf("requests for %s, want e-1 e-2", got)
	}
}
