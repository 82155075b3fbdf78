package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/kafkatest"
)

func TestDL42PinKinds(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 1)
		mustProduce(t, c, topic, 0, 5)
		rec := record(topic, "", "5")
		rec.Timestamp = time.Now().Add(time.Hour)
		if err := c.Produce(testContext(t), rec, nil); err != nil {
			t.Fatal(err)
		}
		for i, tc := range []struct {
			at   Initial
			want int64
		}{
			{Initial{}, 6},
			{Initial{Kind: Latest}, 6},
			{Initial{Kind: Earliest}, 0},
			{Initial{Kind: Timestamp, Time: time.Unix(0, 0)}, 0},
			{Initial{Kind: Timestamp, Time: time.Now().Add(time.Minute)}, 5},
			{Initial{Kind: Timestamp, Time: time.Now().Add(2 * time.Hour)}, 6},
		} {
			group := fmt.Sprint(topic, "-", i)
			if err := c.Pin(testContext(t), group, topic, tc.at); err != nil {
				t.Fatal(err)
			}
			if got := committedOf(mustState(t, c, group, topic)); !slices.Equal(got, []int64{tc.want}) {
				t.Errorf("%+v: committed %v, want %d", tc.at, got, tc.want)
			}
		}
	})
}

func TestDL42ExistingCommitsAreNeverMoved(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 2)
		mustProduce(t, c, topic, 0, 10)
		commitWith(t, c, topic, topic, map[int32]int64{0: 1}, "a map")
		for _, kind := range []InitialKind{Latest, Earliest, Latest} {
			if err := c.Pin(testContext(t), topic, topic, Initial{Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		state := mustState(t, c, topic, topic)
		if p := state.Partitions[0]; p.Committed != 1 || p.Metadata != "a map" {
			t.Errorf("a commit of our own was changed: %+v", p)
		}
		if p := state.Partitions[1]; p.Committed != p.End {
			t.Errorf("the other partition is not pinned to its end: %+v", p)
		}
	})
}

func commitWith(t *testing.T, c *Cluster, group, topic string, offsets map[int32]int64, metadata string) {
	t.Helper()
	_, err := ask(testContext(t), c, func(a *adminConn) (none struct{}, err error) {
		request := map[string]map[int32]sarama.OffsetAndMetadata{topic: {}}
		for partition, offset := range offsets {
			request[topic][partition] = sarama.OffsetAndMetadata{Offset: offset, Metadata: metadata, LeaderEpoch: -1}
		}
		_, err = a.AlterConsumerGroupOffsets(group, request, nil)
		return none, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An active group without commits is its members' business: the pin waits for
// them and does not move what they commit.
func TestDL42ActiveGroup(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 1)
		mustProduce(t, c, topic, 0, 3)
		commitNow := make(chan struct{})
		stop := join(t, c, topic, topic, commitNow)
		defer stop()
		if err := c.Pin(testContext(t), topic, topic, Initial{}); !errors.Is(err, ErrGroupActive) {
			t.Errorf("pin of an active group: %v", err)
		}
		pinned := make(chan error, 1)
		go func() { pinned <- c.Pin(testContext(t), topic, topic, Initial{}) }()
		close(commitNow)
		if err := <-pinned; err != nil {
			t.Errorf("pin after the member committed: %v", err)
		}
		state := mustState(t, c, topic, topic)
		if got := committedOf(state); !slices.Equal(got, []int64{1}) {
			t.Errorf("committed %v, want what the member committed", got)
		}
		if state.State != "Stable" || len(state.Members) != 1 || !slices.Equal(state.Members[0].Partitions, []int32{0}) ||
			state.Members[0].ClientID != "test" || state.Lag != 2 {
			t.Errorf("state of the active group: %+v", state)
		}
	})
}

