package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// TestReceiverAlone: events that are accepted before any dispatcher was ever started reach
// every Trigger and Subscription.
func TestReceiverAlone(t *testing.T) {
	t.Parallel()
	s := harness.NewSystem(t, harness.Env{"KAFKA_BOOTSTRAP_SERVERS": kafkatest.Shared(t).Bootstrap()}, "receiver")
	w := newWorld(t, s)
	subs := []*harness.Subscriber{harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil), harness.NewSubscriber(t, nil)}
	w.broker("b", 3, "")
	w.channel("c", "")
	w.trigger("t1", "b", subs[0].URL, consumer{})
	w.trigger("t2", "b", subs[1].URL, consumer{order: "ordered"})
	w.subscription("s", "c", subs[2].URL, consumer{})
	w.write()
	s.StartReady(t)
	events := harness.Numbered("early", 30)
	w.send("b", events...)
	w.sendTo("c", events...)
	dispatcher := s.Sibling(t, nil, "dispatcher")
	began := time.Now()
	harness.Eventually(t, harness.Wait, "ten seconds", func() error {
		if left := 10*time.Second - time.Since(began); left > 0 {
			return fmt.Errorf("%s left", left)
		}
		return nil
	})
	dispatcher.StartReady(t)
	for i, sub := range subs {
		sub.AwaitReceived(t, len(events))
		if missing, repeats := harness.Missing(harness.IDsOf(events), sub.IDs()); len(missing)+repeats > 0 {
			t.Errorf("subscriber %d: missing %s, %d repeats", i, harness.Join(missing), repeats)
		}
	}
	dispatcher.Command.Stop(t)
	s.Command.Stop(t)
}

// targets are the systems for tests that stop and start their own process.
func targets(t *testing.T, f func(t *testing.T, s *harness.System)) {
	t.Run("embedded broker", func(t *testing.T) {
		t.Parallel()
		f(t, harness.NewDev(t, nil))
	})
	t.Run("real Kafka", func(t *testing.T) {
		t.Parallel()
		f(t, harness.NewRun(t, kafkatest.Shared(t).Bootstrap(), nil))
	})
}

// TestStopWithRequestsInFlight: SIGTERM with 100 requests on the wire, of which the
// subscriber answers none in time; after a restart every event is delivered.
func TestStopWithRequestsInFlight(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, s *harness.System) {
		s.SetEnv("SHUTDOWN_TIMEOUT", "PT3S")
		w, sub, events := inFlight(t, s)
		began := time.Now()
		s.Command.Stop(t)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the stop took %s with a SHUTDOWN_TIMEOUT of 3 s", took)
		}
		afterRestart(t, w, sub, events)
	})
}

// TestKillWithRequestsInFlight is the same with kill -9.
func TestKillWithRequestsInFlight(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, s *harness.System) {
		w, sub, events := inFlight(t, s)
		s.Command.Kill()
		afterRestart(t, w, sub, events)
	})
}

// inFlight brings 100 requests to a subscriber that answers none; 50 events wait behind.
func inFlight(t *testing.T, s *harness.System) (*world, *harness.Subscriber, []harness.Event) {
	t.Helper()
	w := newWorld(t, s)
	behaviour, release := harness.Block()
	t.Cleanup(release)
	sub := harness.NewSubscriber(t, behaviour)
	w.broker("b", 2, "")
	w.trigger("t", "b", sub.URL, consumer{order: "unordered"})
	w.write()
	s.StartReady(t)
	s.AwaitObjects(t, w.refs...)
	events := harness.Numbered("e", 150)
	w.send("b", events...)
	sub.AwaitRequests(t, 100)
	return w, sub, events
}

