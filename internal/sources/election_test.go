package sources

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/kafka/embedded"
	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(kafkatest.Main(m),
		goleak.IgnoreAnyFunction("github.com/eapache/go-resiliency/breaker.(*Breaker).timer"))
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// onBoth runs the test against the embedded broker and a real Kafka.
func onBoth(t *testing.T, test func(t *testing.T, open func() *kafka.Cluster)) {
	opener := func(t *testing.T, brokers []string, dial kafka.DialFunc) func() *kafka.Cluster {
		return func() *kafka.Cluster {
			c := kafka.Open(kafka.Options{Brokers: brokers, Dial: dial})
			t.Cleanup(func() { c.Close() })
			return c
		}
	}
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		b, err := embedded.Start(embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		test(t, opener(t, b.Brokers(), b.Dial))
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		test(t, opener(t, kafkatest.Shared(t).Brokers(), nil))
	})
}

// log of all ticks that any process fired.
type tickLog struct {
	mu    sync.Mutex
	fired map[time.Time][]string // tick -> processes
	order []time.Time
	more  chan struct{}
}

func (l *tickLog) add(process string, tick time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fired[tick] = append(l.fired[tick], process)
	l.order = append(l.order, tick)
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// await waits until n ticks were fired, and returns who fired the last.
func (l *tickLog) await(t *testing.T, n int) string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		if len(l.order) >= n {
			who := l.fired[l.order[len(l.order)-1]][0]
			l.mu.Unlock()
			return who
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-deadline:
			t.Fatalf("no %d ticks within 30 s", n)
		}
	}
}

type process struct {
	*Sources
	cancel  context.CancelFunc
	ended   chan struct{}
	cluster *kafka.Cluster
}

func run(t *testing.T, c *kafka.Cluster, name, topic string, ticks *tickLog) *process {
	t.Helper()
	s, err := New(Config{
		Cluster: c, Topic: topic, Group: topic,
		Sender: SenderFunc(func(context.Context, Target, *event.Message) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.setSession(6 * time.Second) // the least that Kafka takes
	s.fired = func(_ *entry, tick time.Time) { ticks.add(name, tick.UTC()) }
	if err := s.Apply([]Ping{{Namespace: "n", Name: "p", Schedule: "* * * * * *"}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{Sources: s, cancel: cancel, ended: make(chan struct{}), cluster: c}
	go func() {
		defer close(p.ended)
		if err := s.Run(ctx); err != nil {
			t.Errorf("run ended with %v", err)
		}
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	p.cancel()
	<-p.ended
}

// Two processes, one of them fires; when it goes the other does: every tick at
// most once, and at most those of the change of owner are missing.
func TestOneOfTwoFires(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		topic := kafkatest.Name(t)
		ticks := &tickLog{fired: map[time.Time][]string{}, more: make(chan struct{}, 1)}
		processes := map[string]*process{}
		processes["a"] = run(t, open(), "a", topic, ticks)
		ticks.await(t, 1)
		processes["b"] = run(t, open(), "b", topic, ticks)
		for deadline := time.Now().Add(20 * time.Second); !bothIn(processes); {
			if time.Now().After(deadline) {
				t.Fatalf("states %s and %s", processes["a"].Status().State, processes["b"].Status().State)
			}
			ticks.await(t, len(ticks.snapshot())+1)
		}
		owner := ticks.await(t, len(ticks.snapshot())+2)
		processes[owner].stop()
		stopped := len(ticks.snapshot())
		if next := ticks.await(t, stopped+2); next == owner {
			t.Errorf("%s fires after it was stopped", next)
		}
		for tick, who := range ticks.snapshot() {
			if len(who) != 1 {
				t.Errorf("tick %s was fired by %v", tick.Format(time.TimeOnly), who)
			}
		}
	})
}

func bothIn(processes map[string]*process) bool {
	states := []string{processes["a"].Status().State, processes["b"].Status().State}
	text := strings.Join(states, " ")
	return text == "Owner Standby" || text == "Standby Owner"
}

func (l *tickLog) snapshot() map[time.Time][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[time.Time][]string, len(l.fired))
	for tick, who := range l.fired {
		all[tick] = append([]string(nil), who...)
	}
	return all
}

// A lease of an older generation is refused, and its commit changes nothing.
func TestLeaseIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		c, topic := open(), kafkatest.Name(t)
		ticks := &tickLog{fired: map[time.Time][]string{}, more: make(chan struct{}, 1)}
		run(t, c, "a", topic, ticks)
		ticks.await(t, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		old := &groupLease{cluster: c, topic: topic, member: kafka.Member{Group: topic, ID: "somebody", Generation: 1}}
		tick := time.UnixMilli(1)
		if err := old.Commit(ctx, tick); err == nil || !strings.Contains(err.Error(), kafka.ErrFenced.Error()) {
			t.Errorf("a foreign commit: %v", err)
		}
		last, err := old.Last(ctx)
		if err != nil || last.Equal(tick) || time.Since(last) > time.Minute {
			t.Errorf("last tick %v, %v", last, err)
		}
	})
}

// Without sources nothing is created and no group is joined.
func TestIdleStaysAwayFromKafka(t *testing.T) {
	c := kafka.Open(kafka.Options{Brokers: []string{"127.0.0.1:1"}})
	defer c.Close()
	s, err := New(Config{Cluster: c, Sender: SenderFunc(nil)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if err := s.Apply([]Ping{{Namespace: "n", Name: "p"}}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); s.Status().LastError != "topic kurier-sources cannot be checked: Kafka at 127.0.0.1:1: connection refused" &&
		s.Status().LastError != "connection refused"; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("status %+v", s.Status())
		}
	}
	if err := s.Apply(nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Status().State != Idle; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("status %+v", s.Status())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNewRejectsBadConfigs(t *testing.T) {
	c := kafka.Open(kafka.Options{Brokers: []string{"127.0.0.1:1"}})
	defer c.Close()
	sender := SenderFunc(nil)
	for field, cfg := range map[string]Config{
		"Cluster": {Sender: sender}, "Sender": {Cluster: c}, "Drain": {Cluster: c, Sender: sender, Drain: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
