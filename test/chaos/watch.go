package chaos

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/offsets"
)

// Watcher reads from Kafka, past the proxies, what Kurier does there.
type Watcher struct {
	History    *History
	Brokers    []string
	Partitions int
}

const (
	watchEvery  = 200 * time.Millisecond
	watchWithin = 3 * time.Second
)

// Run records the positions of all triggers' groups until ctx ends. Kafka may be away.
func (w *Watcher) Run(ctx context.Context) {
	client, err := w.client()
	if err != nil {
		return // its options are constant
	}
	defer client.Close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		for trigger := range w.History.Triggers {
			w.look(ctx, client, trigger)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watcher) client(options ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(w.Brokers...), kgo.MetadataMinAge(time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("configure a client: %w", err)
	}
	return client, nil
}

// look records the positions of one group. What fails is seen the next time.
func (w *Watcher) look(ctx context.Context, client *kgo.Client, trigger int) {
	ctx, cancel := context.WithTimeout(ctx, watchWithin)
	defer cancel()
	t := &w.History.Triggers[trigger]
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = t.Group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic = t.Topic
	for p := range w.Partitions {
		topic.Partitions = append(topic.Partitions, int32(p))
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if p.ErrorCode != 0 || p.Offset < 0 {
				continue
			}
			c := Commit{Trigger: trigger, Partition: p.Partition, Offset: p.Offset}
			if p.Metadata != nil {
				c.Metadata = *p.Metadata
			}
			w.History.Saw(c)
		}
	}
}

// Identify fetches the topics' ids, without which maps cannot be read.
func (w *Watcher) Identify(ctx context.Context) error {
	client, err := w.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for i, t := range w.History.Triggers {
		req := kmsg.NewPtrMetadataRequest()
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(t.Topic)
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(ctx, client)
		if err != nil || len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
			return fmt.Errorf("ask for the id of topic %s: %w, %+v", t.Topic, err, resp)
		}
		w.History.Topics[i] = offsets.HashTopic(resp.Topics[0].TopicID)
	}
	return nil
}

// ReadDead reads a trigger's dead letter topic to its end into the History.
func (w *Watcher) ReadDead(ctx context.Context, trigger int) error {
	topic := w.History.Triggers[trigger].Group + ".dead-letter"
	client, err := w.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	left, err := ends(ctx, client, topic, w.Partitions)
	if err != nil {
		return err
	}
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			for _, h := range r.Headers {
				if n, err := strconv.Atoi(string(h.Value)); h.Key == "ce_id" && err == nil {
					w.History.Bury(trigger, n)
				}
			}
		})
	}
	return nil
}

// ends counts a topic's records; nothing is ever deleted here.
func ends(ctx context.Context, client *kgo.Client, topic string, partitions int) (records int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = int32(p), -1
		t.Partitions = append(t.Partitions, one)
	}
	req.Topics = append(req.Topics, t)
	for _, shard := range client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return 0, fmt.Errorf("ask for the end of %s: %w", topic, shard.Err)
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return 0, fmt.Errorf("ask for the end of %s, partition %d: error %d", topic, p.Partition, p.ErrorCode)
				}
				records += p.Offset
			}
		}
	}
	return records, nil
}

// Drained tells whether every group's position is the end of its topic's log.
func (w *Watcher) Drained(ctx context.Context) error {
	var behind []string
	for trigger, t := range w.History.Triggers {
		left, err := w.Behind(ctx, trigger)
		if err != nil {
			return err
		}
		if left > 0 {
			behind = append(behind, fmt.Sprintf("%d of trigger %s", left, t.Name))
		}
	}
	if len(behind) > 0 {
		return fmt.Errorf("not settled: %v", behind)
	}
	return nil
}

// Behind counts the offsets between a group's position and the end of the log.
func (w *Watcher) Behind(ctx context.Context, trigger int) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	client, err := w.client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	end, err := ends(ctx, client, w.History.Triggers[trigger].Topic, w.Partitions)
	if err != nil {
		return 0, err
	}
	w.look(ctx, client, trigger)
	return end - w.History.positions(trigger), nil
}

// Coordinator is the node, from 0, that coordinates a trigger's group.
func (w *Watcher) Coordinator(ctx context.Context, trigger int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	client, err := w.client()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey = w.History.Triggers[trigger].Group
	req.CoordinatorKeys = []string{req.CoordinatorKey}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, fmt.Errorf("find the coordinator: %w", err)
	}
	node := resp.NodeID
	if len(resp.Coordinators) > 0 {
		node = resp.Coordinators[0].NodeID
	}
	if node < 1 || node > Nodes {
		return 0, fmt.Errorf("find the coordinator: node %d", node)
	}
	return int(node) - 1, nil
}
