package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"kurier.dev/kurier/test/harness"
)

var timingParts = []part{{
	name: "CT-X1 CT-X2 CT-B25 timing",
	cases: []testCase{
		{"CT-X1", expect("sink=1", "dead=1", "attempt=about 5 s")},
		{"CT-X2", expect("rejected=3", "received=1", "pauses=6 s")},
		{"CT-B25/first 5", expect("pattern=FFFFFT", "pauses=1 2 3 4 5 s")},
		{"CT-B25/Fibonacci", expect("pattern=FFFT", "pauses=1 2 3 s")},
	},
	observe: timing,
}, {
	name: "CT-K1 CT-K2 order", onKafka: true,
	cases: []testCase{
		{"CT-K1", expect("received=20", "order=in sequence", "overlaps=0", "gaps=at least 90 ms")},
		{"CT-K2", expect("received=60", "a=in sequence", "b=in sequence", "c=in sequence", "overlaps=0", "gaps=at least 90 ms")},
	},
	observe: inOrder,
}, {
	name: "CT-K3 CT-K4 CT-K9 CT-K10 CT-B33", onKafka: true,
	cases: []testCase{
		{"CT-K3/429", expect("sink=F", "dead=1")},
		{"CT-K3/422", expect("sink=F", "dead=1")},
		{"CT-K4/healthy", expect("sink=T", "dead=0")},
		{"CT-K9", expect("trigger 1=1 2", "trigger 2=2")},
		{"CT-K10/Broker", expect("received=1", "partition=0 to 2", "offset=a number")},
		{"CT-K10/KafkaChannel", expect("received=1", "partition=0 to 2", "offset=a number")},
		{"CT-B33", expect("dead=e-1 e-2", "sink=e-3", "attempts=FFT")},
	},
	observe: latestAndPosition,
}, {
	name: "8.7 hold", onKafka: true,
	cases: []testCase{
		{"8.7/hold", expect("held=1", "lag=1", "healthy=False DeadLetterSinkFailing", "Ready=True",
			"repaired: dead=e", "repaired: lag=0", "repaired: healthy=True")},
	},
	observe: hold,
}, {
	name: "8.7 hops", on: asKnative,
	cases: []testCase{
		{"8.7/hops", expect("deliveries=3", "dead=1", "kurierreason=ttl-exhausted", "knativebrokerttl seen=no")},
	},
	observe: hops,
}}

// about words a duration: want when it lies between least and most, else the duration.
func about(d, least, most time.Duration, want string) string {
	if d >= least && d <= most {
		return want
	}
	return d.String()
}

// pauses between the end of a request and the begin of the next, in seconds, rounded down.
func pauses(requests []harness.Request) (all []time.Duration) {
	for i := 1; i < len(requests); i++ {
		all = append(all, requests[i].Begin.Sub(requests[i-1].End))
	}
	return all
}

// late is how much longer than due a pause may be: a busy machine makes everything late,
// and nothing early.
const late = 20 * time.Second

func timing(w *world) observed {
	// CT-X1: the sink waits 6 s, the attempt may take 5.
	slow, dead := w.subscriber(harness.Delay(6*time.Second)), w.subscriber(nil)
	w.channel("x1", "")
	w.subscription("x1", "x1", slow.URL, consumer{delivery: "{timeout: PT5S, " + deadLetterSink(dead.URL) + "}"})
	// CT-X2: three times 429 with Retry-After 6.
	busy := w.subscriber(func(r *harness.Request) harness.Answer {
		if r.Number > 3 {
			return harness.Answer{}
		}
		return harness.Answer{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"6"}}}
	})
	w.channel("x2", "")
	w.subscription("x2", "x2", busy.URL, consumer{delivery: "{backoffPolicy: linear, backoffDelay: PT0.5S, retry: 3, retryAfterMax: PT30S}"})
	// CT-B25: retry 5, linear PT1S.
	first5, fibonacci := w.subscriber(harness.Reject(5, 0, "")), w.subscriber(harness.RejectFibonacci(0))
	w.broker("b25", 1, "{retry: 5, backoffPolicy: linear, backoffDelay: PT1S}")
	w.trigger("first5", "b25", first5.URL, consumer{})
	w.trigger("fibonacci", "b25", fibonacci.URL, consumer{})
	w.apply()
	sent := time.Now() // the subscriber's own clock may begin late
	w.sendTo("x1", harness.MinEvent("x"))
	w.sendTo("x2", harness.MinEvent("x"))
	w.send("b25", harness.MinEvent("x"))
	w.settle()

	got := observed{}
	f := got.of("CT-X1")
	f.set("sink", len(slow.Requests()))
	f.set("dead", len(dead.Requests()))
	if len(dead.Requests()) > 0 {
		f.set("attempt", about(dead.Requests()[0].Begin.Sub(sent), 5*time.Second, 5*time.Second+late, "about 5 s"))
	}
	f = got.of("CT-X2")
	f.set("received", len(busy.Received()))
	f.set("rejected", len(busy.Requests())-len(busy.Received()))
	f.set("pauses", "6 s")
	for _, p := range pauses(busy.Requests()) {
		if p < 6*time.Second-10*time.Millisecond || p > 6*time.Second+late {
			f.set("pauses", p)
		}
	}
	for id, sub := range map[string]*harness.Subscriber{"CT-B25/first 5": first5, "CT-B25/Fibonacci": fibonacci} {
		f := got.of(id)
		f.set("pattern", sub.Pattern())
		words := ""
		for k, p := range pauses(sub.Requests()) {
			due := time.Duration(k+1) * time.Second
			words += about(p, due-10*time.Millisecond, due+late, fmt.Sprint(k+1)) + " "
		}
		f.set("pauses", words+"s")
	}
	return got
}

