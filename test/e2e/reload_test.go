package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

var reloadScenarios = []scenario{
	{"MF-5 a changed filter and subscriber", changedTrigger},
	{"MF-5 waiting events take new settings", waitingEvents},
	{"MF-7 a broken edit", brokenEdit},
	{"CT-K9 latest offset", latestOffset},
	{"a removed Trigger", removedTrigger},
	{"CT-B34 Trigger before its Broker", triggerBeforeBroker},
}

// changedTrigger: an edit is live, and the Trigger beside it is not disturbed.
func changedTrigger(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	before, after, other := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", before.URL, consumer{filter: "filter: {attributes: {type: old}}"})
	w.trigger("other", "b", other.URL, consumer{})
	w.apply()
	w.send("b", harness.Event{ID: "1", Type: "old"}, harness.Event{ID: "2", Type: "new"})
	before.AwaitReceived(t, 1)
	other.AwaitReceived(t, 2)
	w.settled(w.ref("trigger", "t"), w.ref("trigger", "other"))
	w.edit("type: old", "type: new", before.URL, after.URL) // at once: between two edits the old one could get an event
	harness.Eventually(t, harness.Wait, "the edit to be live", func() error {
		w.send("b", harness.Event{ID: "3", Type: "new"})
		if len(after.Received()) == 0 {
			return fmt.Errorf("the new subscriber has nothing; the old one has %v", before.IDs())
		}
		return nil
	})
	if got := harness.Join(before.IDs()); got != "1" {
		t.Errorf("the old subscriber got %s, want 1", got)
	}
}

// waitingEvents: an event that waits for its backoff is sent at once under new settings.
func waitingEvents(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	broken, fixed := harness.NewSubscriber(t, harness.RejectAll(503, "")), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", broken.URL, consumer{delivery: "{retry: 5, backoffPolicy: linear, backoffDelay: PT10M}"})
	w.apply()
	w.send("b", harness.Numbered("e", 3)...)
	broken.AwaitRequests(t, 3)
	s.AwaitStatus(t, w.ref("trigger", "t"), "waiting", func(o *harness.Object) bool { return o.Status.Delivery.Waiting == 3 })
	w.edit(broken.URL, fixed.URL)
	fixed.AwaitReceived(t, 3)
	w.settled(w.ref("trigger", "t"))
	if got := len(broken.Requests()); got != 3 {
		t.Errorf("the broken subscriber got %d requests, want 3", got)
	}
}

// brokenEdit: the last good version stays, the log names file, line and field; a repair
// is taken.
func brokenEdit(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{delivery: "{retry: 7}"})
	w.apply()
	w.edit("retry: 7", "retrai: 7")
	s.Command.AwaitOutput(t, harness.Wait, w.file(), "spec.delivery.retrai")
	w.send("b", harness.MinEvent("x"))
	sub.AwaitReceived(t, 1)
	w.edit("retrai: 7", "retry: 8")
	s.AwaitStatus(t, w.ref("trigger", "t"), "repaired", func(o *harness.Object) bool { return o.EffectiveDelivery["retry"] == 8.0 })
}

// latestOffset: a new Trigger sees what is accepted after it is Ready and nothing before.
func latestOffset(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	first, second, third := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t1", "b", first.URL, consumer{})
	w.apply()
	w.send("b", harness.Event{ID: "1"})
	first.AwaitReceived(t, 1)
	w.trigger("t2", "b", second.URL, consumer{})
	w.trigger("t3", "b", third.URL, consumer{order: "ordered", annotations: "kurier.dev/initial-offset: earliest"})
	w.apply()
	w.send("b", harness.Event{ID: "2"})
	second.AwaitReceived(t, 1)
	third.AwaitReceived(t, 2)
	w.settled(w.ref("trigger", "t2"), w.ref("trigger", "t3"))
	for want, sub := range map[string]*harness.Subscriber{"2": second, "1 2": third} {
		if got := harness.Join(sub.IDs()); got != want {
			t.Errorf("a new Trigger got %q, want %q", got, want)
		}
	}
}

// removedTrigger: it stops consuming, and goes on where it stopped when it comes back.
func removedTrigger(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, other := harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("other", "b", other.URL, consumer{})
	w.trigger("t", "b", sub.URL, consumer{order: "ordered"})
	w.apply()
	w.send("b", harness.Event{ID: "1"})
	sub.AwaitReceived(t, 1)
	w.settled(w.ref("trigger", "t"))
	whole := w.docs
	w.docs = whole[:len(whole)-1]
	w.write()
	harness.Eventually(t, harness.Wait, "the Trigger to be gone from the status", func() error {
		if code, _, err := s.Get(s.Admin + "/status/" + w.ref("trigger", "t")); err != nil || code != http.StatusNotFound {
			return errors.Join(fmt.Errorf("status %d", code), err)
		}
		return nil
	})
	w.send("b", harness.Event{ID: "2"})
	other.AwaitReceived(t, 2)
	w.docs = whole
	w.apply()
	w.send("b", harness.Event{ID: "3"})
	sub.AwaitReceived(t, 3)
	if got := harness.Join(sub.IDs()); got != "1 2 3" {
		t.Errorf("got %s, want 1 2 3", got)
	}
}

// triggerBeforeBroker: not Ready with the reason, then Ready.
func triggerBeforeBroker(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	w.trigger("t", "b", sub.URL, consumer{})
	w.write()
	o := s.AwaitCondition(t, w.ref("trigger", "t"), "BrokerReady", "False")
	if c := o.Condition("BrokerReady"); c.Reason != "BrokerDoesNotExist" || !strings.Contains(c.Message, `Broker "b" does not exist`) {
		t.Errorf("condition %+v", c)
	}
	w.broker("b", 1, "")
	w.apply()
	w.send("b", harness.MinEvent("x"))
	sub.AwaitReceived(t, 1)
}
