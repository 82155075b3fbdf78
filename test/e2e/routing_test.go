package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var routingScenarios = []scenario{
	{"CT-B17 routing", routing},
	{"CT-B19 attribute filters", manyTriggers},
	{"CT-F new filters", newFilters},
}

// routing: one full event, one or two Triggers; each subscriber gets it exactly as it was
// sent, or not at all.
func routing(t *testing.T, s *harness.System) {
	const full = `filter: {attributes: {type: com.example.FullEvent}}`
	cases := []struct {
		filters []string // one per Trigger
		want    []int    // deliveries per Trigger
		replies bool     // t0 answers with a reply event
	}{
		{[]string{""}, []int{1}, false},
		{[]string{`filter: {attributes: {type: mytype}}`}, []int{0}, false},
		{[]string{full}, []int{1}, false},
		{[]string{full, full}, []int{1, 1}, false},
		{[]string{`filter: {attributes: {type: notmytype}}`, full}, []int{0, 1}, false},
		{[]string{full, `filter: {attributes: {type: com.example.ReplyEvent}}`}, []int{1, 1}, true},
		{[]string{"", ""}, []int{1, 1}, false},
	}
	w := newWorld(t, s)
	subscribers := make([][]*harness.Subscriber, len(cases))
	for n, c := range cases {
		w.broker(fmt.Sprint("b", n), 1, "")
		for i, filter := range c.filters {
			sub := harness.NewSubscriber(t, nil)
			if c.replies && i == 0 {
				sub.Answer(harness.Reply(map[string]string{"type": "com.example.ReplyEvent"}, nil))
			}
			subscribers[n] = append(subscribers[n], sub)
			w.trigger(fmt.Sprintf("b%d-t%d", n, i), fmt.Sprint("b", n), sub.URL, consumer{filter: filter})
		}
	}
	w.apply()
	for n := range cases {
		w.send(fmt.Sprint("b", n), harness.FullEvent())
	}
	for n, c := range cases {
		for i, want := range c.want {
			subscribers[n][i].AwaitReceived(t, want)
			w.settled(w.ref("trigger", fmt.Sprintf("b%d-t%d", n, i)))
			if got := len(subscribers[n][i].Requests()); got != want {
				t.Errorf("row %d, trigger %d: %d deliveries, want %d", n, i, got, want)
			}
		}
	}
	checkFullEvent(t, w.ns, subscribers[0][0].Requests()[0])
}

// checkFullEvent compares what arrived with what harness.FullEvent sends.
func checkFullEvent(t *testing.T, ns string, r harness.Request) {
	t.Helper()
	want := harness.FullEvent()
	attributes := maps.Clone(want.Extensions)
	maps.Copy(attributes, map[string]string{
		"id": want.ID, "type": want.Type, "source": want.Source, "specversion": "1.0", "datacontenttype": want.ContentType,
	})
	for name, value := range attributes {
		if got := r.Attribute(name); got != value {
			t.Errorf("attribute %s is %q, want %q", name, got, value)
		}
	}
	for name := range r.Header {
		attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		added := []string{"knativearrivaltime", "knativekafkapartition", "knativekafkaoffset"}
		if _, sent := attributes[attribute]; ok && !sent && !slices.Contains(added, attribute) {
			t.Errorf("an attribute that nobody sent: %s=%s", attribute, r.Header.Get(name))
		}
	}
	if string(r.Body) != string(want.Data) {
		t.Errorf("data is %q, want %q", r.Body, want.Data)
	}
	if r.Header.Get("Kn-Namespace") != ns || r.Header.Get("Prefer") != "reply" || r.Method != http.MethodPost {
		t.Errorf("request %s with Kn-Namespace %q, Prefer %q", r.Method, r.Header.Get("Kn-Namespace"), r.Header.Get("Prefer"))
	}
}

// row is a Trigger's filter and which of the events match it, by their place.
type row struct {
	name, filter string
	matches      []int
}

// checkRows sends events to a Broker with one Trigger per row, and expects each Trigger's
// subscriber to get its matches exactly once and nothing else.
func checkRows(t *testing.T, s *harness.System, events []harness.Event, rows []row) {
	t.Helper()
	w := newWorld(t, s)
	w.broker("b", 1, "")
	subs := map[string]*harness.Subscriber{}
	for _, r := range rows {
		subs[r.name] = harness.NewSubscriber(t, nil)
		w.trigger(r.name, "b", subs[r.name].URL, consumer{filter: r.filter})
	}
	w.apply()
	for i := range events {
		events[i].ID = fmt.Sprint("e", i+1)
	}
	w.send("b", events...)
	for _, r := range rows {
		subs[r.name].AwaitReceived(t, len(r.matches))
	}
	for _, r := range rows {
		w.settled(w.ref("trigger", r.name))
		var want []string
		for _, n := range r.matches {
			want = append(want, fmt.Sprint("e", n))
		}
		got := subs[r.name].IDs()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s got %v, want %v", r.name, got, want)
		}
	}
}