// inSequence reads the sequence extension of requests.
func inSequence(requests []harness.Request) string {
	for i := range requests {
		if requests[i].Attribute("sequence") != fmt.Sprint(i+1) {
			return each(requests, func(r *harness.Request) string { return r.Attribute("sequence") })
		}
	}
	return "in sequence"
}

// gaps judges the times between the begins of requests that may not overlap.
func gaps(requests []harness.Request) (overlaps int, words string) {
	words = "at least 90 ms"
	for i := 1; i < len(requests); i++ {
		if requests[i].Begin.Before(requests[i-1].End) {
			overlaps++
		}
		if gap := requests[i].Begin.Sub(requests[i-1].Begin); gap < 90*time.Millisecond {
			words = gap.String()
		}
	}
	return overlaps, words
}

// sendEvery sends an event each time a tenth of a second has passed.
func (w *world) sendEvery(broker string, events []harness.Event) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for _, e := range events {
		<-tick.C
		if status, body, err := w.s.Post(w.s.Broker(w.ns, broker), e); err != nil || status != http.StatusAccepted {
			w.t.Errorf("send %s: %d %s %v", e.ID, status, body, err)
		}
	}
}

func inOrder(w *world) observed {
	const wait = 100 * time.Millisecond
	one, many := w.subscriber(harness.Delay(wait)), w.subscriber(harness.Delay(wait))
	w.broker("k1", 1, "")
	w.trigger("k1", "k1", one.URL, consumer{order: "ordered"})
	w.broker("k2", 10, "")
	w.trigger("k2", "k2", many.URL, consumer{order: "ordered"})
	w.apply()
	var senders sync.WaitGroup
	senders.Go(func() { w.sendEvery("k1", harness.Numbered("e", 20)) })
	keys := []string{"a", "b", "c"}
	for _, key := range keys {
		events := harness.Numbered(key, 20)
		for i := range events {
			events[i].Extensions["partitionkey"] = key
		}
		senders.Go(func() { w.sendEvery("k2", events) })
	}
	senders.Wait()
	w.settle()

	got := observed{}
	f := got.of("CT-K1")
	overlaps, words := gaps(one.Requests())
	f.set("received", len(one.Received()))
	f.set("order", inSequence(one.Requests()))
	f.set("overlaps", overlaps)
	f.set("gaps", words)
	f = got.of("CT-K2")
	f.set("received", len(many.Received()))
	f.set("gaps", "at least 90 ms")
	sum := 0
	for _, key := range keys {
		mine := slices.DeleteFunc(many.Requests(), func(r harness.Request) bool { return r.Attribute("partitionkey") != key })
		f.set(key, inSequence(mine))
		overlaps, words := gaps(mine)
		sum += overlaps
		if words != "at least 90 ms" {
			f.set("gaps", words)
		}
	}
	f.set("overlaps", sum)
	return got
}

