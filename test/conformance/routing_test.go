package conformance

import (
	"fmt"
	"strings"

	"kurier.dev/kurier/test/harness"
)

var routingParts = []part{{
	name: "CT-B17 routing", onKafka: true,
	cases: []testCase{
		{"CT-B17/0", expect("t0=event")},
		{"CT-B17/1", expect("t0=")},
		{"CT-B17/2", expect("t0=event")},
		{"CT-B17/3", expect("t0=event", "t1=event")},
		{"CT-B17/4", expect("t0=", "t1=event")},
		{"CT-B17/5", expect("t0=event", "t1=reply")},
		{"CT-B17/6", expect("t0=event", "t1=event")},
	},
	observe: routing,
}, {
	name: "CT-B19 CT-B20 many triggers", onKafka: true,
	cases: []testCase{
		{"CT-B19/dumper-1", expect("e1=1", "e2=1", "e3=1", "e4=1", "Kn-Namespace=yes")},
		{"CT-B19/dumper-12", expect("e1=1", "e2=1", "e3=0", "e4=0", "Kn-Namespace=yes")},
		{"CT-B19/dumper-123", expect("e1=1", "e2=0", "e3=1", "e4=0", "Kn-Namespace=yes")},
		{"CT-B19/dumper-1234", expect("e1=1", "e2=0", "e3=0", "e4=0", "Kn-Namespace=yes")},
		{"CT-B20/dumper-12345", row8("11010011", "yes")},
		{"CT-B20/dumper-123456", row8("01000010", "yes")},
		{"CT-B20/dumper-1234567", row8("01100010", "yes")},
		{"CT-B20/dumper-654321", row8("11010000", "yes")},
		{"CT-B20/dumper-54321", row8("11011011", "yes")},
		{"CT-B20/dumper-4321", row8("11000000", "yes")},
		{"CT-B20/dumper-321", row8("01000000", "yes")},
		{"CT-B20/dumper-21", row8("00000000", "none")},
	},
	observe: manyTriggers,
}}

// routing: one FullEvent into each of seven Brokers. Each attribute and the data are
// compared, and nothing may come twice.
func routing(w *world) observed {
	const full, reply = "com.example.FullEvent", "com.example.ReplyEvent"
	byType := func(name string) string { return fmt.Sprintf("filter: {attributes: {type: %s}}", name) }
	rows := [][]string{ // the filter of each Trigger
		{""}, {byType("mytype")}, {byType(full)}, {byType(full), byType(full)}, {byType("notmytype"), byType(full)},
		{byType(full), byType(reply)}, {"", ""},
	}
	subs := map[string]*harness.Subscriber{}
	for n, filters := range rows {
		broker := fmt.Sprint("b", n)
		w.broker(broker, 1, "")
		for i, filter := range filters {
			var answer harness.Behaviour
			if n == 5 && i == 0 {
				answer = harness.Reply(map[string]string{"type": reply}, nil)
			}
			name := fmt.Sprintf("%d-t%d", n, i)
			subs[name] = w.subscriber(answer)
			w.trigger(name, broker, subs[name].URL, consumer{filter: filter})
		}
	}
	w.apply()
	event := harness.FullEvent()
	for n := range rows {
		w.send(fmt.Sprint("b", n), event)
	}
	w.settle()
	answered := event
	answered.Type = reply
	got := observed{}
	for n, filters := range rows {
		for i := range filters {
			got.of(fmt.Sprint("CT-B17/", n)).set(fmt.Sprint("t", i), each(subs[fmt.Sprintf("%d-t%d", n, i)].Requests(), func(r *harness.Request) string {
				if difference := exactly(r, event, added...); difference != "equal" && exactly(r, answered, added...) == "equal" {
					return "reply"
				} else if difference != "equal" {
					return difference
				}
				return "event"
			}))
		}
	}
	return got
}

// row8 expects each of eight events as often as a digit says.
func row8(counts, namespace string) facts {
	f := expect("Kn-Namespace=" + namespace)
	for n, count := range counts {
		f[fmt.Sprint("E", n+1)] = string(count)
	}
	return f
}

