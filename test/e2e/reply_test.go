package e2e

import (
	"fmt"
	"slices"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var replyScenarios = []scenario{
	{"CT-B21 replies into the Broker", brokerReplies},
	{"reply loop ends", replyLoop},
	{"DL-25 to DL-28 answers", answers},
}

// brokerReplies: an answer goes back into the Broker and to whom it matches, also through
// a channel as subscriber.
func brokerReplies(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink1 := harness.NewSubscriber(t, harness.Reply(map[string]string{"type": "type2", "source": "http://source2.com"}, nil))
	sink2, sink3 := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.channel("c", "")
	w.trigger("t1", "b", sink1.URL, consumer{filter: `filter: {attributes: {type: type1, source: "http://source1.com"}}`})
	w.trigger("t2", "b", sink2.URL, consumer{filter: `filter: {attributes: {type: ""}}`})
	w.trigger("t3", "b", s.Channel(w.ns, "c"), consumer{filter: `filter: {attributes: {type: type2, source: "http://source2.com"}}`})
	w.subscription("s", "c", sink3.URL, consumer{})
	w.apply()
	w.send("b", harness.Event{ID: "e", Type: "type1", Source: "http://source1.com", Data: []byte(`{"a":1}`)})
	sink3.AwaitReceived(t, 1)
	sink2.AwaitReceived(t, 2)
	w.settled(w.ref("trigger", "t1"), w.ref("trigger", "t2"), w.ref("trigger", "t3"))
	for n, want := range [][]string{{"type1"}, {"type1", "type2"}, {"type2"}} {
		var got []string
		for _, r := range []*harness.Subscriber{sink1, sink2, sink3}[n].Requests() {
			got = append(got, r.Attribute("type"))
			if r.Attribute("knativebrokerttl") != "" {
				t.Errorf("sink%d sees the hop count", n+1)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("sink%d got %v, want %v", n+1, got, want)
		}
	}
}

// replyLoop: a subscriber that answers each event with an event, for which it is called
// again, ends when the hop count is used up: with one dead letter and no loss.
func replyLoop(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, sink := harness.NewSubscriber(t, harness.Reply(nil, nil)), harness.NewSubscriber(t, nil)
	w.broker("b", 1, fmt.Sprintf("{deadLetterSink: {uri: %q}}", sink.URL))
	w.trigger("t", "b", sub.URL, consumer{})
	w.apply()
	e := harness.MinEvent("x")
	e.Extensions = map[string]string{"knativebrokerttl": "4"} // stored with 3
	w.send("b", e)
	dead := sink.AwaitReceived(t, 1)
	w.settled(w.ref("trigger", "t"))
	if got := len(sub.Requests()); got != 3 {
		t.Errorf("%d deliveries, want 3", got)
	}
	if len(sink.Requests()) != 1 || dead[0].Attribute("kurierreason") != "ttl-exhausted" {
		t.Errorf("%d dead letters, the first with kurierreason %q", len(sink.Requests()), dead[0].Attribute("kurierreason"))
	}
}

// answers: which 2xx answers are replies, which are none, which are failures.
func answers(t *testing.T, s *harness.System) {
	header := func(pairs ...string) map[string][]string {
		h := map[string][]string{}
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = []string{pairs[i+1]}
		}
		return h
	}
	const envelope = `{"specversion":"1.0","id":"r","type":"reply","source":"/r"}`
	rows := []struct {
		name    string
		answer  harness.Answer
		pattern string
		reply   bool
	}{
		{"empty 200", harness.Answer{Status: 200}, "T", false},
		{"text", harness.Answer{Status: 200, Body: "OK", Header: header("Content-Type", "text/plain")}, "T", false},
		{"garbage type", harness.Answer{Status: 200, Body: "x", Header: header("Content-Type", "garbage")}, "T", false},
		{"structured in a 202", harness.Answer{Status: 202, Body: envelope, Header: header("Content-Type", "application/cloudevents+json")}, "T", true},
		{"ce-abc only", harness.Answer{Status: 202, Header: header("Ce-Abc", "x")}, "T", false},
		{"unknown version", harness.Answer{Status: 200, Header: header("Ce-Specversion", "9000.1")}, "FT", false},
		{"empty envelope", harness.Answer{Status: 200, Body: "{}", Header: header("Content-Type", "application/cloudevents+json")}, "FT", false},
	}
	w := newWorld(t, s)
	subs, replies := map[int]*harness.Subscriber{}, map[int]*harness.Subscriber{}
	w.channel("c", "{}")
	for n, r := range rows {
		first := func(*harness.Request) harness.Answer { return r.answer }
		subs[n], replies[n] = harness.NewSubscriber(t, harness.After(1, first, nilAnswer)), harness.NewSubscriber(t, nil)
		w.subscription(fmt.Sprint("s", n), "c", subs[n].URL, consumer{reply: replies[n].URL, delivery: "{retry: 1}"})
	}
	w.apply()
	w.sendTo("c", harness.MinEvent("x"))
	for n, r := range rows {
		subs[n].AwaitRequests(t, len(r.pattern))
		w.settled(w.ref("subscription", fmt.Sprint("s", n)))
		if got := len(subs[n].Requests()); got != len(r.pattern) {
			t.Errorf("%s: %d attempts, want %d", r.name, got, len(r.pattern))
		}
		if got := len(replies[n].Requests()) > 0; got != r.reply {
			t.Errorf("%s: a reply was forwarded: %v, want %v", r.name, got, r.reply)
		}
	}
}

func nilAnswer(*harness.Request) harness.Answer { return harness.Answer{} }