// afterRestart starts the process again and expects each event.
func afterRestart(t *testing.T, w *world, sub *harness.Subscriber, events []harness.Event) {
	t.Helper()
	sub.Answer(nil)
	w.s.StartReady(t)
	harness.Eventually(t, harness.Wait, "every event", func() error {
		if missing, _ := harness.Missing(harness.IDsOf(events), acceptedIDs(sub)); len(missing) > 0 {
			return fmt.Errorf("missing %s", harness.Join(missing))
		}
		return nil
	})
	w.settled(w.ref("trigger", "t"))
	w.s.Command.Stop(t)
}

// acceptedIDs are the events whose sender waited for a 2xx: those that a stopped process
// abandoned were recorded, but nobody read the answer.
func acceptedIDs(sub *harness.Subscriber) []string {
	var ids []string
	for _, r := range sub.Received() {
		if !r.Abandoned {
			ids = append(ids, r.ID())
		}
	}
	return ids
}

// TestKafkaComesAndGoes: Kafka is not there at start, comes, goes in the middle and comes
// back. The process waits and says so, answers 503 within its deadline meanwhile, loses
// nothing and is never restarted.
func TestKafkaComesAndGoes(t *testing.T) {
	t.Parallel()
	kafka := kafkatest.Start(t, kafkatest.Options{})
	kafka.StopNode(t, 0)
	s := harness.NewRun(t, kafka.Bootstrap(), harness.Env{"PRODUCE_TIMEOUT": "PT2S"})
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{})
	w.write()
	s.Start(t)
	s.Command.AwaitOutput(t, harness.Wait, "Kafka")
	unavailable(t, s, w)
	if code, _, err := s.Get(s.Admin + "/readyz"); err != nil || code == http.StatusOK {
		t.Errorf("ready without Kafka: %d, %v", code, err)
	}
	kafka.StartNode(t, 0)
	s.AwaitReady(t)
	s.AwaitObjects(t, w.refs...)
	w.send("b", harness.Event{ID: "1"})
	sub.AwaitReceived(t, 1)
	kafka.KillNode(0)
	unavailable(t, s, w)
	kafka.StartNode(t, 0)
	s.SendAgain(t, harness.Wait, s.Broker(w.ns, "b"), harness.Event{ID: "2"})
	harness.Eventually(t, harness.Wait, "the event after the outage", func() error {
		if missing, _ := harness.Missing([]string{"1", "2"}, sub.ReceivedIDs()); len(missing) > 0 {
			return fmt.Errorf("missing %v", missing)
		}
		return nil
	})
	s.Command.Stop(t)
}

// unavailable expects a 503 with Retry-After, soon.
func unavailable(t *testing.T, s *harness.System, w *world) {
	t.Helper()
	harness.Eventually(t, harness.Wait, "503 while Kafka is away", func() error {
		began := time.Now()
		code, body, err := s.Post(s.Broker(w.ns, "b"), harness.Event{ID: "refused"})
		if err != nil || code != http.StatusServiceUnavailable {
			return errors.Join(fmt.Errorf("status %d", code), err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("503 came after %s, PRODUCE_TIMEOUT is 2 s", took)
		}
		if !strings.Contains(body, "detail") {
			t.Errorf("503 without explanation: %s", body)
		}
		return nil
	})
}

// TestKafkaDefaults: with Kafka's own settings nothing invents topics, and the first join
// of a group takes its time.
func TestKafkaDefaults(t *testing.T) {
	t.Parallel()
	s := harness.NewRun(t, kafkatest.SharedDefaults(t).Bootstrap(), nil)
	s.StartReady(t)
	t.Run("suite", func(t *testing.T) {
		for _, scenario := range routingScenarios[:1] {
			t.Run(scenario.name, func(t *testing.T) { scenario.run(t, s) })
		}
		t.Run("hold", func(t *testing.T) { holdAndRepair(t, s) })
		t.Run("replies", func(t *testing.T) { brokerReplies(t, s) })
	})
	code, _, err := s.Post(s.Broker("default", "nobody"), harness.MinEvent("x"))
	if err != nil || code != http.StatusNotFound {
		t.Errorf("an unknown Broker answers %d, %v", code, err)
	}
	s.Command.Stop(t)
}
