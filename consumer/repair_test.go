package consumer

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/offsets"
)

// A position that is not in the log is repaired at once; the other partitions
// of the group do not notice.
func TestOutOfRangeAtTheStart(t *testing.T) {
	for name, committed := range map[string]int64{"low": 10, "high": 5000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3)
			for p := range int32(3) {
				r.produce(p, 100, nil)
				r.commit("g", p, 60, "")
			}
			r.must(r.cluster.DeleteRecords(r.topic, 1, 50))
			r.commit("g", 1, committed, "")
			log := newCallLog()
			c := r.start(r.config("g", Ordered), log.handler(byPartition, settle))
			r.eventually("all there is is settled", func() bool { return log.count() == 40+50+40 })
			r.must(c.stop())
			if s := c.Stats(); s.OutOfRange != 1 || s.Rebalances != 1 {
				t.Errorf("%d resets in %d generations, want 1 in 1", s.OutOfRange, s.Rebalances)
			}
			if offset, _ := r.committed("g", 1); offset != 100 {
				t.Errorf("committed at %d, want 100", offset)
			}
		})
	}
}

// Beyond the end of an empty log nothing arrives, and the repaired position is
// committed all the same.
func TestOutOfRangeOfAnEmptyLogIsCommitted(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.commit("g", 0, 700, "")
	r.start(r.config("g", Ordered), settle)
	r.eventually("the log's start is committed", func() bool { offset, _ := r.committed("g", 0); return offset == 0 })
}

// Retention takes the records that a partition would read next, while it reads.
func TestOutOfRangeInMidSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.produce(0, 10, nil)
	r.produce(1, 10, nil)
	log := newCallLog()
	c := r.start(r.config("g", Ordered), log.handler(byPartition, settle))
	r.eventually("both are read", func() bool { return log.count() == 20 })
	// The offsets 10 to 19 are there and gone between two fetches.
	hold := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: r.topic, Partitions: []int32{0},
		Err: kerr.NotLeaderForPartition, Count: -1})
	r.must(hold.Wait(context.Background(), 1))
	r.produce(0, 10, nil)
	r.must(r.cluster.DeleteRecords(r.topic, 0, 15))
	r.produce(1, 10, nil)
	hold.Remove()
	r.eventually("what is left is read", func() bool { return log.count() == 20+5+10 })
	if s := c.Stats(); s.OutOfRange != 1 || s.Rebalances > 2 {
		t.Errorf("%d resets in %d generations, want 1 in at most 2", s.OutOfRange, s.Rebalances)
	}
}

// Metadata of another program means the frontier alone: a replay, never a loss.
func TestForeignMetadataIsAReplay(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.produce(0, 10, nil)
	r.commit("g", 0, 4, "written by someone else")
	log := newCallLog()
	c := r.start(r.config("g", Unordered), log.handler(nil, settle))
	r.eventually("the rest is settled", func() bool { return log.count() == 6 })
	if s := c.Stats(); s.Replays != 1 {
		t.Errorf("%d replays counted, want 1", s.Replays)
	}
}

// A topic that was deleted, made anew and filled beyond the old position begins
// at its start.
func TestATopicMadeAnewBeginsAtItsStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.produce(0, 30, nil)
	old := offsets.New(20)
	old.SetTopic(offsets.HashTopic([16]byte{1, 2, 3}))
	r.commit("g", 0, 20, old.Snapshot().Metadata)
	log := newCallLog()
	c := r.start(r.config("g", Ordered), log.handler(byPartition, settle))
	r.eventually("all of it is settled", func() bool { return log.count() == 30 })
	if s := c.Stats(); s.OutOfRange != 1 {
		t.Errorf("%d resets counted, want 1", s.OutOfRange)
	}
}

// Commits that Kafka refuses for a while are made later; nothing is lost, and
// the consumer does not die.
func TestRefusedCommitsAreRepeated(t *testing.T) {
	for _, refusal := range []*kerr.Error{
		kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID,
	} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1)
			r.produce(0, 10, nil)
			fault := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: refusal, Count: 3})
			log := newCallLog()
			c := r.start(r.config("g", Unordered), log.handler(nil, settle))
			r.must(fault.Wait(context.Background(), 3))
			r.eventually("the position is committed", func() bool { offset, _ := r.committed("g", 0); return offset == 10 })
			if s := c.Stats(); s.CommitFailures < 3 {
				t.Errorf("%d failures counted, want 3", s.CommitFailures)
			}
		})
	}
}

// A broker that takes less metadata gets the frontier, and shorter maps.
func TestAShorterMetadataLimitIsLearnt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.produce(0, 1000, nil)
	var mu sync.Mutex
	longest := 0
	r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.OffsetMetadataTooLarge, Count: -1,
		When: func(req kmsg.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			n := len(*req.(*kmsg.OffsetCommitRequest).Topics[0].Partitions[0].Metadata)
			if n <= 150 {
				longest = max(longest, n)
			}
			return n > 150
		}})
	log := newCallLog()
	c := r.start(r.config("g", Unordered), log.handler(nil, func(_ context.Context, d *Delivery) error {
		if d.Record.Offset*2654435761%97 < 30 && d.Attempts < 2 { // anywhere
			d.Attempts++
			return &Later{After: 20 * time.Millisecond}
		}
		return nil
	}))
	r.eventually("everything is settled", func() bool { return log.count() == 1000 })
	r.must(c.stop())
	if offset, _ := r.committed("g", 0); offset != 1000 {
		t.Errorf("committed at %d, want 1000", offset)
	}
	mu.Lock()
	defer mu.Unlock()
	if limit := c.committer.limit.Load(); limit >= 4096 || longest <= 64 {
		t.Errorf("the limit is %d and the longest map %d bytes, want some between 64 and 150", limit, longest)
	}
}

// While Kafka acknowledges nothing, nothing new is started; when it is back,
// everything goes on.
func TestNothingStartsWhileKafkaIsSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	silence := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit, kmsg.Heartbeat},
		Err: kerr.CoordinatorLoadInProgress, Count: -1, TopLevel: false})
	log := newCallLog()
	c := r.start(r.config("g", Unordered), log.handler(nil, settle))
	r.produce(0, 10, nil)
	r.must(silence.Wait(context.Background(), 4))
	if n := log.count(); n != 0 {
		t.Errorf("%d calls without a lease", n)
	}
	silence.Remove()
	r.eventually("everything is settled", func() bool { return log.count() == 10 })
	_ = c
}

// A topic that is deleted and made anew while it is read begins at its start.
func TestATopicMadeAnewWhileItIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.produce(0, 50, nil)
	r.produce(1, 50, nil)
	log := newCallLog()
	c := r.start(r.config("g", Ordered), log.handler(byPartition, settle))
	r.eventually("it is read", func() bool { return log.count() == 100 })
	r.must(r.cluster.DeleteTopic(r.topic))
	r.must(r.cluster.CreateTopic(r.topic, 2, nil))
	r.eventually("records can be written", func() bool {
		_, _, err := r.output.SendMessage(&sarama.ProducerMessage{Topic: r.topic, Partition: 0})
		return err == nil
	})
	r.produce(0, 9, nil)
	r.produce(1, 10, nil)
	r.eventually("the new records are read", func() bool { return log.callsOf(0, 9) == 2 && log.callsOf(1, 9) == 2 })
	r.eventually("the new positions are committed", func() bool {
		p, _ := r.committed("g", 0)
		q, _ := r.committed("g", 1)
		return p == 10 && q == 10
	})
	if s := c.Stats(); s.OutOfRange < 2 {
		t.Errorf("%d resets counted, want one of each partition", s.OutOfRange)
	}
}
