package e2e

import (
	"fmt"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var channelScenarios = []scenario{
	{"CT-C5 CT-C6 channel delivery", channelDelivery},
	{"CT-C7 channel chain", channelChain},
	{"CT-C9 channel as dead letter sink", channelAsDeadLetterSink},
	{"CT-C11 reply to a channel", replyToChannel},
	{"inheritance", inheritance},
}

// channelDelivery: retries of the subscriber and of the reply are counted apart; a reply
// that fails for good dead-letters the original event.
func channelDelivery(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	w.channel("c", "{}")
	type sub struct {
		name              string
		replies           bool
		replyRejects      int
		want, replyWant   string
		dead              int
		subscriber, reply *harness.Subscriber
		deadLetters       *harness.Subscriber
	}
	subs := []*sub{
		{name: "sub1", want: "FT"},
		{name: "sub2", replies: true, want: "FT", replyWant: "T"},
		{name: "sub3", replies: true, replyRejects: 1, want: "FT", replyWant: "FT"},
		{name: "sub4", replies: true, replyRejects: 2, want: "FT", replyWant: "FF", dead: 1},
	}
	for _, u := range subs {
		answer := harness.Behaviour(func(*harness.Request) harness.Answer { return harness.Answer{} })
		if u.replies {
			answer = harness.Reply(map[string]string{"type": "com.example.reply"}, []byte(`"reply"`))
		}
		u.subscriber = harness.NewSubscriber(t, harness.After(1, harness.RejectAll(0, ""), answer))
		u.reply = harness.NewSubscriber(t, harness.Reject(u.replyRejects, 0, ""))
		u.deadLetters = harness.NewSubscriber(t, nil)
		w.subscription(u.name, "c", u.subscriber.URL, consumer{
			reply: u.reply.URL, delivery: fmt.Sprintf("{retry: 1, deadLetterSink: {uri: %q}}", u.deadLetters.URL)})
	}
	w.apply()
	w.sendTo("c", harness.Event{ID: "original", Data: []byte(`"original"`)})
	for _, u := range subs {
		w.pattern(u.name+": the subscriber", u.subscriber, u.want)
		w.pattern(u.name+": the reply target", u.reply, u.replyWant)
		w.settled(w.ref("subscription", u.name))
		if got := len(u.deadLetters.Requests()); got != u.dead {
			t.Errorf("%s: %d dead letters, want %d", u.name, got, u.dead)
		}
	}
	last := subs[3]
	if dead := last.deadLetters.Requests(); len(dead) == 1 {
		if dead[0].ID() != "original" || string(dead[0].Body) != `"original"` || dead[0].Attribute("knativeerrordest") != last.reply.URL {
			t.Errorf("the dead letter is %v %s, want the original with the reply address as knativeerrordest", dead[0].Header, dead[0].Body)
		}
	}
	for _, r := range subs[1].reply.Requests() {
		if r.Attribute("type") != "com.example.reply" || r.Header.Get("Prefer") != "" || r.Header.Get("Kn-Namespace") != w.ns {
			t.Errorf("the reply is %v", r.Header)
		}
	}
}

// channelChain: each channel's subscriber is the next channel.
func channelChain(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	const length = 10
	for i := range length {
		w.channel(fmt.Sprint("c", i), "")
		next := s.Channel(w.ns, fmt.Sprint("c", i+1))
		if i == length-1 {
			next = sink.URL
		}
		w.subscription(fmt.Sprint("s", i), fmt.Sprint("c", i), next, consumer{})
	}
	w.apply()
	w.sendTo("c0", harness.FullEvent())
	checkFullEvent(t, w.ns, sink.AwaitReceived(t, 1)[0])
}

// channelAsDeadLetterSink: our own channel takes dead letters by reference.
func channelAsDeadLetterSink(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	failing, sink := harness.NewSubscriber(t, harness.RejectAll(0, "")), harness.NewSubscriber(t, nil)
	w.channel("dead", "")
	w.subscription("dead-sub", "dead", sink.URL, consumer{})
	w.channel("c", "{deadLetterSink: {ref: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: dead}}}")
	w.subscription("failing", "c", failing.URL, consumer{})
	w.apply()
	w.sendTo("c", harness.MinEvent("x"))
	got := sink.AwaitReceived(t, 1)[0]
	if got.ID() != "min-event" || got.Attribute("knativeerrorcode") != "409" || got.Header.Get("Kn-Namespace") != w.ns {
		t.Errorf("the dead letter is %v", got.Header)
	}
	if pattern := failing.Pattern(); pattern != "F" {
		t.Errorf("attempts %s, want F: the channel sets a dead letter sink and no retry", pattern)
	}
}

// replyToChannel: a transformer's answers go on into another channel.
func replyToChannel(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	transformer := harness.NewSubscriber(t, harness.Reply(map[string]string{"type": "transformed"}, nil))
	sink := harness.NewSubscriber(t, nil)
	w.channel("in", "")
	w.channel("out", "")
	w.subscription("transform", "in", transformer.URL, consumer{reply: s.Channel(w.ns, "out")})
	w.subscription("sink", "out", sink.URL, consumer{})
	w.apply()
	w.sendTo("in", harness.Numbered("e", 3)...)
	for _, r := range sink.AwaitReceived(t, 3) {
		if r.Attribute("type") != "transformed" {
			t.Errorf("the sink got type %q", r.Attribute("type"))
		}
	}
}

// inheritance: each delivery field by itself, as the status tells it.
func inheritance(t *testing.T, s *harness.System) {
	const p = "deadLetterSink: {uri: http://parent.example.com/}"
	rows := []struct {
		parent, child string
		want          map[string]any
	}{
		{"{retry: 3, " + p + "}", "", map[string]any{"retry": 3.0, "deadLetterSink": "http://parent.example.com/"}},
		{"{retry: 3, " + p + "}", "{retry: 1}", map[string]any{"retry": 1.0, "deadLetterSink": "http://parent.example.com/"}},
		{"{retry: 3, backoffPolicy: linear, backoffDelay: PT1S, " + p + "}", "{deadLetterSink: {uri: http://child.example.com/}}",
			map[string]any{"retry": 3.0, "backoffPolicy": "linear", "backoffDelay": "PT1S", "deadLetterSink": "http://child.example.com/"}},
		{"{retry: 3}", "{retry: 0}", map[string]any{"retry": 0.0}},
		{"{retry: 3}", "{}", map[string]any{"retry": 3.0}},
		{"", "", map[string]any{"retry": 10.0, "backoffPolicy": "exponential", "backoffDelay": "PT0.2S"}},
		{"", "{deadLetterSink: {uri: http://child.example.com/}}", map[string]any{"retry": 0.0, "deadLetterSink": "http://child.example.com/"}},
		{"{timeout: PT5S}", "{backoffPolicy: linear}", map[string]any{"timeout": "PT5S", "backoffPolicy": "linear", "retry": 0.0}},
	}
	w := newWorld(t, s)
	for n, r := range rows {
		w.broker(fmt.Sprint("b", n), 1, r.parent)
		w.trigger(fmt.Sprint("t", n), fmt.Sprint("b", n), "http://127.0.0.1:9/", consumer{delivery: r.child})
	}
	w.apply()
	for n, r := range rows {
		o, err := s.Status(w.ref("trigger", fmt.Sprint("t", n)))
		if err != nil {
			t.Fatal(err)
		}
		for field, want := range r.want {
			if got := o.EffectiveDelivery[field]; got != want {
				t.Errorf("row %d: %s is %v, want %v", n, field, got, want)
			}
		}
		if _, has := r.want["deadLetterSink"]; !has && o.EffectiveDelivery["deadLetterSink"] != nil {
			t.Errorf("row %d: an unwanted dead letter sink %v", n, o.EffectiveDelivery["deadLetterSink"])
		}
	}
}
