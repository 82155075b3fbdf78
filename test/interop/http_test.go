package interop

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// client is something that users send with, and most of them read with, too.
type client struct {
	name      string
	send      func(t testing.TB, address string, orders []order) []outcome
	subscribe func(t testing.TB) *subscriber
	// Where the subscriber answers with an event.
	answerPaths []string
}

func clients() []client {
	all := []client{
		{"go", oneByOne(sendGo), subscribeGo, []string{"/answer"}},
		{"curl", oneByOne(sendCurl), nil, nil},
	}
	for _, l := range []*language{python, javascript} {
		suffix := map[*language]string{python: ".py", javascript: ".cjs"}[l]
		all = append(all, client{l.name,
			func(t testing.TB, address string, orders []order) []outcome {
				var lines []any
				for _, o := range orders {
					lines = append(lines, o)
				}
				return call[outcome](t, l, lines, "send"+suffix, address)
			},
			func(t testing.TB) *subscriber { return l.subscribe(t, "subscribe"+suffix) },
			[]string{"/answer", "/answer-structured"},
		})
	}
	return all
}

// oneByOne sends orders with a function for one.
func oneByOne(send func(testing.TB, string, mode, []event) outcome) func(testing.TB, string, []order) []outcome {
	return func(t testing.TB, address string, orders []order) []outcome {
		var all []outcome
		for _, o := range orders {
			all = append(all, send(t, address, o.Mode, o.Events))
		}
		return all
	}
}

// TestHTTP: what each client sends arrives as it was meant, what Kurier delivers it reads
// as it was meant, and what it answers comes back as it was meant.
func TestHTTP(t *testing.T) {
	s := harness.NewDev(t, nil)
	s.StartReady(t)
	t.Run("clients", func(t *testing.T) {
		for _, c := range clients() {
			t.Run(c.name+"/sends", func(t *testing.T) {
				t.Parallel()
				c.sends(t, s)
			})
			if c.subscribe != nil {
				t.Run(c.name+"/reads and answers", func(t *testing.T) {
					t.Parallel()
					c.readsAndAnswers(t, s)
				})
			}
		}
	})
	s.Command.Stop(t)
}

// place writes a Broker, and a Trigger for each URL, with the fields that come after it.
// It returns the Broker's address.
func place(t testing.TB, s *harness.System, triggers ...string) string {
	t.Helper()
	ns := harness.Namespace(t)
	docs := fmt.Sprintf("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b, namespace: %s}\n", ns)
	var refs []string
	for i, spec := range triggers {
		docs += fmt.Sprintf("---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t%d, namespace: %s}\n"+
			"spec: {broker: b, subscriber: {uri: %s}\n", i, ns, spec)
		refs = append(refs, fmt.Sprintf("trigger/%s/t%d", ns, i))
	}
	s.Write(t, ns+".yaml", docs, nil)
	s.AwaitObjects(t, refs...)
	return s.Broker(ns, "b")
}

func (c *client) sends(t *testing.T, s *harness.System) {
	raw := harness.NewSubscriber(t, nil)
	address := place(t, s, raw.URL+"}")
	var orders []order
	for _, m := range []mode{binary, structured} {
		for _, e := range events(string(m) + "-") {
			orders = append(orders, order{m, []event{e}})
		}
	}
	orders = append(orders, order{batch, events("batch-")})

	want := map[string]event{}
	sent := map[string]outcome{}
	for i, result := range c.send(t, address, orders) {
		o := orders[i]
		for _, e := range o.Events {
			there, refused := expected(c.name, sends, o.Mode, e)
			switch {
			case refused != "":
				if result.Status == 202 || !strings.Contains(result.Error, refused) {
					t.Errorf("%s: status %d, error %q, want no 202 and an error with %q", e.id(), result.Status, result.Error, refused)
				}
			case result.Status != 202:
				t.Errorf("%s: status %d, error %q, want 202", e.id(), result.Status, result.Error)
			default:
				want[e.id()], sent[e.id()] = there, result
			}
		}
	}
	compare(t, raw, want, added)
	for _, r := range raw.Received() {
		if id := received(t, &r, added).id(); strings.HasPrefix(id, "binary-") && sent[id].Body != nil && string(sent[id].Body) != string(r.Body) {
			t.Errorf("%s: delivered %q, sent %q", id, r.Body, sent[id].Body)
		}
	}
}