// dumper is a Trigger with a filter on attributes.
type dumper struct{ name, filter string }

// manyTriggers: two Brokers with all Triggers and events of the tables.
func manyTriggers(w *world) observed {
	const s1, s2 = "http://source1.com", "http://source2.com"
	tables := []struct {
		id      string
		prefix  string
		dumpers []dumper
		events  []harness.Event
	}{
		{"CT-B19", "e", []dumper{
			{"dumper-1", `type: "", source: ""`}, {"dumper-12", `type: type1, source: ""`},
			{"dumper-123", fmt.Sprintf(`type: "", source: %q`, s1)}, {"dumper-1234", fmt.Sprintf(`type: type1, source: %q`, s1)},
		}, []harness.Event{{Type: "type1", Source: s1}, {Type: "type1", Source: s2}, {Type: "type2", Source: s1}, {Type: "type2", Source: s2}}},
		{"CT-B20", "E", []dumper{
			{"dumper-12345", `type: "", source: "", extname1: extval1`},
			{"dumper-123456", `type: "", source: "", extname1: extval1, extname2: extvalue2`},
			{"dumper-1234567", `type: "", source: "", extname2: extvalue2`},
			{"dumper-654321", `type: type1, source: "", extname1: extval1`},
			{"dumper-54321", `type: "", source: "", extname1: ""`},
			{"dumper-4321", fmt.Sprintf(`type: "", source: %q, extname1: extval1`, s1)},
			{"dumper-321", fmt.Sprintf(`type: "", source: %q, extname1: extval1, extname2: extvalue2`, s1)},
			{"dumper-21", fmt.Sprintf(`type: "", source: %q, extname1: extval1, extname2: extval1`, s2)},
		}, []harness.Event{
			{Type: "type1", Source: s1, Extensions: map[string]string{"extname1": "extval1"}},
			{Type: "type1", Source: s1, Extensions: map[string]string{"extname1": "extval1", "extname2": "extvalue2"}},
			{Type: "type1", Source: s1, Extensions: map[string]string{"extname2": "extvalue2"}},
			{Type: "type1", Source: s2, Extensions: map[string]string{"extname1": "extval1"}},
			{Type: "type2", Source: s1, Extensions: map[string]string{"extname1": "nonmatchingextval"}},
			{Type: "type2", Source: s2, Extensions: map[string]string{"nonmatchingextname": "extval1"}},
			{Type: "type2", Source: s2, Extensions: map[string]string{"extname1": "extval1", "extname2": "extvalue2"}},
			{Type: "type2", Source: s2, Extensions: map[string]string{"extname1": "extval1", "nonmatchingextname": "extvalue2"}},
		}},
	}
	subs := map[string]*harness.Subscriber{}
	for _, table := range tables {
		broker := strings.ToLower(table.id)
		w.broker(broker, 1, "")
		for _, d := range table.dumpers {
			subs[d.name+table.id] = w.subscriber(nil)
			w.trigger(fmt.Sprintf("%s-%s", broker, d.name), broker, subs[d.name+table.id].URL, consumer{filter: "filter: {attributes: {" + d.filter + "}}"})
		}
	}
	w.apply()
	got := observed{}
	for _, table := range tables {
		for n, e := range table.events {
			e.ID = fmt.Sprint(table.prefix, n+1)
			e.Data = fmt.Appendf(nil, `{"msg":%q}`, e.ID)
			w.send(strings.ToLower(table.id), e)
		}
	}
	w.settle()
	for _, table := range tables {
		for _, d := range table.dumpers {
			requests := subs[d.name+table.id].Requests()
			f := got.of(table.id + "/" + d.name)
			for n := range table.events {
				id := fmt.Sprint(table.prefix, n+1)
				f.set(id, len(withID(requests, id)))
			}
			f.set("Kn-Namespace", all(requests, func(r *harness.Request) bool { return r.Header.Get("Kn-Namespace") == w.ns }))
		}
	}
	return got
}
