package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

const (
	offsetTries = 5
	offsetPause = 100 * time.Millisecond
)

// topicOffsets is topic -> partition -> offset.
type topicOffsets map[string]map[int32]int64

func (o topicOffsets) set(topic string, partition int32, offset int64) {
	if o[topic] == nil {
		o[topic] = map[int32]int64{}
	}
	o[topic][partition] = offset
}

// partitions returns the partitions of each topic as Kafka has them now; what
// the client knew before is not trusted. Topics without an answer are in errs.
func (a *adminConn) partitions(topics []string) (all map[string][]int32, errs map[string]error) {
	all, errs = map[string][]int32{}, map[string]error{}
	refreshErr := a.client.RefreshMetadata(topics...)
	for _, topic := range topics {
		list, err := a.client.Partitions(topic)
		if err != nil {
			if !answered(err) && refreshErr != nil {
				err = refreshErr
			}
			errs[topic] = err
			continue
		}
		all[topic] = list
	}
	return all, errs
}

// listOffsets asks for the offset at a time (or sarama.OffsetNewest, -Oldest)
// of every partition given, one request for each leader. Partitions whose
// leader moves are asked again; an error means that some have no answer.
func (a *adminConn) listOffsets(partitions map[string][]int32, at int64) (topicOffsets, error) {
	wanted := topicOffsets{}
	for topic, list := range partitions {
		for _, partition := range list {
			wanted.set(topic, partition, at)
		}
	}
	found := topicOffsets{}
	var last error
	for try := 0; len(wanted) > 0; try++ {
		if try == offsetTries {
			return found, last
		}
		if try > 0 {
			<-time.After(offsetPause)
			_ = a.client.RefreshMetadata(keys(wanted)...)
		}
		answers, err := a.ListOffsets(wanted, nil)
		last = err
		for topic, list := range answers {
			for partition, answer := range list {
				if !errors.Is(answer.Err, sarama.ErrNoError) && answer.Err != nil {
					last = fmt.Errorf("offsets of %s/%d: %w", topic, partition, answer.Err)
					continue
				}
				found.set(topic, partition, answer.Offset)
				delete(wanted[topic], partition)
			}
			if len(wanted[topic]) == 0 {
				delete(wanted, topic)
			}
		}
	}
	return found, nil
}

// commit is one committed offset with its metadata; offset -1: none.
type commit struct {
	offset   int64
	metadata string
}

// commits is topic -> partition -> commit, with every partition asked for.
type commits map[string]map[int32]commit

// committed reads the offsets of many groups, with one request for each
// coordinator where the brokers can do that. A group that never existed has no
// commits. A group without an answer is in errs.
func (a *adminConn) committed(groups map[string]map[string][]int32) (all map[string]commits, errs map[string]error) {
	all, errs = map[string]commits{}, map[string]error{}
	// An error here means old brokers, or one group's trouble: then one by one.
	batch, _ := a.ListConsumerGroupOffsetsBatch(groups)
	for group, topics := range groups {
		blocks := blocksOf(batch[group])
		if blocks == nil {
			var err error
			if blocks, err = a.committedOne(group, topics); err != nil {
				errs[group] = fmt.Errorf("committed offsets of group %s: %w", group, err)
				continue
			}
		}
		offsets, err := readCommits(blocks, topics)
		if err != nil {
			errs[group] = fmt.Errorf("committed offsets of group %s: %w", group, err)
			continue
		}
		all[group] = offsets
	}
	return all, errs
}

type offsetBlocks map[string]map[int32]*sarama.OffsetFetchResponseBlock

// blocksOf returns nil when the answer is missing or an error.
func blocksOf(answer *sarama.OffsetFetchResponseGroup) offsetBlocks {
	switch {
	case answer == nil:
		return nil
	case answer.Err == sarama.ErrGroupIDNotFound, answer.Err == sarama.ErrNoError && answer.Blocks == nil:
		return offsetBlocks{}
	case answer.Err != sarama.ErrNoError:
		return nil
	}
	return answer.Blocks
}

func (a *adminConn) committedOne(group string, topics map[string][]int32) (offsetBlocks, error) {
	answer, err := a.ListConsumerGroupOffsets(group, topics)
	if errors.Is(err, sarama.ErrGroupIDNotFound) { // real Kafka answers "no commits" instead
		return offsetBlocks{}, nil
	}
	if err != nil {
		return nil, err
	}
	if one := answer.GetGroup(group); one != nil {
		return one.Blocks, nil
	}
	return answer.Blocks, nil
}

func readCommits(blocks offsetBlocks, topics map[string][]int32) (commits, error) {
	found := commits{}
	for topic, partitions := range topics {
		found[topic] = make(map[int32]commit, len(partitions))
		for _, partition := range partitions {
			block := blocks[topic][partition]
			switch {
			case block == nil:
				found[topic][partition] = commit{offset: -1}
			case block.Err != sarama.ErrNoError:
				return nil, fmt.Errorf("%s/%d: %w", topic, partition, block.Err)
			default:
				found[topic][partition] = commit{offset: block.Offset, metadata: block.Metadata}
			}
		}
	}
	return found, nil
}

// commitOffsets commits for a group without members. ErrGroupActive means that
// it has some.
func (a *adminConn) commitOffsets(group, topic string, offsets map[int32]int64) error {
	request := map[string]map[int32]sarama.OffsetAndMetadata{topic: {}}
	for partition, offset := range offsets {
		request[topic][partition] = sarama.OffsetAndMetadata{Offset: offset, LeaderEpoch: -1}
	}
	answer, err := a.AlterConsumerGroupOffsets(group, request, nil)
	if err != nil {
		return fmt.Errorf("commit for group %s: %w", group, err)
	}
	for partition, err := range answer.Errors[topic] {
		switch err {
		case sarama.ErrNoError:
		case sarama.ErrUnknownMemberId, sarama.ErrIllegalGeneration, sarama.ErrRebalanceInProgress, sarama.ErrFencedInstancedId:
			return fmt.Errorf("group %s: %w", group, ErrGroupActive)
		default:
			return fmt.Errorf("commit for group %s on %s/%d: %w", group, topic, partition, err)
		}
	}
	return nil
}

func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for key := range m {
		list = append(list, key)
	}
	return list
}