// compare waits for the events at a subscriber, and compares each.
func compare(t testing.TB, raw *harness.Subscriber, want map[string]event, added []string) {
	t.Helper()
	got := map[string]event{}
	for _, r := range raw.AwaitReceived(t, len(want)) {
		e := received(t, &r, added)
		if _, twice := got[e.id()]; twice {
			t.Errorf("%s came twice", e.id())
		}
		got[e.id()] = e
		if _, wanted := want[e.id()]; !wanted {
			t.Errorf("%s came, and should not", e.id())
		}
	}
	for id, w := range want {
		if g, came := got[id]; !came {
			t.Errorf("%s did not come", id)
		} else if d := difference(g, w); d != "" {
			t.Errorf("%s: %s", id, d)
		}
	}
}

// post sends an event in binary mode, coded as the binding says.
func post(t testing.TB, address string, e event) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(e.Data))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range e.Attributes {
		if name == "datacontenttype" {
			request.Header.Set("Content-Type", value)
			continue
		}
		request.Header.Set("Ce-"+name, coded(value))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: status %d", e.id(), response.StatusCode)
	}
}

func (c *client) readsAndAnswers(t *testing.T, s *harness.System) {
	sub, answers := c.subscribe(t), harness.NewSubscriber(t, nil)
	const asked = "}, filter: {attributes: {type: com.example.interop}}"
	triggers := []string{
		sub.url + "/binary" + asked,
		sub.url + "/structured" + asked + ", delivery: {format: json}",
		answers.URL + "}, filter: {attributes: {type: com.example.answer}}",
	}
	for _, path := range c.answerPaths {
		triggers = append(triggers, sub.url+path+asked)
	}
	address := place(t, s, triggers...)
	all := events("")
	for _, e := range all {
		post(t, address, e)
	}
	for path, m := range map[string]mode{"/binary": binary, "/structured": structured} {
		c.reads(t, sub, path, m, all)
	}
	c.answers(t, answers, all)
}

// reads compares what the client's subscriber told with what was sent.
func (c *client) reads(t *testing.T, sub *subscriber, path string, m mode, all []event) {
	t.Helper()
	harness.Eventually(t, harness.Wait, c.name+" to read all at "+path, func() error {
		if got := sub.got(path); len(got) < len(all) {
			return fmt.Errorf("%d so far: %v", len(got), got)
		}
		return nil
	})
	got := sub.got(path)
	for _, e := range all {
		want, _ := expected(c.name, reads, m, e)
		one, ok := got[want.id()]
		switch {
		case !ok:
			t.Errorf("%s, %s: not read; ids %v", e.id(), path, ids(got))
			continue
		case one.Error != "":
			t.Errorf("%s, %s: %s", e.id(), path, one.Error)
			continue
		}
		without(t, one.Attributes, added)
		if d := difference(event{one.Attributes, one.Data}, want); d != "" {
			t.Errorf("%s, %s: %s", e.id(), path, d)
		}
	}
}

func ids(got map[string]told) []string {
	var all []string
	for id := range got {
		all = append(all, id)
	}
	return all
}

// answers: each answer came back through the Broker.
func (c *client) answers(t *testing.T, raw *harness.Subscriber, all []event) {
	t.Helper()
	want := map[string]event{}
	for _, path := range c.answerPaths {
		m := map[string]mode{"/answer": binary, "/answer-structured": structured}[path]
		for _, e := range all {
			answer, _ := expected(c.name, answers, m, e)
			answer.Attributes["id"], answer.Attributes["type"] = "answer"+path+"-"+e.id(), "com.example.answer"
			want[answer.id()] = answer
		}
	}
	compare(t, raw, want, added)
}
