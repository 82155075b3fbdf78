package sources

import (
	"context"
	"log/slog"
	"maps"
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

func newTickLog() *tickLog {
	return &tickLog{fired: map[time.Time][]string{}, more: make(chan struct{}, 1)}
}

// shortSession is the shortest that Kafka takes.
const shortSession = 6 * time.Second

type process struct {
	*Sources
	cancel  context.CancelFunc
	ended   chan struct{}
	cluster *kafka.Cluster
}

// run starts a process with PingSources that fire each second, in a namespace of the test.
func run(t *testing.T, c *kafka.Cluster, name, namespace string, session time.Duration, ticks *tickLog, sources ...string) *process {
	t.Helper()
	s, err := New(Config{
		Cluster: c, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Sender: SenderFunc(func(context.Context, Target, *event.Message) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.setSession(session)
	s.fired = func(_ *entry, tick time.Time) { ticks.add(name, tick.UTC()) }
	if err := s.Apply(everySecond(namespace, sources...)); err != nil {
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

func everySecond(namespace string, sources ...string) (pings []Ping) {
	for _, name := range sources {
		pings = append(pings, Ping{Namespace: namespace, Name: name, Schedule: "* * * * * *"})
	}
	return pings
}

func (p *process) stop() {
	p.cancel()
	<-p.ended
}

// Two processes, one of them fires; when it goes the other does: every tick at
// most once, and at most those of the change of owner are missing.
func TestOneOfTwoFires(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		namespace, ticks := kafkatest.Name(t), newTickLog()
		processes := map[string]*process{}
		processes["a"] = run(t, open(), "a", namespace, shortSession, ticks, "p")
		ticks.await(t, 1)
		processes["b"] = run(t, open(), "b", namespace, shortSession, ticks, "p")
		for deadline := time.Now().Add(20 * time.Second); !bothIn(processes, namespace); {
			if time.Now().After(deadline) {
				t.Fatalf("states %s and %s", processes["a"].state(namespace), processes["b"].state(namespace))
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

func (p *process) state(namespace string) string {
	status, _ := p.Status(namespace, "p")
	return status.State
}

func bothIn(processes map[string]*process, namespace string) bool {
	text := processes["a"].state(namespace) + " " + processes["b"].state(namespace)
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
		c, k := open(), key{kafkatest.Name(t), "p"}
		ticks := newTickLog()
		run(t, c, "a", k.namespace, shortSession, ticks, k.name)
		ticks.await(t, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		old := &groupLease{cluster: c, topic: defaultTopic, member: kafka.Member{Group: k.group(), ID: "somebody", Generation: 1}}
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
	await := func(what string, done func(status Status, ok bool) bool) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
			status, ok := s.Status("n", "p")
			if done(status, ok) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: status %+v, %v", what, status, ok)
			}
		}
	}
	await("trouble", func(status Status, _ bool) bool { return strings.Contains(status.LastError, "connection refused") })
	if err := s.Apply(nil); err != nil {
		t.Fatal(err)
	}
	await("idle", func(_ Status, ok bool) bool { return !ok })
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

// Installations with different sources share a Kafka, and each of them fires its own. A
// process that has a source no more leaves its group and no other.
func TestInstallationsShareAKafka(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		const long = time.Minute // one who dies without leaving is a member for so long
		namespace, c := kafkatest.Name(t), open()
		staging, production := newTickLog(), newTickLog()
		a := run(t, c, "a", namespace, long, staging, "p", "r")
		run(t, open(), "b", namespace, long, production, "q")
		staging.await(t, 4)
		production.await(t, 2)
		if err := a.Apply(everySecond(namespace, "r")); err != nil {
			t.Fatal(err)
		}
		members := map[string]int{"p": 0, "q": 1, "r": 1}
		groups := make([]kafka.GroupTopic, 0, len(members))
		for name := range members {
			groups = append(groups, kafka.GroupTopic{Group: key{namespace, name}.group(), Topic: defaultTopic})
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(long / 2); ; <-tick.C {
			states, err := c.Groups(t.Context(), groups)
			if err != nil {
				t.Fatal(err)
			}
			left := map[string]int{}
			for name := range members {
				left[name] = len(states[kafka.GroupTopic{Group: key{namespace, name}.group(), Topic: defaultTopic}].Members)
			}
			if maps.Equal(left, members) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("members %v, want %v", left, members)
			}
		}
		staging.await(t, len(staging.snapshot())+2)
		if status, ok := a.Status(namespace, "p"); ok {
			t.Errorf("what was removed has status %+v", status)
		}
	})
}
