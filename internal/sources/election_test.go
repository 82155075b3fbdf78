package sources

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/kafka/embedded"
	"kurier.dev/kurier/test/harness"
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

func (l *tickLog) snapshot() map[time.Time][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[time.Time][]string, len(l.fired))
	for tick, who := range l.fired {
		all[tick] = append([]string(nil), who...)
	}
	return all
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	harness.Holds(t, 30*time.Second, what, holds)
}

type process struct {
	*Sources
	cancel context.CancelFunc
	ended  chan struct{}
}

// run starts a process whose sources fire each second.
func run(t *testing.T, c *kafka.Cluster, name, namespace string, ticks *tickLog, sources ...string) *process {
	t.Helper()
	s, err := New(Config{
		Cluster: c,
		Sender:  SenderFunc(func(context.Context, Target, *event.Message) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.setSession(6 * time.Second) // the least that Kafka takes
	s.fired = func(_ *entry, tick time.Time) { ticks.add(name, tick.UTC()) }
	if err := s.Apply(eachSecond(namespace, sources...)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{Sources: s, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		if err := s.Run(ctx); err != nil {
			t.Errorf("run ended with %v", err)
		}
	}()
	t.Cleanup(p.stop)
	return p
}

func eachSecond(namespace string, sources ...string) (pings []Ping) {
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
		processes := map[string]*process{"a": run(t, open(), "a", namespace, ticks, "p")}
		ticks.await(t, 1)
		processes["b"] = run(t, open(), "b", namespace, ticks, "p")
		eventually(t, "one is the owner and the other is ready", func() bool {
			text := processes["a"].Status(namespace, "p").State + " " + processes["b"].Status(namespace, "p").State
			return text == "Owner Standby" || text == "Standby Owner"
		})
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

// Two installations with different manifests on one Kafka: both fire, each its
// own.
func TestInstallationsThatShareAKafka(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		namespace := kafkatest.Name(t)
		ticks := map[string]*tickLog{"staging": newTickLog(), "dev": newTickLog()}
		installations := map[string]*process{}
		for name, log := range ticks {
			installations[name] = run(t, open(), name, namespace, log, name)
		}
		for _, log := range ticks {
			log.await(t, 3)
		}
		for name, p := range installations {
			if status := p.Status(namespace, name); status.State != Owner || status.LastTick.IsZero() {
				t.Errorf("%s: %+v", name, status)
			}
		}
	})
}

// A source that is taken away leaves its group, one that comes joins its own, and
// one that stays keeps its place in its group.
func TestEachSourceHasAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		c, namespace, ticks := open(), kafkatest.Name(t), newTickLog()
		member := func(name string) string {
			group := kafka.GroupTopic{Group: key{namespace, name}.group(), Topic: defaultTopic}
			groups, err := c.Groups(t.Context(), []kafka.GroupTopic{group})
			if err != nil || len(groups[group].Members) == 0 {
				return ""
			}
			return groups[group].Members[0].ID
		}
		p := run(t, c, "a", namespace, ticks, "stays", "goes")
		owned := func(name string) func() bool {
			return func() bool { return p.Status(namespace, name).State == Owner }
		}
		eventually(t, "stays is owned", owned("stays"))
		eventually(t, "goes is owned", owned("goes"))
		stays := member("stays")
		if goes := member("goes"); stays == "" || goes == "" || stays == goes {
			t.Fatalf("members %q and %q", stays, goes)
		}
		if err := p.Apply(eachSecond(namespace, "stays", "comes")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "comes is owned", owned("comes"))
		eventually(t, "goes has left its group", func() bool { return member("goes") == "" })
		eventually(t, "goes is not known any more", func() bool { return p.Status(namespace, "goes").State == Idle })
		if now := member("stays"); now != stays {
			t.Errorf("stays was member %s and is %s", stays, now)
		}
		if err := p.Apply(eachSecond(namespace, "goes")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "goes is back", owned("goes"))
	})
}

// A lease of an older generation is refused, and its commit changes nothing.
func TestLeaseIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *kafka.Cluster) {
		c, k, ticks := open(), key{kafkatest.Name(t), "p"}, newTickLog()
		run(t, c, "a", k.namespace, ticks, k.name)
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

// Without Kafka a source says so in its status; all together they say it once in
// the log.
func TestKafkaIsAway(t *testing.T) {
	c := kafka.Open(kafka.Options{Brokers: []string{"127.0.0.1:1"}})
	defer c.Close()
	var log lines
	s, err := New(Config{Cluster: c, Sender: SenderFunc(nil), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprint("p", i)
	}
	if err := s.Apply(eachSecond("n", names...)); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		eventually(t, name+" says why it does not fire", func() bool {
			status := s.Status("n", name)
			return status.State == Connecting && strings.Contains(status.LastError, "connection refused")
		})
	}
	if err := s.Apply(nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		eventually(t, name+" ends", func() bool { return s.Status("n", name).State == Idle })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := log.String(); strings.Count(got, "\n") > 2 || !strings.Contains(got, "connection refused") { // from the topic, or from the group
		t.Errorf("log:\n%s", got)
	}
}

// lines is a log that goroutines share.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTroubleIsSaidOnceAMinute(t *testing.T) {
	var said trouble
	start := time.Now()
	for _, tc := range []struct {
		trouble string
		after   time.Duration
		news    bool
	}{
		{"refused", 0, true}, {"refused", 30 * time.Second, false}, {"denied", 30 * time.Second, true},
		{"refused", time.Minute, true}, {"denied", time.Minute, false}, {"denied", 2 * time.Minute, true},
	} {
		if got := said.isNews(tc.trouble, start.Add(tc.after)); got != tc.news {
			t.Errorf("%s after %s is news: %v", tc.trouble, tc.after, got)
		}
	}
	if len(said.said) != 1 {
		t.Errorf("it keeps what is over: %v", said.said)
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