// join joins the group, and commits offset 1 when told so.
func join(t *testing.T, c *Cluster, group, topic string, commitNow <-chan struct{}) (stop func()) {
	t.Helper()
	member, err := sarama.NewConsumerGroup(c.Brokers(), group, withDial(c))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	claimed := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for range member.Errors() {
		}
	})
	running.Go(func() {
		for ctx.Err() == nil {
			_ = member.Consume(ctx, []string{topic}, &joiner{claimed: claimed, commitNow: commitNow})
		}
	})
	<-claimed
	return func() {
		cancel()
		if err := member.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	}
}

func withDial(c *Cluster) *sarama.Config { return c.ConsumerConfig() }

type joiner struct {
	once      sync.Once
	claimed   chan struct{}
	commitNow <-chan struct{}
}

func (*joiner) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*joiner) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (j *joiner) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	j.once.Do(func() { close(j.claimed) })
	select {
	case <-j.commitNow:
		s.MarkOffset(claim.Topic(), claim.Partition(), 1, "")
		s.Commit()
	case <-s.Context().Done():
	}
	<-s.Context().Done()
	return nil
}

// Many processes pin at once while events are accepted: nothing accepted after
// the first pin returned is below a committed offset, ever.
func TestDL42NoAcceptedEventIsSkipped(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		clusters := []*Cluster{tg.open(t), tg.open(t), tg.open(t)}
		topic := mustTopic(t, clusters[0], 1)
		mustProduce(t, clusters[0], topic, 0, 1)
		for round := range 30 {
			group := topic + "-" + strconv.Itoa(round)
			var first atomic.Int64 // first offset accepted after a pin returned
			first.Store(-1)
			var all sync.WaitGroup
			for _, c := range clusters {
				all.Go(func() {
					if err := c.Pin(testContext(t), group, topic, Initial{}); err != nil {
						t.Error(err)
						return
					}
					rec := record(topic, "", "x")
					if err := c.Produce(testContext(t), rec, nil); err != nil {
						t.Error(err)
						return
					}
					for old := first.Load(); old < 0 || rec.Offset < old; old = first.Load() {
						if first.CompareAndSwap(old, rec.Offset) {
							break
						}
					}
				})
			}
			all.Wait()
			if got := mustState(t, clusters[0], group, topic).Partitions[0].Committed; got > first.Load() {
				t.Fatalf("round %d: committed %d, but offset %d was accepted after a pin", round, got, first.Load())
			}
		}
	})
}

func TestPinAllMany(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		var topics []TopicSpec
		var specs []PinSpec
		base := kafkatest.Name(t)
		for i := range 10 {
			topics = append(topics, TopicSpec{Name: fmt.Sprint(base, "-", i), Partitions: 3, Create: true})
			for j := range 15 {
				specs = append(specs, PinSpec{GroupTopic: GroupTopic{fmt.Sprint(base, "-", i, "-", j), topics[i].Name}})
			}
		}
		for name, result := range c.EnsureTopics(testContext(t), topics) {
			if result.Err != nil {
				t.Fatal(name, result.Err)
			}
		}
		missing := PinSpec{GroupTopic: GroupTopic{base, base + "-missing"}}
		begin := time.Now()
		results := c.PinAll(testContext(t), append(slices.Clone(specs), missing))
		t.Logf("%d groups pinned in %v", len(specs), time.Since(begin))
		if err := results[missing.GroupTopic]; !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			t.Errorf("a missing topic: %v", err)
		}
		var groups []GroupTopic
		for _, spec := range specs {
			if err := results[spec.GroupTopic]; err != nil {
				t.Errorf("%v: %v", spec.GroupTopic, err)
			}
			groups = append(groups, spec.GroupTopic)
		}
		begin = time.Now()
		states, err := c.Groups(testContext(t), append(groups, missing.GroupTopic))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d groups read in %v", len(groups), time.Since(begin))
		for _, group := range groups {
			if state := states[group]; !state.Pinned() || len(state.Partitions) != 3 || state.Lag != 0 {
				t.Errorf("%v: %+v", group, state)
			}
		}
		if state := states[missing.GroupTopic]; state.Err == nil || state.Pinned() {
			t.Errorf("a missing topic: %+v", state)
		}
	})
}
