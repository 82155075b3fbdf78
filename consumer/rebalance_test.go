package consumer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JW-4: a partition is released within the time to drain while its Handler
// hangs, with a full backlog behind it; the one that stays is not interrupted.
func TestRevokeWithAHangingHandler(t *testing.T) {
	t.Parallel()
	r := newAnyRig(t, 2)
	for p := range int32(2) {
		r.produce(p, 5000, nil)
	}
	log := newCallLog()
	hang := log.handler(byPartition, func(ctx context.Context, d *Delivery) error {
		<-ctx.Done()
		return ctx.Err()
	})
	cfg := r.config(r.group, Ordered)
	first := r.start(cfg, hang)
	r.eventually("both partitions hang", func() bool { return first.Stats().InFlight == 2 })
	r.eventually("reading paused or all is buffered", func() bool { return first.Stats().Buffered > 1500 })

	joined := time.Now()
	var taken atomic.Int64
	second := r.start(cfg, log.handler(byPartition, func(context.Context, *Delivery) error {
		taken.CompareAndSwap(0, int64(time.Since(joined)))
		return nil
	}))
	r.eventually("the second consumer has a partition", func() bool { return taken.Load() > 0 })
	if s := first.Stats(); s.InFlight != 1 || len(s.Partitions) != 1 {
		t.Errorf("the first consumer has %d in flight on %v, want 1 on 1", s.InFlight, s.Partitions)
	}
	kept := first.Stats().Partitions[0]
	if n := log.callsOf(kept, 0); n != 1 {
		t.Errorf("the partition that stays was called %d times, want 1: undisturbed", n)
	}
	r.eventually("the second consumer settles its partition", func() bool { return second.Stats().Settled == 5000 })
	if len(log.overlap) > 0 {
		t.Errorf("overlapping: %v", log.overlap)
	}
	t.Logf("taken over after %s", time.Duration(taken.Load()))
}

// A partition that is taken away while its claim still asks Kafka where to begin is
// let go like any other: the group does not wait for its owner until that one is
// thrown out.
func TestRevokeOfAClaimThatHasNotBegun(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, kfake.NumBrokers(3))
	for p := range int32(2) { // apart from the group's, which has to answer
		r.must(r.cluster.MoveTopicPartition(r.topic, p, (r.cluster.CoordinatorFor(r.group)+1)%3))
	}
	answer := make(chan struct{})
	release := sync.OnceFunc(func() { close(answer) })
	defer release() // also when the test fails: the cluster waits for it
	asked := make(chan struct{}, 100)
	r.cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		r.cluster.SleepControl(func() { asked <- struct{}{}; <-answer })
		return nil, nil, false
	})
	first := r.start(r.config(r.group, Ordered), settle)
	<-asked
	r.eventually("the first is in the group", func() bool { return first.session.Load() != nil })
	session := first.session.Load()
	second := r.start(r.config(r.group, Ordered), settle)
	r.eventually("the first is told that it keeps one partition", func() bool { return first.Stats().Rebalances == 2 })
	release()
	r.eventually("each has one partition", func() bool {
		return len(first.Stats().Partitions) == 1 && len(second.Stats().Partitions) == 1
	})
	if first.session.Load() != session {
		t.Error("the first was thrown out of the group")
	}
}

// Consumers that join and leave share the partitions without overlap, lose
// nothing and repeat nothing that was settled.
func TestJoiningAndLeaving(t *testing.T) {
	t.Parallel()
	r := newAnyRig(t, 6)
	const each = 150
	for p := range int32(6) {
		r.produce(p, each, nil)
	}
	log := newCallLog()
	slow := log.handler(byPartition, func(ctx context.Context, d *Delivery) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
			return nil
		}
	})
	cfg := r.config(r.group, Ordered)
	first := r.start(cfg, slow)
	r.eventually("the first works", func() bool { return log.count() > 20 })
	second := r.start(cfg, slow)
	r.eventually("both have partitions", func() bool {
		return len(first.Stats().Partitions) == 3 && len(second.Stats().Partitions) == 3
	})
	for p := range int32(6) {
		r.produce(p, each, nil)
	}
	mark := log.count()
	r.eventually("both work", func() bool { return log.count() > mark+50 })
	r.must(first.stop())
	r.eventually("everything is settled", func() bool { return log.count() == 2*6*each })
	r.must(second.stop())
	log.mu.Lock()
	defer log.mu.Unlock()
	if len(log.overlap) > 0 {
		t.Errorf("overlapping: %v", log.overlap)
	}
	next := map[string]int{}
	for _, at := range log.order {
		var p, o int
		_, _ = fmt.Sscanf(at, "%d/%d", &p, &o)
		if o != next[fmt.Sprint(p)] {
			t.Fatalf("partition %d: %d came after %d", p, o, next[fmt.Sprint(p)]-1)
		}
		next[fmt.Sprint(p)] = o + 1
	}
	for at, n := range log.settled {
		if n != 1 {
			t.Errorf("%s was settled %d times", at, n)
		}
	}
}

