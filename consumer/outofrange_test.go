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

// TestOneOfTenIsOutOfRange: the position of one partition of ten is not in its log,
// below the log's start or beyond its end, at a start, on a partition that arrives by
// a rebalance, in mid-session and while the partition is paused. It goes on at the
// log's start; the other nine go on as if nothing were, and nobody joins again for it.
func TestOneOfTenIsOutOfRange(t *testing.T) {
	for when, play := range map[string]func(*ten){
		"at the start": (*ten).atTheStart, "by a rebalance": (*ten).byRebalance,
		"in mid-session": (*ten).inMidSession, "while paused": (*ten).whilePaused,
	} {
		for where, high := range map[string]bool{"low": false, "high": true} {
			t.Run(when+", "+where, func(t *testing.T) {
				t.Parallel()
				play(newTen(t, high))
			})
		}
	}
}

// ten is a topic of ten partitions, nine of which get a record all the time.
type ten struct {
	*rig
	high   bool
	log    *callLog
	flow   *flow
	others []int32

	mu   sync.Mutex
	hang chan struct{} // calls of the bad partition wait for it; nil: they do not
}

// bad is the partition that goes out of range, and badRecords what it has at first.
const (
	bad        = int32(7)
	badRecords = 60
	// gapMost is what a busy machine may make of a second.
	gapMost = 15 * time.Second
)

func newTen(t *testing.T, high bool) *ten {
	r := newRig(t, 10)
	x := &ten{rig: r, high: high, log: newCallLog()}
	for p := range int32(10) {
		if p != bad {
			x.others = append(x.others, p)
		}
	}
	r.produce(bad, badRecords, nil)
	x.flow = r.newFlow(x.others...)
	return x
}

// join starts a consumer.
func (x *ten) join() *running {
	return x.start(x.quick(), x.log.handler(byPartition, func(ctx context.Context, d *Delivery) error {
		x.mu.Lock()
		hang := x.hang
		x.mu.Unlock()
		if d.Record.Partition == bad && hang != nil {
			select {
			case <-hang:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		x.flow.arrived(d.Record.Partition)
		return nil
	}))
}

// hold makes calls of the bad partition wait until the release.
func (x *ten) hold() (release func()) {
	hang := make(chan struct{})
	x.mu.Lock()
	x.hang = hang
	x.mu.Unlock()
	return sync.OnceFunc(func() { close(hang) })
}

// wellAgain checks that the bad partition has come to the end of its log, that the
// others went on meanwhile, and that the consumer is in the same generation as
// before, or the next one.
func (x *ten) wellAgain(c *running, generations int64, others []int32) {
	x.t.Helper()
	x.eventually("the position is repaired", func() bool { return c.Stats().OutOfRange > 0 })
	x.flow.goesOn(x.t, others, 10)
	end := x.cluster.PartitionInfo(x.topic, bad).HighWatermark
	x.eventually("the partition is settled to its end", func() bool { offset, _ := x.committed("g", bad); return offset == end })
	x.produce(bad, 1, nil)
	x.eventually("it goes on", func() bool { return x.log.callsOf(bad, end) == 1 })
	s := c.Stats()
	if s.OutOfRange != 1 {
		x.t.Errorf("%d positions were repaired, want 1", s.OutOfRange)
	}
	if s.Rebalances > generations+1 {
		x.t.Errorf("%d generations, want at most %d", s.Rebalances, generations+1)
	}
	gap := x.flow.longest(others)
	x.t.Logf("the longest gap of another partition: %s", gap)
	if gap > gapMost {
		x.t.Errorf("another partition got nothing for %s", gap)
	}
}

// behind makes the committed position one that is not in the log: retention takes what is
// below the log's new start, or a commit of this member says more than there is.
func (x *ten) behind(owner *running) {
	if !x.high {
		x.must(x.cluster.DeleteRecords(x.topic, bad, badRecords/2))
	}
	offset := int64(badRecords / 4)
	if x.high {
		offset = 5000
	}
	if owner == nil {
		x.commit("g", bad, offset, "")
		return
	}
	co := coordinator{clients: func() (sarama.Client, error) { return x.admin, nil }, group: "g", topic: x.topic}
	x.eventually("the position is committed", func() bool {
		m, _ := owner.member() // its generation may just be changing
		refused, err := co.commit(m, []told{{part: &partition{id: bad}, position: offsets.Position{Offset: offset}}}, true)
		return err == nil && refused[bad] == nil
	})
}

func (x *ten) atTheStart() {
	x.behind(nil)
	c := x.join()
	x.wellAgain(c, 1, x.others)
}

func (x *ten) byRebalance() {
	first := x.join()
	x.eventually("the first has all", func() bool { return len(first.Stats().Partitions) == 10 })
	second := x.join()
	x.eventually("both have five", func() bool {
		return len(first.Stats().Partitions) == 5 && len(second.Stats().Partitions) == 5
	})
	stays, leaves := first, second
	for _, p := range first.Stats().Partitions {
		if p == bad {
			stays, leaves = second, first
		}
	}
	x.eventually("all is committed", func() bool { offset, _ := x.committed("g", bad); return offset == badRecords })
	others := stays.Stats().Partitions
	generations := stays.Stats().Rebalances
	x.behind(leaves)
	x.flow.watch()
	x.must(leaves.stop())
	x.eventually("the other one has all", func() bool { return len(stays.Stats().Partitions) == 10 })
	x.wellAgain(stays, generations+1, others) // one because a member left
}

func (x *ten) inMidSession() {
	c := x.join()
	x.eventually("all is committed", func() bool { offset, _ := x.committed("g", bad); return offset == badRecords })
	generations := c.Stats().Rebalances
	x.flow.watch()
	if x.high {
		x.cut(c, badRecords)
	} else {
		// The next records are there and gone between two fetches.
		hold := x.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: x.topic, Partitions: []int32{bad},
			Err: kerr.NotLeaderForPartition, Count: -1})
		x.must(hold.Wait(x.t.Context(), 1))
		x.produce(bad, 20, nil)
		x.must(x.cluster.DeleteRecords(x.topic, bad, badRecords+10))
		hold.Remove()
	}
	x.wellAgain(c, generations, x.others)
}