func manyTriggers(t *testing.T, s *harness.System) {
	const s1, s2 = "http://source1.com", "http://source2.com"
	event := func(eventType, source string, extensions ...string) harness.Event {
		e := harness.Event{Type: eventType, Source: source, Extensions: map[string]string{}}
		for _, x := range extensions {
			name, value, _ := strings.Cut(x, "=")
			e.Extensions[name] = value
		}
		return e
	}
	filter := func(pairs ...string) string {
		all := make([]string, 0, len(pairs))
		for _, p := range pairs {
			name, value, _ := strings.Cut(p, "=")
			all = append(all, fmt.Sprintf("%s: %q", name, value))
		}
		return "filter: {attributes: {" + strings.Join(all, ", ") + "}}"
	}
	t.Run("by type and source", func(t *testing.T) {
		checkRows(t, s, []harness.Event{event("type1", s1), event("type1", s2), event("type2", s1), event("type2", s2)}, []row{
			{"dumper-1", filter("type=", "source="), []int{1, 2, 3, 4}},
			{"dumper-12", filter("type=type1", "source="), []int{1, 2}},
			{"dumper-123", filter("type=", "source="+s1), []int{1, 3}},
			{"dumper-1234", filter("type=type1", "source="+s1), []int{1}},
		})
	})
	t.Run("by extensions", func(t *testing.T) {
		const x1, x2 = "extname1=extval1", "extname2=extvalue2"
		checkRows(t, s, []harness.Event{
			event("type1", s1, x1), event("type1", s1, x1, x2), event("type1", s1, x2), event("type1", s2, x1),
			event("type2", s1, "extname1=nonmatchingextval"), event("type2", s2, "nonmatchingextname=extval1"),
			event("type2", s2, x1, x2), event("type2", s2, x1, "nonmatchingextname=extvalue2"),
		}, []row{
			{"dumper-12345", filter(x1), []int{1, 2, 4, 7, 8}},
			{"dumper-123456", filter(x1, x2), []int{2, 7}},
			{"dumper-1234567", filter(x2), []int{2, 3, 7}},
			{"dumper-654321", filter("type=type1", x1), []int{1, 2, 4}},
			{"dumper-54321", filter("extname1="), []int{1, 2, 4, 5, 7, 8}},
			{"dumper-4321", filter("source="+s1, x1), []int{1, 2}},
			{"dumper-321", filter("source="+s1, x1, x2), []int{2}},
			{"dumper-21", filter("source="+s2, x1, "extname2=extval1"), nil},
		})
	})
}

// newFilters: the dialects of spec.filters, each against events that match and do not.
func newFilters(t *testing.T, s *harness.System) {
	types := []string{
		"com.example.FullEvent", "org.wrong.type", "exact.event.type", "prefix.event.type", "event.type.suffix",
		"not.type.event", "cesql.event.type", "not.event.type", "exact.prefix.suffix.event.type",
		"exact.prefix.suffix.event", "both.should.match", "filter.attribute.event.type",
	}
	var events []harness.Event
	for _, eventType := range types {
		events = append(events, harness.MinEvent(eventType))
	}
	const all = `{exact: {type: exact.prefix.suffix.event.type}}, {prefix: {type: exact.prefix}}, ` +
		`{suffix: {type: suffix.event.type}}, {cesql: "type LIKE 'exact.prefix.suffix%'"}`
	checkRows(t, s, events, []row{
		{"f1-exact", `filters: [{exact: {type: com.example.FullEvent, source: "http://example.com/source"}}]`, []int{1}},
		{"f2-prefix", `filters: [{prefix: {type: com., source: http}}]`, []int{1}},
		{"f3-suffix", `filters: [{suffix: {type: xample.FullEvent, source: //example.com/source}}]`, []int{1}},
		{"f4-cesql", `filters: [{cesql: "type = 'com.example.FullEvent' AND source = 'http://example.com/source'"}]`, []int{1}},
		{"f5-any", `filters: [{any: [{exact: {type: exact.event.type}}, {prefix: {type: prefix}}, {suffix: {type: suffix}}, ` +
			`{not: {cesql: "type LIKE '%event.type%'"}}, {cesql: "type = 'cesql.event.type'"}]}]`, sorted(1, 2, 3, 4, 5, 6, 7, 10, 11)},
		{"f7-all", `filters: [{all: [` + all + `]}]`, []int{9}},
		{"f10-empty", `filters: [], filter: {attributes: {type: filter.attribute.event.type}}`, []int{12}},
		{"f11-wins", `filters: [{exact: {type: exact.event.type}}], filter: {attributes: {type: not.event.type}}`, []int{3}},
		{"f12-top", `filters: [` + all + `]`, []int{9}},
	})
}

// sorted returns the places in the order of their events' ids, e10 before e2.
func sorted(places ...int) []int {
	slices.SortFunc(places, func(a, b int) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return places
}
