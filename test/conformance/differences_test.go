package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"kurier.dev/kurier/test/harness"
)

// Upstream's cases that do not pass unchanged: once with what makes them pass, and once
// more as Kurier does it without, so that the difference is shown.
var differenceParts = []part{{
	name: "9 as shipped",
	cases: []testCase{
		{"9/CT-O3/as shipped", expect("extensions=knativekafkaoffset knativekafkapartition")},
		{"9/CT-B33/as shipped", expect("order=unordered")},
		{"9/CT-B33/annotation", expect("order=ordered")},
		{"9/non-event body/as shipped", expect("attempts=1", "malformed=0")},
		{"9/malformed CloudEvent/as shipped", expect("attempts=2", "malformed=1")},
		{"9/Retry-After unset/2 as shipped", expect("pause=as asked")},
		{"9/Retry-After unset/3 as shipped", expect("pause=as asked")},
		{"9/Retry-After unset/5 as shipped", expect("pause=as asked")},
		{"9/ce-abc", expect("abc=ce-abc-value")},
		{"9/dead letter sink fails/as shipped", expect("began to be held=1", "dropped=0", "lag=1")},
		{"9/dead letter sink fails/drop", expect("began to be held=0", "dropped=1", "lag=0")},
		{"9/attribute wanted, absent", expect("delivered=0", "with the attribute=1")},
	},
	observe: asIs,
}, {
	name: "9 with upstream's settings", on: asKnative,
	cases: []testCase{
		{"9/CT-O3/ADD_KAFKA_POSITION=false", expect("extensions=")},
		{"9/non-event body/STRICT_REPLIES=true", expect("attempts=2", "malformed=1")},
		{"9/malformed CloudEvent/STRICT_REPLIES=true", expect("attempts=2", "malformed=1")},
		{"9/Retry-After unset/2 RETRY_AFTER_MAX=PT0S", expect("pause=at once")},
		{"9/Retry-After unset/3 RETRY_AFTER_MAX=PT0S", expect("pause=at once")},
		{"9/Retry-After unset/5 RETRY_AFTER_MAX=PT0S", expect("pause=at once")},
		{"9/Retry-After unset/retryAfterMax of its own", expect("pause=as asked")},
	},
	observe: likeUpstream,
}}

// retryAfter answers with a code and the header once.
func retryAfter(code int, value func() string) harness.Behaviour {
	return harness.After(1, func(*harness.Request) harness.Answer {
		return harness.Answer{Status: code, Header: http.Header{"Retry-After": {value()}}}
	}, accept)
}

func seconds() string { return "15" }
func date() string    { return time.Now().Add(16 * time.Second).UTC().Format(http.TimeFormat) }

// differing adds what both settings have in common.
func (w *world) differing() (plain, text, malformed *harness.Subscriber, busy map[string]*harness.Subscriber) {
	plain = w.subscriber(nil)
	w.channel("plain", "")
	w.subscription("plain", "plain", plain.URL, consumer{})
	once := func(a harness.Answer) *harness.Subscriber {
		return w.subscriber(harness.After(1, func(*harness.Request) harness.Answer { return a }, accept))
	}
	text = once(body(event200("Content-Type", "text/plain"), 200, "OK"))
	malformed = once(body(event200("Content-Type", structured), 200, "{}"))
	w.broker("b", 1, "{retry: 1}")
	w.trigger("text", "b", text.URL, consumer{})
	w.trigger("malformed", "b", malformed.URL, consumer{})
	busy = map[string]*harness.Subscriber{
		"2": w.subscriber(retryAfter(429, seconds)), "3": w.subscriber(retryAfter(429, date)), "5": w.subscriber(retryAfter(503, seconds)),
	}
	for row, sub := range busy {
		w.trigger("row"+row, "b", sub.URL, consumer{})
	}
	return plain, text, malformed, busy
}

// pauseOf words the pause before the only retry.
func pauseOf(s *harness.Subscriber) string {
	all := pauses(s.Requests())
	switch {
	case len(all) != 1:
		return fmt.Sprint(all)
	case all[0] < 10*time.Second: // a date is cut to seconds, and the way takes from it
		return "at once"
	case all[0] < 16*time.Second+late:
		return "as asked"
	}
	return all[0].String()
}

// extensionsAdded are the attributes of a request that the event did not have.
func extensionsAdded(r *harness.Request, e harness.Event) string {
	sent := attributesSent(&e)
	var names []string
	for _, name := range []string{"knativearrivaltime", "knativekafkaoffset", "knativekafkapartition", "knativebrokerttl"} {
		if _, ok := attributesOf(r.Header)[name]; ok {
			names = append(names, name)
		}
	}
	got := attributesOf(r.Header)
	for name := range sent {
		delete(got, name)
	}
	if len(got) != len(names) {
		return fmt.Sprint(got)
	}
	return strings.Join(names, " ")
}

