package conformance

import (
	"fmt"
	"strings"

	"kurier.dev/kurier/test/harness"
)

// filterCase is a row of the table: the filters of one Trigger or two, and how often each
// event reaches them.
type filterCase struct {
	id     string
	filter []string // one per Trigger
	events []filterEvent
}

// filterEvent is an event of a row: type, or type and source separated by a space.
type filterEvent struct {
	event     string
	extension string
	want      string // one digit per Trigger
}

const (
	allOfFour = `[{exact: {type: exact.prefix.suffix.event.type}}, {prefix: {type: exact.prefix}}, ` +
		`{suffix: {type: suffix.event.type}}, {cesql: "type LIKE 'exact.prefix.suffix%'"}]`
	fullType, fullSource = "com.example.FullEvent", "http://example.com/source"
)

var fullAndWrong = []filterEvent{{fullType + " " + fullSource, "", "1"}, {"org.wrong.type org.wrong.source", "", "0"}}

var f7Events = []filterEvent{
	{"exact.prefix.suffix.event.type", "", "1"}, {"not.event.type", "", "0"}, {"exact.prefix.suffix.event", "", "0"},
	{"exact.prefix.suffix.event.suffix.event.type", "", "0"},
}

var filterCases = []filterCase{
	{"CT-F1", []string{fmt.Sprintf("filters: [{exact: {type: %s, source: %q}}]", fullType, fullSource)}, fullAndWrong},
	{"CT-F2", []string{"filters: [{prefix: {type: com., source: http}}]"}, fullAndWrong},
	{"CT-F3", []string{`filters: [{suffix: {type: xample.FullEvent, source: "//example.com/source"}}]`}, fullAndWrong},
	{"CT-F4", []string{fmt.Sprintf(`filters: [{cesql: "type = '%s' AND source = '%s'"}]`, fullType, fullSource)}, fullAndWrong},
	{"CT-F5", []string{`filters: [{any: [{exact: {type: exact.event.type}}, {prefix: {type: prefix}}, {suffix: {type: suffix}}, ` +
		`{not: {cesql: "type LIKE '%event.type%'"}}, {cesql: "type = 'cesql.event.type'"}]}]`}, []filterEvent{
		{"exact.event.type", "", "1"}, {"prefix.event.type", "", "1"}, {"event.type.suffix", "", "1"}, {"not.type.event", "", "1"},
		{"cesql.event.type", "", "1"}, {"not.event.type", "", "0"}}},
	{"CT-F6", []string{"filters: [{any: [{exact: {type: dev.knative.apiserver.resource.update}}, " +
		"{exact: {type: dev.knative.apiserver.resource.add}}, {exact: {type: dev.knative.apiserver.resource.delete}}]}]"}, []filterEvent{
		{"dev.knative.apiserver.resource.update", "", "1"}, {"dev.knative.apiserver.resource.add", "", "1"},
		{"dev.knative.apiserver.resource.delete", "", "1"}, {"prefix.event.type", "", "0"}}},
	{"CT-F7", []string{"filters: [{all: " + allOfFour + "}]"}, f7Events},
	{"CT-F8", []string{"filters: [{any: [{exact: {type: type1}}, {prefix: {type: both}}]}]",
		"filters: [{any: [{exact: {type: type2}}, {prefix: {type: both}}]}]"}, []filterEvent{
		{"type1", "", "10"}, {"type2", "", "01"}, {"both.should.match", "", "11"}, {"type3", "", "00"}}},
	{"CT-F9", []string{"filters: [{all: [{exact: {extensionattribute: extensionvalue}}, {prefix: {extensionattribute: extension}}, " +
		`{suffix: {extensionattribute: value}}, {cesql: "extensionattribute LIKE '%value'"}]}]`}, []filterEvent{
		{"with", "extensionvalue", "1"}, {"without", "", "0"}}},
	{"CT-F10", []string{"filters: [], filter: {attributes: {type: filter.attribute.event.type}}"}, []filterEvent{
		{"filter.attribute.event.type", "", "1"}, {"some.other.type", "", "0"}}},
	{"CT-F11", []string{"filters: [{exact: {type: subscriptionapi.filters.override.event.type}}], filter: {attributes: {type: filter.check.event.type}}"},
		[]filterEvent{{"subscriptionapi.filters.override.event.type", "", "1"}, {"filter.check.event.type", "", "0"}}},
	{"CT-F12", []string{"filters: " + allOfFour}, f7Events},
}

var filterParts = []part{{name: "CT-F1 to CT-F12 filters", onKafka: true, cases: filterExpectations(), observe: filters}}

func (e filterEvent) fact() string {
	return strings.TrimSpace(e.event + " " + e.extension)
}

func filterExpectations() []testCase {
	var cases []testCase
	for _, c := range filterCases {
		want := facts{}
		for _, e := range c.events {
			want[e.fact()] = e.want
		}
		cases = append(cases, testCase{c.id, want})
	}
	return cases
}

// filters: every row has Triggers on one Broker, and events that it counts by their ids.
func filters(w *world) observed {
	w.broker("b", 1, "")
	subs := map[string][]*harness.Subscriber{}
	for _, c := range filterCases {
		for n, filter := range c.filter {
			sub := w.subscriber(nil)
			subs[c.id] = append(subs[c.id], sub)
			w.trigger(strings.ToLower(fmt.Sprint(c.id, "-t", n)), "b", sub.URL, consumer{filter: filter})
		}
	}
	w.apply()
	id := func(c filterCase, e filterEvent) string { return c.id + "/" + strings.ReplaceAll(e.fact(), " ", "+") }
	for _, c := range filterCases {
		for _, e := range c.events {
			event := harness.MinEvent(e.event)
			if eventType, source, ok := strings.Cut(e.event, " "); ok {
				event.Type, event.Source = eventType, source
			}
			if e.extension != "" {
				event.Extensions = map[string]string{"extensionattribute": e.extension}
			}
			event.ID = id(c, e)
			w.send("b", event)
		}
	}
	w.settle()
	got := observed{}
	for _, c := range filterCases {
		for _, e := range c.events {
			counts := ""
			for _, sub := range subs[c.id] {
				counts += fmt.Sprint(len(withID(sub.Requests(), id(c, e))))
			}
			got.of(c.id).set(e.fact(), counts)
		}
	}
	return got
}