// What is done beyond the frontier, and the attempts so far, survive.
func TestARestartSkipsWhatTheMapKnows(t *testing.T) {
	t.Parallel()
	r := newAnyRig(t, 1)
	r.produce(0, 100, nil)
	log := newCallLog()
	c := r.start(r.config(r.group, Unordered), log.handler(nil, func(_ context.Context, d *Delivery) error {
		if d.Record.Offset%10 == 0 {
			d.Attempts++
			return &Later{After: time.Hour}
		}
		return nil
	}))
	r.eventually("the healthy ones are settled", func() bool { return log.count() == 90 })
	r.must(c.stop())
	if offset, _ := r.committed(r.group, 0); offset != 0 {
		t.Errorf("committed at %d, want 0", offset)
	}
	var attempts atomic.Int64
	again := newCallLog()
	c = r.start(r.config(r.group, Unordered), again.handler(nil, func(_ context.Context, d *Delivery) error {
		attempts.Add(int64(d.Attempts))
		return nil
	}))
	r.eventually("the failed ones are settled", func() bool { return c.Stats().Settled == 10 })
	r.must(c.stop())
	if s := c.Stats(); s.Skipped != 90 || s.Settled != 10 {
		t.Errorf("%d skipped, %d settled, want 90 and 10", s.Skipped, s.Settled)
	}
	if n := attempts.Load(); n != 10 {
		t.Errorf("%d attempts are known, want 1 of each", n)
	}
	if offset, _ := r.committed(r.group, 0); offset != 100 {
		t.Errorf("committed at %d, want 100", offset)
	}
}

// A change of concurrency, order and settings reaches a running consumer, which
// does not leave the group for it.
func TestLiveChanges(t *testing.T) {
	t.Parallel()
	r := newAnyRig(t, 2)
	for p := range int32(2) {
		r.produce(p, 50, nil)
	}
	log := newCallLog()
	gate := make(chan struct{})
	cfg := r.config(r.group, Unordered)
	cfg.Concurrency = 4
	c := r.start(cfg, log.handler(nil, func(ctx context.Context, d *Delivery) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	r.eventually("the limit is reached", func() bool { return c.Stats().InFlight == 4 })
	c.SetConcurrency(10)
	r.eventually("the new limit is reached", func() bool { return c.Stats().InFlight == 10 })
	c.SetOrder(Ordered)
	r.eventually("one of each partition is in flight", func() bool {
		if c.Stats().InFlight == 2 {
			return true
		}
		gate <- struct{}{} // a partition goes on in order when its last call ended
		return false
	})
	log.most.Store(2)
	close(gate)
	r.eventually("everything is settled", func() bool { return log.count() == 100 })
	if n := log.most.Load(); n != 2 {
		t.Errorf("%d calls at once in ordered mode, want 2", n)
	}
	if n := c.Stats().Rebalances; n != 1 {
		t.Errorf("%d generations, want 1", n)
	}
}

// The end of Run lets calls in flight finish; Cut ends them.
func TestStopDrainsAndCutCuts(t *testing.T) {
	t.Parallel()
	r := newAnyRig(t, 1)
	r.produce(0, 3, nil)
	gate := make(chan struct{})
	c := r.start(r.config(r.group, Unordered), func(ctx context.Context, d *Delivery) error {
		if d.Record.Offset == 0 {
			<-gate
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	r.eventually("all are in flight", func() bool { return c.Stats().InFlight == 3 })
	c.end()
	close(gate)
	r.eventually("the first one finished", func() bool { return c.Stats().Settled == 1 })
	if len(c.done) > 0 {
		t.Fatal("Run returned with calls in flight")
	}
	c.Cut()
	r.must(c.stop())
	if offset, _ := r.committed(r.group, 0); offset != 1 {
		t.Errorf("committed at %d, want 1", offset)
	}
	if r.cluster != nil {
		if n := len(r.cluster.GroupInfo(r.group).Members); n != 0 {
			t.Errorf("%d members are left in the group", n)
		}
	}
	if !slices.Equal(c.Stats().Partitions, nil) {
		t.Errorf("partitions %v are still assigned", c.Stats().Partitions)
	}
}
