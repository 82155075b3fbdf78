package consumer

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"kurier.dev/kurier/offsets"
)

// all are the partitions of these tests.
var all = []int32{0, 1, 2, 3, 4, 5}

// settledOnce checks that every record that was written was settled and committed, and
// called no more often than that.
func (f *flow) settledOnce(log *callLog, partitions []int32) {
	f.r.t.Helper()
	f.stop()
	for _, p := range partitions {
		end := f.r.cluster.PartitionInfo(f.r.topic, p).HighWatermark
		f.r.eventually("all is committed", func() bool { offset, _ := f.r.committed("g", p); return offset == end })
		for offset := range end {
			if n := log.callsOf(p, offset); n != 1 {
				f.r.t.Errorf("record %d of partition %d was called %d times, want 1", offset, p, n)
				break
			}
		}
	}
	if len(log.overlap) > 0 {
		f.r.t.Errorf("overlapping: %v", log.overlap)
	}
}

// TestLeadersMove: partitions change their leader while they are read, one by one and all
// at once. Nothing is lost, repeated or out of order, and the group notices nothing.
func TestLeadersMove(t *testing.T) {
	t.Parallel()
	r := newRig(t, int32(len(all)), kfake.NumBrokers(3))
	log := newCallLog()
	f := r.newFlow(all...)
	c := r.start(r.quick(), log.handler(byPartition, func(_ context.Context, d *Delivery) error {
		f.arrived(d.Record.Partition)
		return nil
	}))
	f.goesOn(t, all, 5)
	f.watch()
	for round := range int32(8) {
		if round%2 == 0 {
			r.cluster.ShufflePartitionLeaders()
		} else {
			for _, p := range all {
				r.must(r.cluster.MoveTopicPartition(r.topic, p, (r.cluster.LeaderFor(r.topic, p)+1)%3))
			}
		}
		f.goesOn(t, all, 5)
	}
	f.settledOnce(log, all)
	if s := c.Stats(); s.Rebalances != 1 || s.OutOfRange != 0 {
		t.Errorf("%d generations and %d positions repaired, want 1 and 0", s.Rebalances, s.OutOfRange)
	}
	t.Logf("the longest gap of a partition: %s", f.longest(all))
}

// TestTheCoordinatorMoves: the group gets another coordinator while it is at work, several
// times. Commits and heartbeats find it; nothing is lost, repeated or out of order.
func TestTheCoordinatorMoves(t *testing.T) {
	t.Parallel()
	r := newRig(t, int32(len(all)), kfake.NumBrokers(3))
	log := newCallLog()
	f := r.newFlow(all...)
	c := r.start(r.quick(), log.handler(byPartition, func(_ context.Context, d *Delivery) error {
		f.arrived(d.Record.Partition)
		return nil
	}))
	f.goesOn(t, all, 5)
	f.watch()
	for range 3 {
		for before := r.cluster.CoordinatorFor("g"); r.cluster.CoordinatorFor("g") == before; {
			r.cluster.RehashCoordinators()
		}
		acknowledged := c.Stats().LastCommit
		r.eventually("the new one acknowledges", func() bool { return c.Stats().LastCommit.After(acknowledged) })
		f.goesOn(t, all, 5)
	}
	f.settledOnce(log, all)
	s := c.Stats()
	t.Logf("the longest gap of a partition: %s; %d generations, %d commits failed", f.longest(all), s.Rebalances, s.CommitFailures)
	if s.State != StateAssigned || s.LastError != "" {
		t.Errorf("status is %s, %q", s.State, s.LastError)
	}
}

