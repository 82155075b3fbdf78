package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// TestChaosPinningRace is DL-42: five dispatchers and two receivers start at once, events are
// sent from the first moment, and one dispatcher dies on its way into the group. No event
// that was accepted after the first Ready is skipped. A run of `make chaos` does it a
// hundred times.
func TestChaosPinningRace(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs a real Kafka and the built binary")
	}
	kafka := kafkatest.Shared(t)
	rounds := 3
	if d, err := time.ParseDuration(os.Getenv(EnvTime)); err == nil && d >= longRun {
		rounds = 100
	}
	rounds = setting(t, EnvRounds, rounds, strconv.Atoi)
	seed := setting(t, EnvSeed, rand.Uint64()%1e6, parseSeed)
	rng := rand.New(rand.NewPCG(seed, 3))
	skipped := 0
	for round := range rounds {
		skipped += pinOnce(t, kafka, rng, round)
		if t.Failed() {
			t.Fatalf("in round %d, seed %d", round, seed)
		}
	}
	t.Logf("%d rounds, seed %d; %d events were accepted before the first Ready and skipped", rounds, seed, skipped)
}

// pinOnce is one round. It returns how many events were skipped with right.
func pinOnce(t *testing.T, kafka *kafkatest.Cluster, rng *rand.Rand, round int) (skipped int) {
	t.Helper()
	namespace := fmt.Sprintf("%s-%d", harness.Namespace(t), round)
	h := NewHistory(trigger(namespace, "t", Unordered, retries))
	f := NewFleet(t, namespace, h.Triggers, 2, 5, func(int) string { return kafka.Bootstrap() }, nil)
	sub := NewSubscriber(t, h, 0, 1, 0)
	f.Write(manifests(namespace, 4, 1, spec{name: "t", uri: sub.URL(), delivery: "{retry: 4, backoffPolicy: linear, backoffDelay: PT0.05S}"}))
	for _, p := range f.All() {
		p.Up()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	producers := &Producers{History: h, Workers: 4, Keys: 2, Rate: 100, URLs: []string{
		f.Receivers[0].Broker(namespace, "b"), f.Receivers[1].Broker(namespace, "b"),
	}}
	running.Go(func() { producers.Run(ctx) })
	ready := Never
	first := make(chan struct{})
	running.Go(func() {
		defer close(first)
		ready = f.firstReady(ctx, h)
	})

	victim := f.Dispatchers[rng.IntN(len(f.Dispatchers))]
	Pass(ctx, time.Duration(rng.Int64N(int64(1500*time.Millisecond))))
	whole := h.Break(KillDispatcher, victim.Name)
	victim.Command.Kill()
	<-first
	whole()
	Pass(ctx, time.Second)
	cancel()
	running.Wait()

	w := &Watcher{History: h, Brokers: kafka.Brokers(), Partitions: 4}
	harness.Eventually(t, harness.Wait, "every event to be settled", func() error { return w.Drained(t.Context()) })
	for _, p := range f.All() {
		p.Command.Kill()
	}
	if err := w.ReadDead(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Recount(h); err != nil { // who had which partition: the victim may have had all
		t.Fatal(err)
	}
	for _, v := range Check(h).Violations {
		switch {
		case v.Violation == Lost && h.Events[v.Event].Acked < ready:
			skipped++
		default:
			t.Error(v, "first Ready at", moment(ready))
		}
	}
	return skipped
}

// firstReady is when any process says that the trigger is Ready.
func (f *Fleet) firstReady(ctx context.Context, h *History) Instant {
	ref := "trigger/" + f.Namespace + "/" + f.triggers[0].Name
	ready := func(p *Process) bool {
		o, err := p.Status(ref)
		return err == nil && o.Condition("Ready").Status == "True"
	}
	_ = harness.Until(harness.Wait, func() error {
		if ctx.Err() == nil && !slices.ContainsFunc(f.All(), ready) {
			return fmt.Errorf("nobody says that %s is Ready", ref)
		}
		return nil
	})
	return h.Now()
}
