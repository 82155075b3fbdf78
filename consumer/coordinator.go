package consumer

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// coordinator talks to the group's coordinator through the client for commits,
// which fetches no records: on the group's own client a commit would wait for
// the end of a fetch. Its methods block for the client's timeouts.
type coordinator struct {
	clients      func() (sarama.Client, error)
	group, topic string
}

// member is this process's place in the group.
type member struct {
	id         string
	generation int32
}

// broker is the coordinator's connection.
func (c *coordinator) broker() (sarama.Client, *sarama.Broker, error) {
	client, err := c.clients()
	if err != nil {
		return nil, nil, err
	}
	b, err := client.Coordinator(c.group)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the coordinator of group %s: %w", c.group, err)
	}
	if err := b.Open(client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return nil, nil, err
	}
	return client, b, nil
}

// refresh finds the coordinator anew at the next use.
func (c *coordinator) refresh() {
	if client, err := c.clients(); err == nil {
		_ = client.RefreshCoordinator(c.group) // reported by the next use
	}
}

// commit sends one fenced commit for all partitions. The error concerns all of
// them; the map has an entry for each refused one.
func (c *coordinator) commit(m member, positions []told, metadata bool) (map[int32]error, error) {
	_, b, err := c.broker()
	if err != nil {
		return nil, err
	}
	req := &sarama.OffsetCommitRequest{
		Version: 7, ConsumerGroup: c.group, ConsumerID: m.id, ConsumerGroupGeneration: m.generation,
	}
	for _, t := range positions {
		text := t.position.Metadata
		if !metadata {
			text = ""
		}
		req.AddBlockWithLeaderEpoch(c.topic, t.part.id, t.position.Offset, -1, 0, text)
	}
	resp, err := b.CommitOffset(req)
	if err != nil {
		return nil, err
	}
	refused := map[int32]error{}
	for _, t := range positions {
		kerr, known := resp.Errors[c.topic][t.part.id]
		switch {
		case !known:
			refused[t.part.id] = sarama.ErrIncompleteResponse
		case kerr != sarama.ErrNoError:
			refused[t.part.id] = kerr
		}
	}
	return refused, nil
}

// heartbeat asks whether this member still has its place. During a rebalance it
// has.
func (c *coordinator) heartbeat(m member) error {
	_, b, err := c.broker()
	if err != nil {
		return err
	}
	resp, err := b.Heartbeat(&sarama.HeartbeatRequest{
		Version: 3, GroupId: c.group, MemberId: m.id, GenerationId: m.generation,
	})
	switch {
	case err != nil:
		return err
	case resp.Err != sarama.ErrNoError && resp.Err != sarama.ErrRebalanceInProgress:
		return resp.Err
	}
	return nil
}

// committed reads a partition's committed offset, -1 when there is none, and
// its metadata.
func (c *coordinator) committed(partition int32) (int64, string, error) {
	client, b, err := c.broker()
	if err != nil {
		return 0, "", err
	}
	req := sarama.NewOffsetFetchRequest(client.Config().Version, c.group, map[string][]int32{c.topic: {partition}})
	resp, err := b.FetchOffset(req)
	if err != nil {
		return 0, "", err
	}
	block := resp.GetBlock(c.topic, partition)
	switch {
	case resp.Err == sarama.ErrGroupIDNotFound:
		return -1, "", nil
	case resp.Err != sarama.ErrNoError:
		return 0, "", resp.Err
	case block == nil:
		return 0, "", sarama.ErrIncompleteResponse
	case block.Err != sarama.ErrNoError:
		return 0, "", block.Err
	}
	return block.Offset, block.Metadata, nil
}

// logStart is the offset of a partition's first record.
func (c *coordinator) logStart(partition int32) (int64, error) {
	client, err := c.clients()
	if err != nil {
		return 0, err
	}
	return client.GetOffset(c.topic, partition, sarama.OffsetOldest)
}

// logRange is the offset of a partition's first record and of the next one.
func (c *coordinator) logRange(partition int32) (start, end int64, err error) {
	client, err := c.clients()
	if err != nil {
		return 0, 0, err
	}
	if start, err = client.GetOffset(c.topic, partition, sarama.OffsetOldest); err != nil {
		return 0, 0, err
	}
	end, err = client.GetOffset(c.topic, partition, sarama.OffsetNewest)
	return start, end, err
}

// topicID asks for the topic's id; zero when the brokers have none (before
// Kafka 2.8).
func (c *coordinator) topicID() ([16]byte, error) {
	_, b, err := c.broker()
	if err != nil {
		return [16]byte{}, err
	}
	resp, err := b.GetMetadata(&sarama.MetadataRequest{Version: 10, Topics: []string{c.topic}})
	if err != nil {
		return [16]byte{}, err
	}
	for _, t := range resp.Topics {
		if t.Name == c.topic {
			if t.Err != sarama.ErrNoError {
				return [16]byte{}, t.Err
			}
			return t.Uuid, nil
		}
	}
	return [16]byte{}, sarama.ErrUnknownTopicOrPartition
}
