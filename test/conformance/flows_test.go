package conformance

import (
	"fmt"
	"slices"

	"kurier.dev/kurier/test/harness"
)

var flowParts = []part{{
	name: "8.10 Sequence and Parallel", onKafka: true,
	cases: []testCase{
		{"CT-S1", expect("reply=TestSequence 1-step1-step2-step3", "datacontenttype=text/plain", "steps=1 1 1", "from a PingSource=yes")},
		{"CT-PA1", expect("reply=original appended data", "filters=1 1", "subscribers=1 0")},
		{"CT-PA2", expect("reply=both", "filters=1 1", "subscribers=1 1")},
	},
	observe: flows,
}}

// appends answers an event with a clone whose data are longer.
func appends(text string) harness.Behaviour {
	return func(r *harness.Request) harness.Answer {
		return harness.Reply(nil, append(slices.Clip(r.Body), text...))(r)
	}
}

func flows(w *world) observed {
	reply, pinged := w.subscriber(nil), w.subscriber(nil)
	steps := ""
	var subs []*harness.Subscriber
	for n := range 3 {
		sub := w.subscriber(appends(fmt.Sprint("-step", n+1)))
		subs = append(subs, sub)
		steps += uri(sub.URL) + ", "
	}
	const template = "channelTemplate: {apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, spec: {numPartitions: 1, replicationFactor: 1}}"
	w.add("flows.knative.dev/v1", "Sequence", "s1", fmt.Sprintf("{%s, steps: [%s], reply: %s}", template, steps, uri(reply.URL)), "")
	// A second one of the same form is fed by a PingSource.
	other := ""
	for n := range 3 {
		other += uri(w.subscriber(appends(fmt.Sprint("-step", n+1))).URL) + ", "
	}
	w.add("flows.knative.dev/v1", "Sequence", "s2", fmt.Sprintf("{%s, steps: [%s], reply: %s}", template, other, uri(pinged.URL)), "")

	type parallel struct {
		reply                *harness.Subscriber
		filters, subscribers [2]*harness.Subscriber
	}
	parallels := map[string]*parallel{"pa1": {}, "pa2": {}}
	for name, p := range parallels {
		p.reply = w.subscriber(nil)
		branches := ""
		for n := range 2 {
			p.filters[n] = w.subscriber(harness.Reply(nil, nil))
			if name == "pa1" && n == 1 {
				p.filters[n] = w.subscriber(nil) // answers nothing: the branch ends
			}
			p.subscribers[n] = w.subscriber(appends(" appended data"))
			branches += fmt.Sprintf("{filter: %s, subscriber: %s}, ", uri(p.filters[n].URL), uri(p.subscribers[n].URL))
		}
		w.add("flows.knative.dev/v1", "Parallel", name, fmt.Sprintf("{%s, branches: [%s], reply: %s}", template, branches, uri(p.reply.URL)), "")
	}
	w.apply()
	send := func(kind, name, data string) {
		w.s.Send(w.t, w.object(w.ref(kind, name)).Status.Address.URL, harness.Event{ID: name, ContentType: "text/plain", Data: []byte(data)})
	}
	send("sequence", "s1", "TestSequence 1")
	send("parallel", "pa1", "original")
	send("parallel", "pa2", "original")
	w.settle()
	w.pingSource("p", `{schedule: "* * * * * *", contentType: text/plain, data: TestSequence ping, sink: {ref: {apiVersion: flows.knative.dev/v1, kind: Sequence, name: s2}}}`)
	w.write()
	ping := pinged.AwaitReceived(w.t, 1)[0]

	got := observed{}
	content := func(r *harness.Request) string { return string(r.Body) }
	f := got.of("CT-S1")
	f.set("reply", each(reply.Requests(), content))
	f.set("datacontenttype", each(reply.Requests(), func(r *harness.Request) string { return r.Attribute("datacontenttype") }))
	f.set("steps", fmt.Sprint(len(subs[0].Requests()), len(subs[1].Requests()), len(subs[2].Requests())))
	f.set("from a PingSource", yes(string(ping.Body) == "TestSequence ping-step1-step2-step3" && ping.Attribute("datacontenttype") == "text/plain"))
	for id, name := range map[string]string{"CT-PA1": "pa1", "CT-PA2": "pa2"} {
		f, p := got.of(id), parallels[name]
		f.set("reply", each(p.reply.Requests(), content))
		if name == "pa2" {
			f.set("reply", is(f["reply"], "original appended data original appended data", "both"))
		}
		f.set("filters", fmt.Sprint(len(p.filters[0].Requests()), len(p.filters[1].Requests())))
		f.set("subscribers", fmt.Sprint(len(p.subscribers[0].Requests()), len(p.subscribers[1].Requests())))
	}
	return got
}
