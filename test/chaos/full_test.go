package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kurier.dev/kurier/test/harness"
)

// smallDisk mounts a file system of that many bytes; it ends with the test.
func smallDisk(t *testing.T, bytes int) (dir string, resize func(bytes int)) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, func(bytes int) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheEmbeddedBrokerSurvivesAFullDisk: the disk of kurier dev fills up with events that
// nobody takes; what is not stored is not acknowledged. It is killed, gets room, starts
// again, and delivers every event that was.
func TestTheEmbeddedBrokerSurvivesAFullDisk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs the built binary")
	}
	const tight, roomy = 4 << 20, 256 << 20
	dir, resize := smallDisk(t, tight)
	namespace := harness.Namespace(t)
	h := NewHistory(trigger(namespace, "t", Unordered, 0))
	p := &Process{t: t, Name: "dev", System: harness.NewDev(t, harness.Env{
		"LOG_FORMAT": "json", "PRODUCE_TIMEOUT": "PT2S", "DATA_DIR": dir, "DELIVERY_TIMEOUT": "PT1H",
	})}
	moor(t, p.System)
	fleet := &Fleet{Namespace: namespace, triggers: h.Triggers, Dispatchers: []*Process{p}}
	sub := NewSubscriber(t, h, 0, 1, 0)
	sub.Decide(func(r *http.Request, _ *Request) int {
		<-r.Context().Done()
		return 0
	})
	fleet.Write(manifests(namespace, 2, 1, spec{name: "t", uri: sub.URL(), delivery: "{retry: 0}"}))
	p.Up()
	p.AwaitReady(t)
	fleet.AwaitTriggers()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	producers := &Producers{History: h, Workers: 16, Keys: 4, Rate: 5000, Padding: 16 << 10, URLs: []string{p.Broker(namespace, "b")}}
	sending.Go(func() { producers.Run(ctx) })
	refused := func() (n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for i := range h.Events {
			if e := &h.Events[i]; e.Tries >= triesEach && e.Acked == Never {
				n++
			}
		}
		return n
	}
	harness.Eventually(t, harness.Wait, "the disk to be full", func() error {
		if n := refused(); n < 20 {
			return fmt.Errorf("%d events refused", n)
		}
		return nil
	})
	stop()
	sending.Wait()

	whole := h.Break(KillDispatcher, "dev")
	p.Command.Kill()
	resize(roomy)
	sub.Decide(func(*http.Request, *Request) int { return http.StatusAccepted })
	p.Up()
	p.AwaitReady(t)
	whole()
	again, stopAgain := context.WithTimeout(t.Context(), 2*time.Second)
	defer stopAgain()
	before, _ := h.Counts()
	producers.Rate = 100
	producers.Run(again)
	if after, _ := h.Counts(); after == before {
		t.Error("with room again, no event was accepted")
	}
	fleet.awaitLag(t)
	p.Down()
	if err := p.Recount(h); err != nil {
		t.Error(err)
	}
	report(t, h)
	offsetsOnce(t, h)
	t.Logf("%d events, %d refused", len(h.Events), refused())
}
