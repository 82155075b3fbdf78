package embedded

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// expire removes settled events that are older than their topic keeps them.
func (k *keeper) expire(ctx context.Context, logs []log) error {
	byAge := map[time.Duration][]log{}
	for _, l := range logs {
		if l.retention >= 0 && l.removable(l.end) > l.start {
			byAge[l.retention] = append(byAge[l.retention], l)
		}
	}
	for age, list := range byAge {
		if err := k.remove(ctx, list, age); err != nil {
			return err
		}
	}
	return nil
}

// free removes settled events, oldest first, until enough space is free. Events
// of topics without a group belong to somebody else and stay.
func (k *keeper) free(ctx context.Context, logs []log, used int64) (int64, error) {
	for _, age := range ages {
		var list []log
		for _, l := range logs {
			if l.grouped && l.removable(l.end) > l.start {
				list = append(list, l)
			}
		}
		if len(list) == 0 {
			break
		}
		if err := k.remove(ctx, list, age); err != nil {
			return used, err
		}
		var err error
		if used, err = k.measure(logs); err != nil || !k.above(used, freeBelow) {
			return used, err
		}
	}
	return used, nil
}

// remove deletes what is removable and older than age.
func (k *keeper) remove(ctx context.Context, logs []log, age time.Duration) error {
	young := map[place]int64{}
	if age > 0 {
		var err error
		if young, err = k.offsetsAt(ctx, logs, time.Now().Add(-age)); err != nil {
			return err
		}
	}
	for _, l := range logs {
		first, ok := young[l.place]
		if !ok {
			first = math.MaxInt64
		}
		if to := l.removable(first); to > l.start {
			if err := k.b.cluster.DeleteRecords(l.topic, l.partition, to); err != nil {
				k.b.logger.Debug("embedded broker: removing settled events", "topic", l.topic, "partition", l.partition, "error", err)
			}
		}
	}
	return nil
}

// offsetsAt finds the first record of each log that is not older than at; logs
// without one are left out.
func (k *keeper) offsetsAt(ctx context.Context, logs []log, at time.Time) (map[place]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	topics := map[string]int{}
	for _, l := range logs {
		i, ok := topics[l.topic]
		if !ok {
			i = len(req.Topics)
			topics[l.topic] = i
			topic := kmsg.NewListOffsetsRequestTopic()
			topic.Topic = l.topic
			req.Topics = append(req.Topics, topic)
		}
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition = l.partition
		partition.Timestamp = at.UnixMilli()
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, partition)
	}
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	found := map[place]int64{}
	for _, topic := range resp.Topics {
		for _, partition := range topic.Partitions {
			at := place{topic.Topic, partition.Partition}
			switch {
			case partition.ErrorCode != 0:
				found[at] = 0 // not known: everything stays
			case partition.Offset >= 0:
				found[at] = partition.Offset
			}
		}
	}
	return found, nil
}

// admit refuses new events while the space is used up, and lets them in again.
func (k *keeper) admit(logs []log, used int64) {
	var refuse []string // topics; nil: nothing; {""}: everything
	switch {
	case k.above(used, refuseAllAbove):
		refuse = []string{""}
	case k.above(used, refuseAbove), k.faults != nil && k.above(used, admitBelow):
		refuse = groupedTopics(logs)
	}
	was, now := k.faults != nil, len(refuse) > 0
	if what := strings.Join(refuse, "\n"); what != k.refusing || was != now {
		k.refuse(refuse)
		k.refusing = what
	}
	k.mu.Lock()
	k.last.Full = now
	k.mu.Unlock()
	switch {
	case now && !was:
		k.b.logger.Warn("embedded broker is full", "reason", k.fullText(logs, used))
	case was && !now:
		k.b.logger.Info("embedded broker: there is room again, events are accepted", "bytes", used)
	}
}

func groupedTopics(logs []log) []string {
	var topics []string
	for _, l := range logs {
		if l.grouped && (len(topics) == 0 || topics[len(topics)-1] != l.topic) {
			topics = append(topics, l.topic) // a topic's partitions lie together
		}
	}
	return topics
}

// refuse makes the broker answer produce requests to the topics with an error
// that clients do not retry.
func (k *keeper) refuse(topics []string) {
	if k.faults != nil {
		k.faults.Remove()
		k.faults = nil
	}
	faults := make([]kfake.Fault, len(topics))
	for i, topic := range topics {
		faults[i] = kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.PolicyViolation, Count: -1}
	}
	if len(faults) > 0 {
		k.faults = k.b.cluster.Fault(faults...)
	}
}

// fullText says what fills the space, and who has not taken it.
func (k *keeper) fullText(logs []log, used int64) string {
	var worst log
	for _, l := range logs {
		if l.bytes > worst.bytes {
			worst = l
		}
	}
	text := fmt.Sprintf("%d of %d bytes (DATA_MAX_BYTES) are used by events that are not delivered yet: new events are refused with 503; most are in topic %s",
		used, k.b.o.MaxBytes, worst.topic)
	if worst.holder != "" {
		text += fmt.Sprintf(", where group %s is behind", worst.holder)
	}
	return text + "; repair the subscriber, raise DATA_MAX_BYTES, or remove the data folder"
}

// resize adapts the size of the logs' files to the number of partitions.
func (k *keeper) resize(ctx context.Context, partitions int) error {
	wanted := segmentBytes(k.b.o.MaxBytes, partitions)
	if wanted*2 > k.segment && wanted < k.segment*2 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeBroker
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "log.segment.bytes", kmsg.StringPtr(fmt.Sprint(wanted))
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return err
	}
	for _, answer := range resp.Resources {
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return err
		}
	}
	k.segment = wanted
	return nil
}