func asIs(w *world) observed {
	got := observed{}
	plain, text, malformed, busy := w.differing()
	// CT-B33: the order where nobody says any, and with the annotation.
	w.trigger("order", "b", plain.URL, consumer{filter: "filter: {attributes: {type: nothing}}"})
	w.trigger("ordered", "b", plain.URL, consumer{filter: "filter: {attributes: {type: nothing}}", order: "ordered"})
	// A dead letter sink that fails, with the default and with the policy to drop.
	held, dropped := w.subscriber(harness.RejectAll(422, "")), w.subscriber(harness.RejectAll(422, ""))
	down := w.closedAddress()
	w.broker("d", 1, "{"+deadLetterSink(down)+"}")
	w.trigger("held", "d", held.URL, consumer{})
	w.trigger("dropped", "d", dropped.URL, consumer{notes: "kurier.dev/on-dead-letter-failure: drop"})
	present := w.subscriber(nil)
	w.broker("p", 1, "")
	w.trigger("present", "p", present.URL, consumer{filter: `filter: {attributes: {wanted: ""}}`})
	w.apply()
	e := harness.FullEvent()
	e.Extensions["abc"] = `"ce-abc-value"`
	w.sendTo("plain", e)
	w.send("b", harness.Event{ID: "e"})
	w.send("p", harness.Event{ID: "without"}, harness.Event{ID: "with", Extensions: map[string]string{"wanted": "x"}})
	w.send("d", harness.Event{ID: "e"})
	heldRef := w.ref("trigger", "held")
	w.await("the event is held", func(objects map[string]*harness.Object) error {
		d := objects[heldRef].Status.Delivery
		if d.Held == 0 || d.Lag == nil || *d.Lag == 0 {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	w.settle(heldRef)
	got.of("9/CT-O3/as shipped").set("extensions", each(plain.Requests(), func(r *harness.Request) string { return extensionsAdded(r, e) }))
	got.of("9/ce-abc").set("abc", each(plain.Requests(), func(r *harness.Request) string { return r.Attribute("abc") }))
	got.of("9/CT-B33/as shipped").set("order", w.object(w.ref("trigger", "order")).EffectiveDelivery["order"])
	got.of("9/CT-B33/annotation").set("order", w.object(w.ref("trigger", "ordered")).EffectiveDelivery["order"])
	w.malformed(got.of("9/non-event body/as shipped"), text, "text")
	w.malformed(got.of("9/malformed CloudEvent/as shipped"), malformed, "malformed")
	for row, sub := range busy {
		got.of("9/Retry-After unset/"+row+" as shipped").set("pause", pauseOf(sub))
	}
	for name, id := range map[string]string{"held": "as shipped", "dropped": "drop"} {
		f := got.of("9/dead letter sink fails/" + id)
		f.set("began to be held", w.metric("kurier_dispatch_held_total", "Trigger", name))
		f.set("dropped", w.metric("kurier_dispatch_dropped_total", "Trigger", name))
		f.set("lag", w.metric("kurier_dispatch_lag", "Trigger", name))
	}
	f := got.of("9/attribute wanted, absent")
	f.set("delivered", len(withID(present.Requests(), "without")))
	f.set("with the attribute", len(withID(present.Requests(), "with")))
	return got
}

// malformed notes how often a subscriber was asked, and whether its answer was refused.
func (w *world) malformed(f facts, sub *harness.Subscriber, trigger string) {
	f.set("attempts", len(sub.Requests()))
	f.set("malformed", w.metric("kurier_dispatch_malformed_replies_total", "Trigger", trigger))
}

func likeUpstream(w *world) observed {
	plain, text, malformed, busy := w.differing()
	own := w.subscriber(retryAfter(429, seconds))
	w.trigger("own", "b", own.URL, consumer{delivery: "{retryAfterMax: PT30S}"})
	w.apply()
	e := harness.FullEvent()
	w.sendTo("plain", e)
	w.send("b", harness.Event{ID: "e"})
	w.settle()
	got := observed{}
	got.of("9/CT-O3/ADD_KAFKA_POSITION=false").set("extensions", each(plain.Requests(), func(r *harness.Request) string { return extensionsAdded(r, e) }))
	w.malformed(got.of("9/non-event body/STRICT_REPLIES=true"), text, "text")
	w.malformed(got.of("9/malformed CloudEvent/STRICT_REPLIES=true"), malformed, "malformed")
	for row, sub := range busy {
		got.of("9/Retry-After unset/"+row+" RETRY_AFTER_MAX=PT0S").set("pause", pauseOf(sub))
	}
	got.of("9/Retry-After unset/retryAfterMax of its own").set("pause", pauseOf(own))
	return got
}
