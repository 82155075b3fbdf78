package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/test/harness"
)

// TestAttemptsSurviveKills: retry 5 without backoff and a kill -9 in each attempt from
// the second on. Their counts are written ahead, so the event is dead-lettered after the
// six attempts of its budget and the one that the last owner makes for its answer.
func TestAttemptsSurviveKills(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 1, 1, nil, wish{name: "t", retry: 5,
		delivery: "{retry: 5, backoffPolicy: linear, backoffDelay: PT0S, deadLetterSink: {uri: SINK}}"})
	const budget = 6
	var attempts atomic.Int32
	arrived := make(chan int32, 100)
	s.subs[0].Decide(func(r *http.Request, q *Request) int {
		if q.DeadLetter {
			return http.StatusAccepted
		}
		n := attempts.Add(1)
		arrived <- n
		if n > 1 && n <= budget {
			<-r.Context().Done() // the process dies
			return 0
		}
		return http.StatusServiceUnavailable
	})
	s.send(1, NoKey)
	for n := range arrived {
		if n == budget+1 {
			break
		}
		if n == 1 {
			continue
		}
		whole := s.history.Break(KillDispatcher, s.Dispatchers[0].Name)
		s.Dispatchers[0].Command.Kill()
		s.Dispatchers[0].Up()
		whole()
	}
	s.await("the dead letter", 1, func(r *Request) bool { return r.DeadLetter })
	s.drained()
	if n := attempts.Load(); n != budget+1 {
		t.Errorf("%d attempts, want %d: retry 5, and one by the owner that found the budget used up", n, budget+1)
	}
	s.judge()
}

// TestAttemptsSurviveRebalances is JW-5: retry 3 and a rebalance every few seconds. Every
// event is dead-lettered after at most 4 attempts and one for each change of owner.
func TestAttemptsSurviveRebalances(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 4, 2, nil, wish{name: "jw-5", retry: 3,
		delivery: "{retry: 3, backoffPolicy: linear, backoffDelay: PT3S, deadLetterSink: {uri: SINK}}"})
	s.subs[0].Decide(func(_ *http.Request, q *Request) int {
		if q.DeadLetter {
			return http.StatusAccepted
		}
		return http.StatusServiceUnavailable
	})
	stopWatching := s.watch()
	const events, every = 60, 6 * time.Second
	s.send(events, NoKey)
	dead := func(r *Request) bool { return r.DeadLetter }
	for range 6 {
		if len(s.requests(dead)) >= events {
			break
		}
		whole := s.history.Break(TermDispatcher, s.Dispatchers[1].Name)
		s.Dispatchers[1].Down()
		Pass(t.Context(), every/2)
		s.Dispatchers[1].Up()
		s.Dispatchers[1].AwaitReady(t)
		s.has(1, 0, 2)
		whole()
		Pass(t.Context(), every/2)
	}
	s.await("all dead letters", events, dead)
	s.drained()
	stopWatching()
	v := s.judge()
	for event, o := range v.Outcomes[0] {
		if o.DeadLettered == 0 || o.Attempts < 4 {
			t.Errorf("event %d: %+v, want 4 attempts or more and a dead letter", event, o)
		}
	}
	if v.Moves[0] == 0 {
		t.Error("no partition changed hands")
	}
}

// TestDeadLettersAreNeverLost is JW-3: the sink is down, or there is none, and a
// dispatcher dies meanwhile. Each event is at the subscriber, the sink or in the topic.
func TestDeadLettersAreNeverLost(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 4, 2, nil,
		wish{name: "jw-3-sink", order: Ordered, retry: 1, delivery: "{retry: 1, backoffPolicy: linear, backoffDelay: PT0.05S, deadLetterSink: {uri: SINK}}"},
		wish{name: "jw-3-none", retry: 1, delivery: "{retry: 1, backoffPolicy: linear, backoffDelay: PT0.05S}"})
	for _, sub := range s.subs {
		sub.FeelSink(Failing)
		sub.Decide(func(r *http.Request, q *Request) int {
			if !q.DeadLetter && q.Event%7 == 0 {
				return http.StatusBadRequest
			}
			return sub.answer(r, q)
		})
	}
	stopWatching := s.watch()
	stopSending := s.flow(150)
	s.await("dead letters that fail", 20, func(r *Request) bool { return r.DeadLetter })
	whole := s.history.Break(KillDispatcher, s.Dispatchers[0].Name)
	s.Dispatchers[0].Command.Kill()
	s.Dispatchers[0].Up()
	s.Dispatchers[0].AwaitReady(t)
	whole()
	harness.Eventually(t, harness.Wait, "the condition to tell", func() error {
		for _, d := range s.Dispatchers {
			o, err := d.Status("trigger/" + s.Namespace + "/jw-3-sink")
			if err != nil {
				return err
			}
			if o.Condition("DeadLetterSinkHealthy").Status == "False" && o.Status.Delivery.Held > 0 {
				return nil
			}
		}
		return fmt.Errorf("DeadLetterSinkHealthy is nowhere False")
	})
	stopSending()
	for _, sub := range s.subs {
		sub.FeelSink(Well)
	}
	s.drained()
	stopWatching()
	v := s.judge()
	buried := 0
	for _, o := range v.Outcomes[1] {
		buried += o.DeadLettered
	}
	if buried == 0 {
		t.Error("nothing stands in the dead letter topic")
	}
}

// TestRetentionAtRisk: an event waits for longer than half of what its topic keeps. The
// status warns; when the topic keeps more it does so no longer.
func TestRetentionAtRisk(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 1, 1, nil, wish{name: "t", retry: 10, delivery: patient})
	s.subs[0].Decide(func(*http.Request, *Request) int { return http.StatusServiceUnavailable })
	s.send(1, NoKey)
	retention := func(ms int) {
		t.Helper()
		c, err := kgo.NewClient(kgo.SeedBrokers(s.watcher.Brokers...))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, s.history.Triggers[0].Topic
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Value = "retention.ms", kmsg.StringPtr(fmt.Sprint(ms))
		resource.Configs = append(resource.Configs, config)
		req.Resources = append(req.Resources, resource)
		if resp, err := req.RequestWith(t.Context(), c); err != nil || resp.Resources[0].ErrorCode != 0 {
			t.Fatalf("%v %+v", err, resp)
		}
	}
	ref := "trigger/" + s.Namespace + "/t"
	retention(10_000)
	o := s.Dispatchers[0].AwaitCondition(t, ref, "RetentionAtRisk", "True")
	if c := o.Condition("RetentionAtRisk"); !strings.Contains(c.Message, "10s") || !strings.Contains(c.Message, "retention") {
		t.Errorf("the message is %q", c.Message)
	}
	retention(7 * 24 * 3600 * 1000)
	s.Dispatchers[0].AwaitCondition(t, ref, "RetentionAtRisk", "False")
}