func latestAndPosition(w *world) observed {
	type row struct {
		id        string
		sub, dead *harness.Subscriber
	}
	rows := []row{
		{"CT-K3/429", w.subscriber(harness.Reject(1, 429, "")), w.subscriber(nil)},
		{"CT-K3/422", w.subscriber(harness.Reject(1, 422, "bad response")), w.subscriber(nil)},
		{"CT-K4/healthy", w.subscriber(nil), w.subscriber(nil)},
	}
	w.broker("k3", 1, "")
	for n, r := range rows {
		w.trigger(fmt.Sprint("k3-", n), "k3", r.sub.URL, consumer{delivery: "{" + deadLetterSink(r.dead.URL) + "}"})
	}
	first, second := w.subscriber(nil), w.subscriber(nil)
	w.broker("k9", 1, "")
	w.trigger("k9-1", "k9", first.URL, consumer{order: "ordered"})
	ofBroker, ofChannel := w.subscriber(nil), w.subscriber(nil)
	w.broker("k10", 3, "")
	w.trigger("k10", "k10", ofBroker.URL, consumer{})
	w.channelOf("k10", 3, "")
	w.subscription("k10", "k10", ofChannel.URL, consumer{})
	reject2, letters := w.subscriber(harness.Reject(2, 0, "")), w.subscriber(nil)
	w.broker("b33", 1, "{"+deadLetterSink(letters.URL)+"}")
	w.trigger("b33", "b33", reject2.URL, consumer{order: "ordered"})
	w.apply()
	w.send("k3", harness.MinEvent("x"))
	w.send("k9", harness.Event{ID: "1"})
	w.send("k10", harness.MinEvent("x"))
	w.sendTo("k10", harness.MinEvent("x"))
	w.send("b33", harness.Numbered("e", 3)...)
	w.trigger("k9-2", "k9", second.URL, consumer{})
	w.apply()
	w.send("k9", harness.Event{ID: "2"})
	w.settle()

	got := observed{}
	for _, r := range rows {
		f := got.of(r.id)
		f.set("sink", r.sub.Pattern())
		f.set("dead", len(r.dead.Requests()))
	}
	f := got.of("CT-K9")
	f.set("trigger 1", strings.Join(first.IDs(), " "))
	f.set("trigger 2", strings.Join(second.IDs(), " "))
	for id, sub := range map[string]*harness.Subscriber{"CT-K10/Broker": ofBroker, "CT-K10/KafkaChannel": ofChannel} {
		f := got.of(id)
		f.set("received", len(sub.Requests()))
		for name, form := range map[string]string{"partition": "0 to 2", "offset": "a number"} {
			value := each(sub.Requests(), func(r *harness.Request) string { return r.Attribute("knativekafka" + name) })
			if digits := strings.Trim(value, "0123456789"); value != "" && digits == "" && (name != "partition" || value <= "2") {
				value = form
			}
			f.set(name, value)
		}
	}
	f = got.of("CT-B33")
	f.set("dead", strings.Join(letters.IDs(), " "))
	f.set("sink", strings.Join(reject2.ReceivedIDs(), " "))
	f.set("attempts", reject2.Pattern())
	return got
}

// hold: a dead letter sink that is down holds the event; it comes up, and nothing is lost.
func hold(w *world) observed {
	failing, sink := w.subscriber(harness.RejectAll(422, "")), harness.NewSubscriber(w.t, nil)
	address := sink.Addr()
	sink.Close()
	w.broker("b", 1, "{retry: 0, "+deadLetterSink("http://"+address)+"}")
	w.trigger("t", "b", failing.URL, consumer{})
	w.apply()
	w.send("b", harness.Event{ID: "e"})
	ref := w.ref("trigger", "t")
	f := facts{}
	note := func(prefix string) func(map[string]*harness.Object) error {
		return func(objects map[string]*harness.Object) error {
			o := objects[ref]
			c, d := o.Condition("DeadLetterSinkHealthy"), o.Status.Delivery
			if d.Lag == nil || (c.Status == "True") != (prefix != "") {
				return fmt.Errorf("%+v %+v", c, d)
			}
			if prefix == "" {
				f.set("held", d.Held)
				f.set("Ready", o.Condition("Ready").Status)
			}
			f.set(prefix+"lag", *d.Lag)
			f.set(prefix+"healthy", strings.TrimSpace(c.Status+" "+c.Reason))
			if (*d.Lag == 1) != (prefix == "") {
				return fmt.Errorf("lag is %d", *d.Lag)
			}
			return nil
		}
	}
	w.await("the event is held", note(""))
	up := w.watch(harness.NewSubscriberAt(w.t, address, nil))
	up.AwaitReceived(w.t, 1)
	w.settle()
	w.await("the sink is healthy again", note("repaired: "))
	f.set("repaired: dead", strings.Join(up.IDs(), " "))
	return observed{"8.7/hold": f}
}

// hops: with BROKER_TTL=3 a subscriber that answers with what it gets is called three times.
func hops(w *world) observed {
	echo, dead := w.subscriber(harness.Reply(nil, nil)), w.subscriber(nil)
	w.broker("b", 1, "{"+deadLetterSink(dead.URL)+"}")
	w.trigger("t", "b", echo.URL, consumer{})
	w.apply()
	w.send("b", harness.MinEvent("x"))
	w.settle()
	f := facts{}
	f.set("deliveries", len(echo.Requests()))
	f.set("dead", len(dead.Requests()))
	f.set("kurierreason", each(dead.Requests(), func(r *harness.Request) string { return r.Attribute("kurierreason") }))
	f.set("knativebrokerttl seen", all(append(echo.Requests(), dead.Requests()...), func(r *harness.Request) bool { return r.Attribute("knativebrokerttl") != "" }))
	return observed{"8.7/hops": f}
}
