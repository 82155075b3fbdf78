package conformance

import (
	"fmt"
	"strings"

	"kurier.dev/kurier/test/harness"
)

var channelParts = []part{{
	name: "CT-C5 CT-C6 channel delivery", onKafka: true,
	cases: []testCase{
		{"CT-C5/sub1", expect("subscriber=FT", "reply=", "dead=0")},
		{"CT-C6/sub1", expect("subscriber=FT", "reply=", "dead=0")},
		{"CT-C6/sub2", expect("subscriber=FT", "reply=T", "dead=0")},
		{"CT-C6/sub3", expect("subscriber=FT", "reply=FT", "dead=0")},
		{"CT-C6/sub4", expect("subscriber=FT", "reply=FF", "dead=1", "dead letter=the original", "knativeerrordest=the reply address")},
	},
	observe: channelDelivery,
}, {
	name: "CT-C7 to CT-C11 channels", onKafka: true,
	cases: []testCase{
		{"CT-C7", expect("sink=equal")},
		{"CT-C8", expect("subscriber=F", "dead=1", "Kn-Namespace=yes")},
		{"CT-C8/generic Channel", expect("subscriber=F", "dead=1", "Kn-Namespace=yes")},
		{"CT-C9", expect("subscriber=F", "sink=1", "Kn-Namespace=yes", "knativeerrorcode=409")},
		{"CT-C10", expect("sink=equal")},
		{"CT-C11", expect("sink=transformed transformed transformed", "ids=e-1 e-2 e-3")},
	},
	observe: channelKinds,
}}

// channelDelivery: retries of the subscriber and of the reply count apart; a reply that
// fails for good dead-letters the original event.
func channelDelivery(w *world) observed {
	type sub struct {
		id, channel               string
		replies                   bool
		replyRejects              int
		subscriber, reply, letter *harness.Subscriber
	}
	subs := []*sub{
		{id: "CT-C5/sub1", channel: "c5"}, {id: "CT-C6/sub1", channel: "c6"}, {id: "CT-C6/sub2", channel: "c6", replies: true},
		{id: "CT-C6/sub3", channel: "c6", replies: true, replyRejects: 1}, {id: "CT-C6/sub4", channel: "c6", replies: true, replyRejects: 2},
	}
	w.channel("c5", "{}")
	w.channel("c6", "{}")
	for n, u := range subs {
		answer := harness.Behaviour(func(*harness.Request) harness.Answer { return harness.Answer{} })
		c := consumer{}
		u.reply, u.letter = w.subscriber(harness.Reject(u.replyRejects, 0, "")), w.subscriber(nil)
		if u.replies {
			answer = harness.Reply(map[string]string{"type": "com.example.reply"}, []byte(`"reply"`))
			c.reply = u.reply.URL
		}
		u.subscriber = w.subscriber(harness.After(1, harness.RejectAll(0, ""), answer))
		c.delivery = fmt.Sprintf("{retry: 1, %s}", deadLetterSink(u.letter.URL))
		w.subscription(fmt.Sprint("s", n), u.channel, u.subscriber.URL, c)
	}
	w.apply()
	event := harness.Event{ID: "original", Type: "com.example.original", Data: []byte(`"original"`)}
	w.sendTo("c5", event)
	w.sendTo("c6", event)
	w.settle()
	got := observed{}
	for _, u := range subs {
		f := got.of(u.id)
		f.set("subscriber", u.subscriber.Pattern())
		f.set("reply", u.reply.Pattern())
		letters := u.letter.Requests()
		f.set("dead", len(letters))
		if len(letters) == 0 {
			continue
		}
		f.set("dead letter", strings.Replace(exactly(&letters[0], event, append(added, "knativeerrordest", "knativeerrorcode")...), "equal", "the original", 1))
		f.set("knativeerrordest", strings.Replace(letters[0].Attribute("knativeerrordest"), u.reply.URL, "the reply address", 1))
	}
	return got
}

