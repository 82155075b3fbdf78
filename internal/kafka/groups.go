package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// Groups reads what Kafka knows of consumer groups: committed offsets, log
// ends, lag, members and whether the group is stable. The answer has every
// group; what could not be read of one is in its Err. The error is for all:
// Kafka unreachable, the context's, ErrClosed. It disturbs nobody.
func (c *Cluster) Groups(ctx context.Context, groups []GroupTopic) (map[GroupTopic]GroupState, error) {
	if len(groups) == 0 {
		return map[GroupTopic]GroupState{}, nil
	}
	return ask(ctx, c, func(a *adminConn) (map[GroupTopic]GroupState, error) { return a.groups(groups) })
}

func (a *adminConn) groups(groups []GroupTopic) (map[GroupTopic]GroupState, error) {
	topics, asked := map[string]bool{}, map[string]map[string][]int32{}
	for _, group := range groups {
		topics[group.Topic] = true
	}
	partitions, topicErrs := a.partitions(keys(topics))
	starts, startErr := a.listOffsets(partitions, sarama.OffsetOldest)
	ends, endErr := a.listOffsets(partitions, sarama.OffsetNewest)
	offsetErr := errors.Join(startErr, endErr)
	if unreachable(offsetErr) {
		return nil, offsetErr
	}
	for _, group := range groups {
		if asked[group.Group] == nil {
			asked[group.Group] = map[string][]int32{}
		}
		if list, ok := partitions[group.Topic]; ok {
			asked[group.Group][group.Topic] = list
		}
	}
	found, fetchErrs := a.committed(asked)
	described, describeErr := a.describeGroups(keys(asked))
	if unreachable(describeErr) {
		return nil, describeErr
	}
	states := make(map[GroupTopic]GroupState, len(groups))
	for _, group := range groups {
		state := stateOfGroup(described[group.Group], group.Topic)
		state.addPartitions(partitions[group.Topic], starts[group.Topic], ends[group.Topic], found[group.Group][group.Topic])
		state.Err = errors.Join(topicErrs[group.Topic], fetchErrs[group.Group])
		if described[group.Group] == nil {
			state.Err = errors.Join(state.Err, describeErr)
		}
		if len(ends[group.Topic]) < len(partitions[group.Topic]) {
			state.Err = errors.Join(state.Err, offsetErr)
		}
		states[group] = state
	}
	return states, nil
}

func (a *adminConn) describeGroups(names []string) (map[string]*sarama.GroupDescription, error) {
	descriptions, err := a.DescribeConsumerGroups(names)
	if err != nil {
		for _, name := range names { // the coordinator may have moved or died
			_ = a.client.RefreshCoordinator(name)
		}
		if descriptions, err = a.DescribeConsumerGroups(names); err != nil {
			return nil, err
		}
	}
	found := make(map[string]*sarama.GroupDescription, len(descriptions))
	for _, description := range descriptions {
		if description.Err != sarama.ErrNoError {
			err = errors.Join(err, description.Err)
			_ = a.client.RefreshCoordinator(description.GroupId)
			continue
		}
		found[description.GroupId] = description
	}
	return found, err
}

func stateOfGroup(description *sarama.GroupDescription, topic string) GroupState {
	if description == nil {
		return GroupState{}
	}
	state := GroupState{State: description.State}
	for id, member := range description.Members {
		m := GroupMember{ID: id, ClientID: member.ClientId, Host: member.ClientHost}
		if assignment, err := member.GetMemberAssignment(); err == nil && assignment != nil {
			m.Partitions = slices.Sorted(slices.Values(assignment.Topics[topic]))
		}
		state.Members = append(state.Members, m)
	}
	slices.SortFunc(state.Members, func(a, b GroupMember) int { return strings.Compare(a.ID, b.ID) })
	return state
}

// addPartitions fills in offsets. A partition without a commit counts whole:
// that is what a member would read.
func (s *GroupState) addPartitions(list []int32, starts, ends map[int32]int64, found map[int32]commit) {
	for _, partition := range slices.Sorted(slices.Values(list)) {
		p := PartitionState{Partition: partition, Start: starts[partition], End: ends[partition], Committed: -1}
		if at, ok := found[partition]; ok {
			p.Committed, p.Metadata = at.offset, at.metadata
		}
		if p.Committed < 0 {
			s.Unpinned = append(s.Unpinned, partition)
		}
		s.Lag += max(p.End-max(p.Committed, p.Start), 0)
		s.Partitions = append(s.Partitions, p)
	}
}
