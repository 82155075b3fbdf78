package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// ErrFenced is returned by CommitFenced when the member is not, or not yet, a
// member of the group's current generation: another process may own its
// partitions.
var ErrFenced = errors.New("the member does not belong to the group's current generation")

// Member is one member of a consumer group in one generation.
type Member struct {
	Group, ID  string
	Generation int32
}

// CommitFenced commits an offset with metadata in the name of a member, over
// the commit client, so that it does not wait behind a fetch. It returns nil
// when Kafka acknowledged it, ErrFenced when Kafka refused the member, and
// otherwise an error after which the commit may or may not have happened. Meant
// for rare commits of one partition.
func (c *Cluster) CommitFenced(ctx context.Context, m Member, topic string, partition int32, offset int64, metadata string) error {
	req := &sarama.OffsetCommitRequest{
		Version: 7, ConsumerGroup: m.Group, ConsumerID: m.ID, ConsumerGroupGeneration: m.Generation,
	}
	req.AddBlockWithLeaderEpoch(topic, partition, offset, -1, 0, metadata)
	_, err := askCoordinator(ctx, c, m.Group, func(b *sarama.Broker) (none struct{}, err error) {
		resp, err := b.CommitOffset(req)
		if err != nil {
			return none, err
		}
		if answer := resp.Errors[topic][partition]; answer != sarama.ErrNoError {
			return none, answer
		}
		return none, nil
	})
	switch {
	case errors.Is(err, sarama.ErrUnknownMemberId), errors.Is(err, sarama.ErrIllegalGeneration),
		errors.Is(err, sarama.ErrRebalanceInProgress), errors.Is(err, sarama.ErrFencedInstancedId):
		return fmt.Errorf("group %s: %w: %w", m.Group, ErrFenced, err)
	case err != nil:
		return fmt.Errorf("commit for group %s: %w", m.Group, err)
	}
	return nil
}

// Committed reads one committed offset and its metadata over the commit client;
// offset -1 means that there is none.
func (c *Cluster) Committed(ctx context.Context, group, topic string, partition int32) (offset int64, metadata string, err error) {
	wanted := map[string][]int32{topic: {partition}}
	found, err := askCoordinator(ctx, c, group, func(b *sarama.Broker) (commit, error) {
		resp, err := b.FetchOffset(sarama.NewOffsetFetchRequest(sarama.V2_8_0_0, group, wanted))
		if err != nil {
			return commit{}, err
		}
		blocks := offsetBlocks(resp.Blocks)
		switch resp.Err {
		case sarama.ErrNoError:
		case sarama.ErrGroupIDNotFound:
			blocks = nil
		default:
			return commit{}, resp.Err
		}
		offsets, err := readCommits(blocks, wanted)
		return offsets[topic][partition], err
	})
	if err != nil {
		return -1, "", fmt.Errorf("committed offset of group %s: %w", group, err)
	}
	return found.offset, found.metadata, nil
}

// askCoordinator runs fn with the group's coordinator; when it moved or its
// connection broke, once more.
func askCoordinator[T any](ctx context.Context, c *Cluster, group string, fn func(*sarama.Broker) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	out := make(chan result, 1)
	err := c.start(func() {
		var r result
		for try := 0; try < 2; try++ {
			if r.value, r.err = tryCoordinator(c, group, fn); r.err == nil || !movedOrBroken(r.err) {
				break
			}
		}
		out <- r
	})
	var none T
	if err != nil {
		return none, err
	}
	select {
	case r := <-out:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func tryCoordinator[T any](c *Cluster, group string, fn func(*sarama.Broker) (T, error)) (value T, err error) {
	client, err := c.CommitClient()
	if err != nil {
		return value, err
	}
	broker, err := client.Coordinator(group)
	if err != nil {
		return value, err
	}
	_ = broker.Open(client.Config()) // already open is fine
	if value, err = fn(broker); err != nil && movedOrBroken(err) {
		if !answered(err) {
			_ = broker.Close()
		}
		_ = client.RefreshCoordinator(group) // an error comes again in the next try
	}
	return value, err
}

// movedOrBroken reports whether asking the coordinator anew can help at once.
func movedOrBroken(err error) bool {
	return !answered(err) || errors.Is(err, sarama.ErrNotCoordinatorForConsumer) ||
		errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable) || errors.Is(err, sarama.ErrOffsetsLoadInProgress)
}