// channelKinds: chains, kinds and dead letters of channels.
func channelKinds(w *world) observed {
	chainEnd, inMemory, out := w.subscriber(nil), w.subscriber(nil), w.subscriber(nil)
	event := harness.FullEvent()

	const length = 10 // CT-C7: the subscriber of each channel is the next one
	for i := range length {
		w.channel(fmt.Sprint("chain", i), "")
		next := w.s.Channel(w.ns, fmt.Sprint("chain", i+1))
		if i == length-1 {
			next = chainEnd.URL
		}
		w.subscription(fmt.Sprint("chain", i), fmt.Sprint("chain", i), next, consumer{})
	}

	// CT-C8: the channel's dead letter sink, a KafkaChannel's and a Channel's.
	failing := [2]*harness.Subscriber{w.subscriber(harness.Reject(1, 0, "")), w.subscriber(harness.Reject(1, 0, ""))}
	letters := [2]*harness.Subscriber{w.subscriber(nil), w.subscriber(nil)}
	w.channel("c8", "{"+deadLetterSink(letters[0].URL)+"}")
	w.subscription("c8", "c8", failing[0].URL, consumer{})
	w.add("messaging.knative.dev/v1", "Channel", "c8g", "{delivery: {"+deadLetterSink(letters[1].URL)+"}}", "")
	w.subscriptionOf("messaging.knative.dev/v1", "Channel", "c8g", "c8g", failing[1].URL, consumer{})

	// CT-C9: a channel as dead letter sink, by reference.
	reject10, dead := w.subscriber(harness.Reject(10, 0, "")), w.subscriber(nil)
	w.channel("dead", "")
	w.subscription("dead", "dead", dead.URL, consumer{})
	w.channel("c9", "{deadLetterSink: {ref: {apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, name: dead}}}")
	w.subscription("c9", "c9", reject10.URL, consumer{})

	// CT-C10: an InMemoryChannel that asks for asynchronous answers.
	w.add("messaging.knative.dev/v1", "InMemoryChannel", "c10", "{}", `messaging.knative.dev/async-handler: "true"`)
	w.subscriptionOf("messaging.knative.dev/v1", "InMemoryChannel", "c10", "c10", inMemory.URL, consumer{})

	// CT-C11: the answers of a transformer go on into another channel.
	transformer := w.subscriber(harness.Reply(map[string]string{"type": "transformed"}, nil))
	w.channel("c11in", "")
	w.channel("c11out", "")
	w.subscription("c11in", "c11in", transformer.URL, consumer{reply: w.s.Channel(w.ns, "c11out")})
	w.subscription("c11out", "c11out", out.URL, consumer{})

	w.apply()
	for _, channel := range []string{"chain0", "c8", "c8g", "c9", "c10"} {
		w.sendTo(channel, event)
	}
	w.sendTo("c11in", harness.Numbered("e", 3)...)
	w.settle()

	got := observed{}
	same := func(r *harness.Request) string { return exactly(r, event, added...) }
	mine := func(r *harness.Request) bool { return r.Header.Get("Kn-Namespace") == w.ns }
	got.of("CT-C7").set("sink", each(chainEnd.Requests(), same))
	for n, id := range []string{"CT-C8", "CT-C8/generic Channel"} {
		f := got.of(id)
		f.set("subscriber", failing[n].Pattern())
		f.set("dead", len(letters[n].Requests()))
		f.set("Kn-Namespace", all(letters[n].Requests(), mine))
	}
	f := got.of("CT-C9")
	f.set("subscriber", reject10.Pattern())
	f.set("sink", len(dead.Requests()))
	f.set("Kn-Namespace", all(dead.Requests(), mine))
	f.set("knativeerrorcode", each(dead.Requests(), func(r *harness.Request) string { return r.Attribute("knativeerrorcode") }))
	got.of("CT-C10").set("sink", each(inMemory.Requests(), same))
	f = got.of("CT-C11")
	f.set("sink", each(out.Requests(), func(r *harness.Request) string { return r.Attribute("type") }))
	f.set("ids", strings.Join(out.IDs(), " "))
	return got
}
