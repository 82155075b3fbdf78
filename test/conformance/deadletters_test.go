package conformance

import (
	"fmt"
	"strings"

	"kurier.dev/kurier/test/harness"
)

var deadLetterParts = []part{{
	name: "CT-B18 dead letters", onKafka: true,
	cases: []testCase{
		{"CT-B18/0", expect("t0=T", "t1=T", "t0 topic=0", "t1 topic=0")},
		{"CT-B18/1", expect("t0=FFFT", "t1=FFFF", "brokerdlq=1", "t0 topic=0", "t1 topic=0")},
		{"CT-B18/2", expect("t0=FFFT", "t1=FF", "t0dlq=0", "t0 topic=0", "t1 topic=1")},
		{"CT-B18/3", expect("t0=FFFT", "t1=FF", "t0dlq=0", "brokerdlq=1", "t0 topic=0", "t1 topic=0")},
		{"CT-B18/4", expect("t0=FFFF", "t1=FF", "t0dlq=1", "brokerdlq=1", "t0 topic=0", "t1 topic=0")},
	},
	observe: deadLetters,
}, {
	name: "CT-B18 oracle", on: asKnative,
	cases: []testCase{
		{"CT-B18/oracle/none,none", expect("attempts=1")},
		{"CT-B18/oracle/3,none", expect("attempts=4")},
		{"CT-B18/oracle/none,3", expect("attempts=4")},
		{"CT-B18/oracle/2,3", expect("attempts=3")},
		{"CT-B18/oracle/{},none", expect("attempts=1")},
		{"CT-B18/oracle/none,{}", expect("attempts=1")},
		{"CT-B18/oracle/{},3", expect("attempts=4")},
	},
	observe: oracle,
}}

// deadLetters: attempts and dead letters, counted, with settings on the Broker, on the
// Trigger, and on both. No backoff is set: retries are immediate.
func deadLetters(w *world) observed {
	type consumer0 struct {
		rejects  int
		delivery string // %s stands for the dead letter sink of its own
	}
	rows := []struct {
		broker string // likewise
		t0, t1 consumer0
	}{
		{"{}", consumer0{}, consumer0{}},
		{"{retry: 3, %s}", consumer0{3, ""}, consumer0{4, ""}},
		{"{retry: 0}", consumer0{3, "{retry: 3, %s}"}, consumer0{2, "{retry: 1}"}},
		{"{retry: 1, %s}", consumer0{3, "{retry: 3, %s}"}, consumer0{2, ""}},
		{"{retry: 1, %s}", consumer0{4, "{retry: 3, %s}"}, consumer0{2, ""}},
	}
	subs := map[string]*harness.Subscriber{}
	fill := func(name, delivery string) string {
		if !strings.Contains(delivery, "%s") {
			return delivery
		}
		subs[name] = w.subscriber(nil)
		return fmt.Sprintf(delivery, deadLetterSink(subs[name].URL))
	}
	for n, r := range rows {
		broker := fmt.Sprint("b", n)
		w.broker(broker, 1, fill(broker+"brokerdlq", r.broker))
		for i, c := range []consumer0{r.t0, r.t1} {
			name := fmt.Sprintf("%st%d", broker, i)
			subs[name] = w.subscriber(harness.Reject(c.rejects, 0, ""))
			w.trigger(name, broker, subs[name].URL, consumer{delivery: fill(name+"dlq", c.delivery)})
		}
	}
	w.apply()
	for n := range rows {
		w.send(fmt.Sprint("b", n), harness.MinEvent("x"))
	}
	w.settle()
	got := observed{}
	for n := range rows {
		f, broker := got.of(fmt.Sprint("CT-B18/", n)), fmt.Sprint("b", n)
		for _, name := range []string{"t0", "t1"} {
			f.set(name, subs[broker+name].Pattern())
			f.set(name+" topic", w.deadLettersInTopic("Trigger", broker+name))
		}
		for _, name := range []string{"brokerdlq", "t0dlq"} {
			if sink := subs[broker+name]; sink != nil {
				f.set(name, len(sink.Requests()))
			}
		}
	}
	return got
}

// oracle: how many attempts a Trigger's and a Broker's settings make together.
func oracle(w *world) observed {
	subs := map[string]*harness.Subscriber{}
	rows := []string{"none,none", "3,none", "none,3", "2,3", "{},none", "none,{}", "{},3"}
	delivery := map[string]string{"none": "", "2": "{retry: 2}", "3": "{retry: 3}", "{}": "{}"}
	for n, row := range rows {
		child, parent, _ := strings.Cut(row, ",")
		broker := fmt.Sprint("b", n)
		subs[row] = w.subscriber(harness.RejectAll(0, ""))
		w.broker(broker, 1, delivery[parent])
		w.trigger(fmt.Sprint("t", n), broker, subs[row].URL, consumer{delivery: delivery[child], notes: "kurier.dev/dead-letter: drop"})
	}
	w.apply()
	for n := range rows {
		w.send(fmt.Sprint("b", n), harness.MinEvent("x"))
	}
	w.settle()
	got := observed{}
	for _, row := range rows {
		got.of("CT-B18/oracle/"+row).set("attempts", len(subs[row].Requests()))
	}
	return got
}
