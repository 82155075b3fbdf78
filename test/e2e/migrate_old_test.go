package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/harness"
)

// commit commits an offset without metadata, as an ordinary consumer does.
func (o *oldDataPlane) commit(group, topic string, partition int32, offset int64) {
	o.t.Helper()
	coordinator, err := o.client.Coordinator(group)
	if err != nil {
		o.t.Fatal(err)
	}
	request := &sarama.OffsetCommitRequest{Version: 7, ConsumerGroup: group, ConsumerGroupGeneration: sarama.GroupGenerationUndefined}
	request.AddBlockWithLeaderEpoch(topic, partition, offset, -1, 0, "")
	response, err := coordinator.CommitOffset(request)
	if err == nil && response.Errors[topic][partition] != sarama.ErrNoError {
		err = response.Errors[topic][partition]
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// committed is what a group has committed.
func (o *oldDataPlane) committed(group, topic string, partition int32) (offset int64, metadata string) {
	o.t.Helper()
	answer, err := o.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {partition}})
	if err != nil {
		o.t.Fatal(err)
	}
	block := answer.GetBlock(topic, partition)
	if block == nil || !errors.Is(block.Err, sarama.ErrNoError) {
		o.t.Fatalf("the commits of %s: %+v", group, block)
	}
	return block.Offset, block.Metadata
}

// find is the offset of the record of an event.
func (o *oldDataPlane) find(topic string, partition int32, id string) int64 {
	o.t.Helper()
	consumer, err := sarama.NewConsumerFromClient(o.client)
	if err != nil {
		o.t.Fatal(err)
	}
	defer consumer.Close()
	records, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		o.t.Fatal(err)
	}
	defer records.Close()
	for record := range records.Messages() {
		if idOf(record) == id {
			return record.Offset
		}
	}
	o.t.Fatalf("%s holds no record of %s", topic, id)
	return 0
}

func idOf(record *sarama.ConsumerMessage) string {
	for _, h := range record.Headers {
		if string(h.Key) == "ce_id" {
			return string(h.Value)
		}
	}
	return ""
}

// consuming is a dispatcher of the old data plane: an ordinary member of a group, which
// knows nothing of Kurier's metadata.
type consuming struct {
	group sarama.ConsumerGroup
	stops context.CancelFunc
	ended chan error
	mu    sync.Mutex
	seen  []string
}

func (o *oldDataPlane) consume(group, topic string) *consuming {
	o.t.Helper()
	member, err := sarama.NewConsumerGroup(o.bootstrap, group, plainConfig())
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &consuming{group: member, stops: cancel, ended: make(chan error, 1)}
	go func() {
		var err error
		for err == nil && ctx.Err() == nil {
			err = member.Consume(ctx, []string{topic}, c)
		}
		c.ended <- errors.Join(err, member.Close())
	}()
	o.t.Cleanup(cancel)
	return c
}

// Setup, Cleanup and ConsumeClaim are sarama's handler.
func (c *consuming) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *consuming) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *consuming) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case record, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			c.mu.Lock()
			c.seen = append(c.seen, idOf(record))
			c.mu.Unlock()
			session.MarkMessage(record, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

// ids are those of the records that it read.
func (c *consuming) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

func (c *consuming) await(t testing.TB, ids ...string) {
	t.Helper()
	harness.Eventually(t, harness.Wait, fmt.Sprintf("the old data plane to read %v", ids), func() error {
		seen := c.ids()
		for _, id := range ids {
			if !slices.Contains(seen, id) {
				return fmt.Errorf("it read %v", seen)
			}
		}
		return nil
	})
}

// stop leaves the group, with everything committed.
func (c *consuming) stop(t testing.TB) {
	t.Helper()
	c.stops()
	if err := <-c.ended; err != nil {
		t.Error(err)
	}
}