func (x *ten) whilePaused() {
	const many = 60_000 // more than is read, and fetched, of a partition that pauses
	release := x.hold()
	defer release()
	x.produce(bad, many, nil)
	c := x.join()
	paused := func() bool {
		c.engine.mu.Lock()
		defer c.engine.mu.Unlock()
		p := c.engine.parts[bad]
		return p != nil && p.paused && p.inFlight == 1
	}
	x.eventually("reading is paused", paused)
	x.flow.goesOn(x.t, x.others, 1)
	generations := c.Stats().Rebalances
	x.flow.watch()
	if x.high {
		x.cut(c, 1000)
	} else {
		x.must(x.cluster.DeleteRecords(x.topic, bad, many-10))
	}
	x.flow.goesOn(x.t, x.others, 10)
	if s := c.Stats(); s.OutOfRange != 0 || !paused() {
		x.t.Errorf("%d positions repaired while nothing was read", s.OutOfRange)
	}
	release()
	x.wellAgain(c, generations, x.others)
}

// cut makes the cluster answer as after an unclean election: the bad partition's log
// ends below what is fetched at from and beyond, until the consumer has noticed.
func (x *ten) cut(c *running, from int64) {
	x.cluster.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		x.cluster.KeepControl()
		asked := req.(*kmsg.ListOffsetsRequest)
		if c.outOfRange.Load() > 0 || len(asked.Topics) != 1 || len(asked.Topics[0].Partitions) != 1 ||
			asked.Topics[0].Partitions[0].Partition != bad || asked.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		resp := asked.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = x.topic
		answer := kmsg.NewListOffsetsResponseTopicPartition()
		answer.Partition, answer.Offset = bad, from/2
		topic.Partitions = append(topic.Partitions, answer)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	x.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: x.topic, Partitions: []int32{bad},
		Err: kerr.OffsetOutOfRange, Count: -1,
		When: func(req kmsg.Request) bool {
			for _, topic := range req.(*kmsg.FetchRequest).Topics {
				for _, p := range topic.Partitions {
					if p.Partition == bad && p.FetchOffset >= from {
						return c.outOfRange.Load() == 0
					}
				}
			}
			return false
		}})
}
