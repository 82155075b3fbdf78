package chaos

import (
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// TestAStoppedOwnerSendsNothingMore: a dispatcher with requests on the wire is stopped
// for longer than its session, another one takes over, and the first goes on. What was on
// the wire may overlap, one request per partition or key; nothing else.
func TestAStoppedOwnerSendsNothingMore(t *testing.T) {
	t.Parallel()
	const delivery = "{retry: 2, backoffPolicy: linear, backoffDelay: PT0.1S, timeout: PT5S, deadLetterSink: {uri: SINK}}"
	s := newSmall(t, 6, 2, nil,
		wish{name: "ordered", order: Ordered, retry: 2, delivery: delivery, rest: 10 * time.Millisecond},
		wish{name: "by-key", order: ByKey, retry: 2, delivery: delivery, rest: 20 * time.Millisecond})
	for trigger := range s.subs {
		s.has(0, trigger, 3)
	}
	stopWatching := s.watch()
	stopSending := s.flow(150)
	const sessions = 13 * time.Second // the session timeout is 10 s
	for range 2 {
		before := len(s.requests(accepted))
		s.await("deliveries", before+100, accepted)
		for _, sub := range s.subs { // what is sent now stays on the wire
			sub.Feel(Hanging)
		}
		mine := s.has(0, 0, 3).Partitions
		s.await("requests of the first dispatcher on the wire", len(mine), func(r *Request) bool {
			return r.Trigger == 0 && r.End == Never && slices.Contains(mine, r.Partition)
		})
		whole := s.history.Break(LongPauseDispatcher, s.Dispatchers[0].Name)
		s.Dispatchers[0].Command.Signal(t, syscall.SIGSTOP)
		for _, sub := range s.subs {
			sub.Feel(Well)
		}
		Pass(t.Context(), sessions)
		for trigger := range s.subs {
			s.has(1, trigger, 6)
		}
		s.Dispatchers[0].Command.Signal(t, syscall.SIGCONT)
		whole()
		for trigger := range s.subs {
			s.has(1, trigger, 3)
		}
	}
	stopSending()
	s.drained()
	stopWatching()
	v := s.judge()
	if len(v.Excused) == 0 {
		t.Error("no request was on the wire at a stop: the test proves nothing")
	}
	t.Logf("%d requests overlapped or came late, %d repeats", len(v.Excused), len(v.Repeats))
}

func accepted(r *Request) bool { return r.accepted() }

// TestARevokeDoesNotWaitForAHangingSubscriber: ordered partitions with a hanging
// subscriber, 5,000 records behind each request, are given up within DRAIN_TIMEOUT and a
// second when another dispatcher joins.
func TestARevokeDoesNotWaitForAHangingSubscriber(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 2, 2, harness.Env{"DELIVERY_TIMEOUT": "PT10M"},
		wish{name: "t", order: Ordered, delivery: "{retry: 0}"})
	hanging := func(r *http.Request, _ *Request) int {
		<-r.Context().Done()
		return 0
	}
	s.subs[0].Decide(hanging)
	s.has(0, 0, 1)
	s.Dispatchers[1].Down()
	s.has(0, 0, 2)
	stopSending := s.flow(4000)
	open := func(r *Request) bool { return r.End == Never }
	s.await("a request on both partitions", 2, open)
	harness.Eventually(t, harness.Wait, "10,000 events", func() error {
		if acked, _ := s.history.Counts(); acked < 10_000 {
			return fmt.Errorf("%d", acked)
		}
		return nil
	})
	stopSending()

	const drain, slack = 3 * time.Second, 2 * time.Second // DRAIN_TIMEOUT; 1 s, and a busy machine
	s.Dispatchers[1].Up()
	given := s.has(1, 0, 1)
	revoked := s.has(0, 0, 1)
	if took := given.At - revoked.At; took > drain+slack {
		t.Errorf("the partition was released %s after the revoke, want at most %s", took, drain+time.Second)
	}
	cut := s.await("the request to be cut", 1, func(r *Request) bool { return r.Status == 0 && r.End != Never })
	for _, r := range cut {
		if slices.Contains(revoked.Partitions, r.Partition) {
			t.Errorf("a request of partition %d, which stayed, was cut", r.Partition)
		}
	}
}

// TestAKillRepeatsAtMostASecond is JW-6: kill -9 under steady load with nothing slow. What
// is delivered again was settled within the last second, which is what one commit to the
// next takes.
func TestAKillRepeatsAtMostASecond(t *testing.T) {
	t.Parallel()
	const perSecond, delivery = 200, "{retry: 2, backoffPolicy: linear, backoffDelay: PT0.1S, deadLetterSink: {uri: SINK}}"
	s := newSmall(t, 6, 2, nil,
		wish{name: "unordered", retry: 2, delivery: delivery},
		wish{name: "ordered", order: Ordered, retry: 2, delivery: delivery},
		wish{name: "by-key", order: ByKey, retry: 2, delivery: delivery})
	for _, sub := range s.subs {
		sub.Decide(func(*http.Request, *Request) int { return http.StatusAccepted })
	}
	for trigger := range s.subs {
		s.has(0, trigger, 3)
	}
	stopWatching := s.watch()
	stopSending := s.flow(perSecond)
	const warm = 3 * perSecond * 3 // requests: three seconds' events at three triggers
	s.await("a steady load", warm, accepted)
	killed := s.history.Now()
	whole := s.history.Break(KillDispatcher, s.Dispatchers[0].Name)
	s.Dispatchers[0].Command.Kill()
	for trigger := range s.subs {
		s.has(1, trigger, 6)
	}
	s.Dispatchers[0].Up()
	s.Dispatchers[0].AwaitReady(t)
	whole()
	stopSending()
	s.drained()
	stopWatching()
	v := s.judge()
	// Half a second for the commit itself on a busy machine.
	checkAge(t, v, s, killed, 1500*time.Millisecond)
	for i, trigger := range s.history.Triggers {
		n := 0
		for _, f := range v.Repeats {
			if f.Trigger == trigger.Name {
				n++
			}
		}
		t.Logf("%s: %d repeats after a kill at %d events/s", trigger.Name, n, perSecond)
		if n > perSecond {
			t.Errorf("trigger %d: %d repeats, want at most a second's events, %d", i, n, perSecond)
		}
	}
}

// checkAge checks that everything repeated was settled shortly before the kill.
func checkAge(t *testing.T, v *Verdict, s *small, killed Instant, most time.Duration) {
	t.Helper()
	first := map[int64]Instant{}
	key := func(trigger int, p int32, o int64) int64 { return int64(trigger)<<56 | int64(p)<<40 | o }
	for i := range s.history.Requests {
		r := &s.history.Requests[i]
		k := key(r.Trigger, r.Partition, r.Offset)
		if at, ok := first[k]; r.accepted() && (!ok || r.End < at) {
			first[k] = r.End
		}
	}
	for _, f := range v.Repeats {
		trigger := slices.IndexFunc(s.history.Triggers, func(t Trigger) bool { return t.Name == f.Trigger })
		if age := killed - first[key(trigger, f.Partition, f.Offset)]; age > most && f.At > killed {
			t.Errorf("%s, settled %s before the kill", f, age)
		}
	}
}
