package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

var timingScenarios = []scenario{
	{"CT-X1 timeout", attemptTimeout},
	{"CT-X2 Retry-After", retryAfter},
	{"DL-12 backoff", backoff},
	{"subscriber that hangs up", hangsUp},
	{"idle connections", idleConnections},
	{"huge answers", hugeAnswers},
}

// attemptTimeout: an attempt that takes longer than its timeout ends and counts.
func attemptTimeout(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, sink := harness.NewSubscriber(t, harness.Delay(time.Minute)), harness.NewSubscriber(t, nil)
	w.channel("c", "")
	w.subscription("s", "c", sub.URL, consumer{delivery: fmt.Sprintf("{timeout: PT1S, deadLetterSink: {uri: %q}}", sink.URL)})
	w.apply()
	sent := time.Now() // the subscriber's own clock may begin late on a busy machine
	w.sendTo("c", harness.MinEvent("x"))
	dead := sink.AwaitReceived(t, 1)[0]
	if got := dead.Attribute("kurierreason"); got != "timeout" || dead.Attribute("knativeerrorcode") != "" {
		t.Errorf("kurierreason %q, code %q", got, dead.Attribute("knativeerrorcode"))
	}
	if waited := dead.Begin.Sub(sent); waited < time.Second || waited > 30*time.Second {
		t.Errorf("the attempt took %s, want 1 s", waited)
	}
	w.settled(w.ref("subscription", "s"))
	if a, b := len(sub.Requests()), len(sink.Requests()); a != 1 || b != 1 {
		t.Errorf("%d attempts and %d dead letters, want one of each", a, b)
	}
}

// retryAfter: the header is honoured when it asks for more than the backoff.
func retryAfter(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, func(r *harness.Request) harness.Answer {
		if r.Number > 3 {
			return harness.Answer{}
		}
		return harness.Answer{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}}
	})
	w.channel("c", "")
	w.subscription("s", "c", sub.URL, consumer{delivery: "{backoffPolicy: linear, backoffDelay: PT0.1S, retry: 3, retryAfterMax: PT30S}"})
	w.apply()
	w.sendTo("c", harness.MinEvent("x"))
	sub.AwaitReceived(t, 1)
	w.settled(w.ref("subscription", "s"))
	waits(t, sub.Requests(), 2*time.Second, 2*time.Second, 2*time.Second)
}

// waits checks the pauses between an answer and the next request: never shorter, and not
// so much longer that a stalled machine cannot be the reason. (Exact waits are a test of the
// dispatcher, in virtual time.)
func waits(t *testing.T, requests []harness.Request, want ...time.Duration) {
	t.Helper()
	if len(requests) != len(want)+1 {
		t.Fatalf("%d requests, want %d", len(requests), len(want)+1)
	}
	for i, least := range want {
		got := requests[i+1].Begin.Sub(requests[i].End)
		if got < least-10*time.Millisecond || got > 3*least+30*time.Second {
			t.Errorf("retry %d came after %s, want %s", i+1, got, least)
		}
	}
}

// backoff: linear waits k·d, exponential 2^k·d, backoffMax caps.
func backoff(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	w.channel("c", "{}")
	ms := func(all ...int) (list []time.Duration) {
		for _, n := range all {
			list = append(list, time.Duration(n)*time.Millisecond)
		}
		return list
	}
	rows := []struct {
		delivery string
		want     []time.Duration
	}{
		{"{retry: 4, backoffPolicy: linear, backoffDelay: PT0.2S}", ms(200, 400, 600, 800)},
		{"{retry: 4, backoffPolicy: exponential, backoffDelay: PT0.1S}", ms(200, 400, 800, 1600)},
		{"{retry: 4, backoffPolicy: exponential, backoffDelay: PT0.1S, backoffMax: PT0.5S}", ms(200, 400, 500, 500)},
		{"{retry: 4}", ms(0, 0, 0, 0)},
	}
	var subs []*harness.Subscriber
	for n, r := range rows {
		sub := harness.NewSubscriber(t, harness.Reject(4, 503, ""))
		subs = append(subs, sub)
		w.subscription(fmt.Sprint("s", n), "c", sub.URL, consumer{delivery: r.delivery})
	}
	w.apply()
	w.sendTo("c", harness.MinEvent("x"))
	for n, r := range rows {
		subs[n].AwaitReceived(t, 1)
		waits(t, subs[n].Requests(), r.want...)
	}
}

// hangsUp: a subscriber that reads the request and closes the connection is called
// exactly retry + 1 times; the client never resends by itself.
func hangsUp(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, sink := harness.NewSubscriber(t, harness.HangUp()), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{delivery: fmt.Sprintf("{retry: 3, deadLetterSink: {uri: %q}}", sink.URL)})
	w.apply()
	w.send("b", harness.MinEvent("x"))
	dead := sink.AwaitReceived(t, 1)[0]
	w.settled(w.ref("trigger", "t"))
	if got := len(sub.Requests()); got != 4 {
		t.Errorf("%d requests, want 4", got)
	}
	if got := dead.Attribute("kurierreason"); got != "connection" {
		t.Errorf("kurierreason %q, want connection", got)
	}
}

// idleConnections: a subscriber that closes idle connections costs no event and repeats
// none. On a machine that stalls it may close a connection in the moment in which a request
// is written: that attempt fails without being seen, and is made again. (That no attempt
// fails otherwise is a test of the sender.)
func idleConnections(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriberIdle(t, 200*time.Millisecond, harness.Delay(5*time.Millisecond))
	sink := harness.NewSubscriber(t, nil)
	w.broker("b", 1, fmt.Sprintf("{retry: 2, deadLetterSink: {uri: %q}}", sink.URL))
	w.trigger("t", "b", sub.URL, consumer{})
	w.apply()
	var want []string
	for burst := range 4 {
		events := harness.Numbered(fmt.Sprint("burst", burst), 50)
		want = append(want, harness.IDsOf(events)...)
		w.send("b", events...)
		sub.AwaitReceived(t, len(want))
		w.settled(w.ref("trigger", "t")) // a pause in which the subscriber closes them all
	}
	if missing, repeats := harness.Missing(want, sub.IDs()); len(missing)+repeats+len(sink.Requests()) > 0 {
		t.Errorf("missing %s, %d repeats, %d dead letters", harness.Join(missing), repeats, len(sink.Requests()))
	}
}

// hugeAnswers: a subscriber that answers without end costs a bounded amount of memory: a
// reply of that kind ends as a dead letter, a text is no reply and none of our business.
func hugeAnswers(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sink := harness.NewSubscriber(t, nil)
	reply := harness.NewFlood(t, http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"r"}, "Ce-Type": {"r"}, "Ce-Source": {"/r"}})
	text := harness.NewFlood(t, http.Header{"Content-Type": {"text/plain"}})
	w.broker("b", 1, fmt.Sprintf("{retry: 0, deadLetterSink: {uri: %q}}", sink.URL))
	w.trigger("reply", "b", reply, consumer{})
	w.trigger("text", "b", text, consumer{})
	w.apply()
	w.send("b", harness.MinEvent("x"))
	dead := sink.AwaitReceived(t, 1)[0]
	w.settled(w.ref("trigger", "reply"), w.ref("trigger", "text"))
	if got := dead.Attribute("kurierreason"); got != "reply-too-large" || dead.Attribute("knativeerrordest") != reply {
		t.Errorf("kurierreason %q of %s, want reply-too-large", got, dead.Attribute("knativeerrordest"))
	}
	if n := len(sink.Requests()); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}
