package chaos

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// TestTheEmbeddedBrokerSurvivesKills: kurier dev, broker and all, dies by kill -9 in full
// load, again and again. No acknowledged event is lost, and no offset is used twice.
func TestTheEmbeddedBrokerSurvivesKills(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs the built binary")
	}
	namespace := harness.Namespace(t)
	h := NewHistory(trigger(namespace, "unordered", Unordered, retries), trigger(namespace, "ordered", Ordered, retries))
	p := &Process{t: t, Name: "dev", System: harness.NewDev(t, harness.Env{"LOG_FORMAT": "json", "PRODUCE_TIMEOUT": "PT5S"})}
	moor(t, p.System)
	fleet := &Fleet{Namespace: namespace, triggers: h.Triggers, Dispatchers: []*Process{p}}
	var specs []spec
	for i, trigger := range h.Triggers {
		sub := NewSubscriber(t, h, i, 1, time.Millisecond)
		specs = append(specs, spec{name: trigger.Name, order: trigger.Order, uri: sub.URL(), delivery: fmt.Sprintf(
			"{retry: %d, backoffPolicy: exponential, backoffDelay: PT0.05S, deadLetterSink: {uri: %q}}", retries, sub.Sink())})
	}
	fleet.Write(manifests(namespace, 4, 1, specs...))
	p.Up()
	p.AwaitReady(t)
	fleet.AwaitTriggers()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	producers := &Producers{History: h, Workers: 32, Keys: 4, Rate: 5000, URLs: []string{p.Broker(namespace, "b")}}
	sending.Go(func() { producers.Run(ctx) })
	const kills = 4
	for range kills {
		before, _ := h.Counts()
		harness.Eventually(t, harness.Wait, "500 more events", func() error {
			if now, _ := h.Counts(); now < before+500 {
				return fmt.Errorf("%d since the last kill", now-before)
			}
			return nil
		})
		whole := h.Break(KillDispatcher, "dev")
		p.Command.Kill()
		p.Up()
		p.AwaitReady(t)
		whole()
	}
	stop()
	sending.Wait()
	fleet.awaitLag(t)
	p.Down()
	if err := p.Recount(h); err != nil {
		t.Error(err)
	}
	v := report(t, h)
	offsetsOnce(t, h)
	t.Logf("%d events, %d kills, %d repeats", len(h.Events), kills, len(v.Repeats))
}

// awaitLag waits until the status says that nothing is left to settle, twice: figures may
// be a moment old.
func (f *Fleet) awaitLag(t *testing.T) {
	t.Helper()
	const figuresAge = time.Second
	began := time.Now()
	for _, trigger := range f.triggers {
		f.Dispatchers[0].AwaitStatus(t, "trigger/"+f.Namespace+"/"+trigger.Name, "without lag", func(o *harness.Object) bool {
			d := o.Status.Delivery
			return time.Since(began) > figuresAge && d.Lag != nil && *d.Lag == 0 && d.InFlight+d.Waiting+d.Held == 0
		})
	}
}

// offsetsOnce checks that no two events stand at one offset.
func offsetsOnce(t *testing.T, h *History) {
	t.Helper()
	type position struct {
		partition int32
		offset    int64
	}
	at := map[position]int{}
	for i := range h.Requests {
		r := &h.Requests[i]
		p := position{r.Partition, r.Offset}
		if event, ok := at[p]; ok && event != r.Event {
			t.Errorf("events %d and %d stand at %+v", event, r.Event, p)
			return
		}
		at[p] = r.Event
	}
}
