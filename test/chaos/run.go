package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// Variables that a run reads.
const (
	// EnvTime is how long faults are dealt, in Go's form; unset: shortRun.
	EnvTime = "KURIER_CHAOS_TIME"
	// EnvSeed plays the faults of an earlier run again.
	EnvSeed = "KURIER_CHAOS_SEED"
	// EnvRounds is how often TestChaosPinningRace races; unset: a few times, and a
	// hundred times beside a long run.
	EnvRounds = "KURIER_CHAOS_ROUNDS"
	// EnvRate is the number of events per second.
	EnvRate = "KURIER_CHAOS_RATE"
)

const (
	shortRun    = 60 * time.Second
	longRun     = 10 * time.Minute // from here the minima are asserted
	shortRate   = 300
	longRate    = 750
	settleWait  = 6 * time.Minute
	workers     = 96
	keysEach    = 2
	warmUp      = 2 * time.Second
	coolDown    = 3 * time.Second
	orderedRest = time.Millisecond
	keyedRest   = 10 * time.Millisecond
	freeRest    = 60 * time.Millisecond
)

// Run is one run of faults on a Kurier of its own.
type Run struct {
	t       testing.TB
	Seed    uint64
	Time    time.Duration
	History *History
	Kafka   *Kafka
	Fleet   *Fleet
	Watcher *Watcher
	subs    []*Subscriber
}

// setting reads a variable.
func setting[T any](t testing.TB, name string, otherwise T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := parse(text)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, text, err)
	}
	return value
}

func parseSeed(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

// NewRun starts everything and waits until it is ready. All ends with the test.
func NewRun(t testing.TB) *Run {
	t.Helper()
	r := &Run{t: t}
	r.Time = setting(t, EnvTime, shortRun, time.ParseDuration)
	r.Seed = setting(t, EnvSeed, rand.Uint64()%1e6, parseSeed)
	t.Logf("chaos: seed %d, %s; play it again with %s=%d %s=%s", r.Seed, r.Time, EnvSeed, r.Seed, EnvTime, r.Time)
	r.Kafka = StartKafka(t, receivers+dispatchers)
	namespace := harness.Namespace(t)
	r.History = NewHistory(triggers(namespace)...)
	r.Fleet = NewFleet(t, namespace, r.History.Triggers, receivers, dispatchers, r.Kafka.Bootstrap, nil)
	for i, rest := range []time.Duration{freeRest, orderedRest, keyedRest} {
		r.subs = append(r.subs, NewSubscriber(t, r.History, i, r.Seed, rest))
	}
	r.Fleet.Write(r.version(0))
	r.Fleet.Start()
	r.Watcher = &Watcher{History: r.History, Brokers: r.Kafka.Inside(), Partitions: Partitions}
	if err := r.Watcher.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// Play sends events and deals faults until the time is over, repairs everything, waits
// until every event is settled, and returns what Check says.
func (r *Run) Play() *Verdict {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { r.Watcher.Run(ctx) })

	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	var producing sync.WaitGroup
	producing.Go(r.producers(sending))
	Pass(ctx, warmUp)
	r.deal(ctx)
	Pass(ctx, coolDown)
	stopSending()
	producing.Wait()
	r.settle(ctx)
	cancel()
	background.Wait()
	for _, p := range r.Fleet.All() {
		p.Down()
	}
	return judge(r.t, r.History, r.Watcher, r.Fleet)
}

func (r *Run) producers(ctx context.Context) func() {
	perSecond := shortRate
	if r.Time >= longRun {
		perSecond = longRate
	}
	p := &Producers{History: r.History, Workers: workers, Keys: keysEach}
	p.Rate = float64(setting(r.t, EnvRate, perSecond, strconv.Atoi))
	for _, receiver := range r.Fleet.Receivers {
		p.URLs = append(p.URLs, receiver.Broker(r.Fleet.Namespace, "b"))
	}
	return func() { p.Run(ctx) }
}

// settle waits until every group's position is the end of the log.
func (r *Run) settle(ctx context.Context) {
	r.t.Helper()
	began := time.Now()
	for i, t := range r.History.Triggers {
		left, _ := r.Watcher.Behind(ctx, i)
		r.t.Logf("chaos: at the last event trigger %s is %d behind", t.Name, left)
	}
	harness.Eventually(r.t, settleWait, "every event to be settled", func() error {
		return r.Watcher.Drained(ctx)
	})
	r.t.Logf("chaos: everything was settled %s after the last event", time.Since(began).Round(time.Second))
}

// judge completes a History and checks it. Every violation fails the test.
func judge(t testing.TB, h *History, w *Watcher, f *Fleet) *Verdict {
	t.Helper()
	for i := range h.Triggers {
		if err := w.ReadDead(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
	if err := f.Recount(h); err != nil {
		t.Error(err)
	}
	return report(t, h)
}

// report checks a History. Every violation fails the test.
func report(t testing.TB, h *History) *Verdict {
	t.Helper()
	v := Check(h)
	for i, f := range v.Violations {
		if i == shownFindings {
			t.Errorf("… and %d more violations", len(v.Violations)-i)
			break
		}
		t.Error(f)
		if i < tracedFindings {
			t.Logf("around it:%s", Trace(h, &v.Violations[i]))
		}
	}
	return v
}

// How many violations are printed, and how many with what was around them.
const (
	shownFindings  = 25
	tracedFindings = 2
)

// fail reports an error of another goroutine.
func (r *Run) fail(format string, args ...any) { r.t.Errorf(format, args...) }
