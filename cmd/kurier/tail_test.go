package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"kurier.dev/kurier/internal/admin"
)

func tailed(events ...string) *process {
	return &process{
		objects: fixed(ready("Broker", "orders"), ready("Trigger", "orders")),
		events:  events,
		asked:   make(chan admin.TailOptions, 1),
	}
}

const plainEvent = `{"specversion":"1.0","id":"1","source":"/s","type":"order.created","datacontenttype":"application/json",
 "knativearrivaltime":"2026-01-02T03:04:05Z","data":{"id":1}}`

func deadLetter(extensions string) string {
	return `{"specversion":"1.0","id":"2","source":"/s","type":"demo.fail",` + extensions + `,"data":{"id":13}}`
}

func TestTailText(t *testing.T) {
	body := base64.StdEncoding.EncodeToString([]byte("{\"error\":\n\"no \x1b[31mstock\"} \xe2\x82"))
	tests := map[string]string{
		"tail-event.txt": plainEvent,
		"tail-dead-letter.txt": deadLetter(`"knativeerrordest":"http://billing","knativeerrorcode":"503",` +
			`"knativeerrordata":"` + body + `","hint":"from a kne- header"`),
		"tail-dead-letter-timeout.txt": deadLetter(`"knativeerrordest":"http://billing","kurierreason":"timeout"`),
		"tail-dead-letter-odd.txt":     deadLetter(`"knativeerrordest":"http://billing","knativeerrorcode":"999","knativeerrordata":"%%"`),
		"tail-foreign.txt": string(admin.ForeignRecord(admin.Position{Topic: "t", Partition: 1, Offset: 2},
			"not-a-cloudevent: no ce_specversion", []byte{0xff}).CloudEvent),
	}
	for file, e := range tests {
		got := admined(t, tailed(e)).run(t, "tail", "broker/default/orders", "-n", "1")
		if got.code != 0 || got.err != "" {
			t.Errorf("%s: %+v", file, got)
		}
		golden(t, file, got.out)
	}
}

func TestTailJSON(t *testing.T) {
	got := admined(t, tailed(plainEvent, plainEvent)).run(t, "tail", "Broker/orders", "-o", "json", "--max", "2")
	line := strings.ReplaceAll(plainEvent, "\n ", "") + "\n"
	if got != (outcomeOf{0, line + line, ""}) {
		t.Errorf("%+v", got)
	}
}

func TestTailOptions(t *testing.T) {
	tests := map[string]admin.TailOptions{
		"":                             {},
		"--from newest":                {},
		"--from oldest":                {From: admin.From{Oldest: true}},
		"--from 5":                     {From: admin.From{Last: 5}},
		"--dead-letters":               {DeadLetters: true, From: admin.From{Oldest: true}},
		"--dead-letters --from newest": {DeadLetters: true},
		"--dead-letters --from 3":      {DeadLetters: true, From: admin.From{Last: 3}},
	}
	for flags, want := range tests {
		p := tailed(plainEvent)
		got := admined(t, p).run(t, append([]string{"tail", "trigger/orders", "-n", "1"}, strings.Fields(flags)...)...)
		if options := <-p.asked; got.code != 0 || options != want {
			t.Errorf("%q: %+v, %+v", flags, options, got)
		}
	}
}

func TestTailNotesThatDeadLettersGoElsewhere(t *testing.T) {
	p := tailed(plainEvent)
	p.objects = fixed(failing())
	got := admined(t, p).run(t, "tail", "trigger/billing", "--dead-letters", "-n", "1")
	if got.code != 0 || !strings.Contains(got.err, "go to its dead letter sink, http://dead") || got.out == "" {
		t.Errorf("%+v", got)
	}
}

func TestTailFails(t *testing.T) {
	f := admined(t, tailed(`{"specversion":"1.0"`))
	if got := f.run(t, "tail", "broker/none"); got.code != 1 || !strings.Contains(got.err, "broker/default/none is not in the manifests") {
		t.Errorf("no such object: %+v", got)
	}
	if got := f.run(t, "tail", "broker/orders"); got.code != 1 || !strings.Contains(got.err, "not valid JSON") {
		t.Errorf("broken: %+v", got)
	}
	if got := admined(t, tailed(`[]`)).run(t, "tail", "broker/orders"); got.code != 1 || !strings.Contains(got.err, "no CloudEvent") {
		t.Errorf("no event: %+v", got)
	}
	if got := newFixture().run(t, "tail", "broker/orders"); got.code != 1 || !strings.Contains(got.err, "no Kurier answers") {
		t.Errorf("no server: %+v", got)
	}
}