// TestPartitionsAreAdded: a topic gets more partitions while it is read. Records that are
// written to them before the group notices are not skipped: new partitions are read from
// their start, and the old ones go on.
func TestPartitionsAreAdded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	log := newCallLog()
	f := r.newFlow(0, 1)
	handler := log.handler(byPartition, func(_ context.Context, d *Delivery) error {
		f.arrived(d.Record.Partition)
		return nil
	})
	r.start(r.quick(), handler)
	r.start(r.quick(), handler)
	f.goesOn(t, []int32{0, 1}, 5)
	full := *r.base
	full.Metadata.Full = true // the controller is only known with it
	admin, err := sarama.NewClusterAdmin(r.brokers, &full)
	r.must(err)
	defer func() { _ = admin.Close() }()
	r.must(admin.CreatePartitions(r.topic, int32(len(all)), nil, false))
	added := all[2:]
	grown := *r
	grown.output, err = sarama.NewSyncProducerFromClient(r.client()) // one that knows them
	r.must(err)
	t.Cleanup(func() { _ = grown.output.Close() })
	for _, p := range added {
		grown.produce(p, 21, nil)
	}
	r.eventually("the new partitions are read", func() bool {
		for _, p := range added {
			if log.callsOf(p, 20) == 0 {
				return false
			}
		}
		return true
	})
	f.goesOn(t, []int32{0, 1}, 5)
	f.settledOnce(log, all)
}

// TestRevokeWithAFullWindow: a partition of an unordered consumer is taken away while its
// window is full of records that wait, and a hundred calls hang. It is released within the
// time to drain and what a rebalance takes; the next owner knows the attempts, and the
// calls of the partition that stays are not cut.
func TestRevokeWithAFullWindow(t *testing.T) {
	t.Parallel()
	const hanging, records = 50, 8000 // of each partition
	r := newRig(t, 2)
	r.produce(0, records, nil)
	r.produce(1, records, nil)
	var cut [2]atomic.Int64 // calls of each partition
	cfg := r.quick()
	cfg.Order, cfg.Concurrency = Unordered, 2*hanging+8
	first := r.start(cfg, func(ctx context.Context, d *Delivery) error {
		if d.Record.Offset < hanging {
			<-ctx.Done()
			cut[d.Record.Partition].Add(1)
			return ctx.Err()
		}
		d.Attempts++
		return &Later{After: time.Hour}
	})
	full := func() bool {
		s := first.Stats()
		return s.InFlight == 2*hanging && s.WindowFull && s.Waiting > 2000
	}
	r.eventually("the window is full and a hundred calls hang", full)
	waiting := first.Stats().Waiting
	for p := range int32(2) {
		r.eventually("the commit tells of the attempts", func() bool {
			offset, metadata := r.committed("g", p)
			known, err := offsets.Decode(offset, metadata, first.topicHash(t.Context()))
			return err == nil && known.Attempts(hanging) == 1
		})
	}

	joined := time.Now()
	taken := make(chan int, 1)
	second := r.start(cfg, func(ctx context.Context, d *Delivery) error {
		if d.Record.Offset == hanging {
			select {
			case taken <- d.Attempts:
			default:
			}
		}
		return nil
	})
	r.eventually("the next owner is at work", func() bool { return len(taken) > 0 })
	took := time.Since(joined)
	t.Logf("%d were waiting; the next owner was at work %s after it joined, %s to drain", waiting, took, cfg.DrainTimeout)
	const rebalance = 15 * time.Second // two generations on a busy machine
	if took > cfg.DrainTimeout+rebalance {
		t.Errorf("it took %s until the next owner was at work", took)
	}
	if n := <-taken; n != 1 {
		t.Errorf("the next owner knows of %d attempts, want 1", n)
	}
	r.eventually("the next owner settles all", func() bool { return second.Stats().Settled == records })
	kept := first.Stats().Partitions
	if len(kept) != 1 {
		t.Fatalf("the first consumer keeps %v, want one partition", kept)
	}
	if stays, left := cut[kept[0]].Load(), cut[1-kept[0]].Load(); stays != 0 || left != hanging {
		t.Errorf("%d calls of the partition that stays were cut, and %d of the other one, want 0 and %d", stays, left, hanging)
	}
}
