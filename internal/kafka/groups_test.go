package kafka

import (
	"slices"
	"testing"
)

func TestGroupWithoutCommits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 2)
		mustProduce(t, c, topic, 0, 7)
		state := mustState(t, c, topic, topic)
		if state.Pinned() || !slices.Equal(state.Unpinned, []int32{0, 1}) || state.Lag != 7 || state.State != "Dead" {
			t.Errorf("a group that never existed: %+v", state)
		}
		commitWith(t, c, topic, topic, map[int32]int64{1: 0}, "")
		state = mustState(t, c, topic, topic)
		if state.Pinned() || !slices.Equal(state.Unpinned, []int32{0}) || state.State != "Empty" {
			t.Errorf("a group pinned in part: %+v", state)
		}
	})
}

// Commits outside the log, as they remain after retention or a topic made anew.
func TestGroupLagStaysWithinTheLog(t *testing.T) {
	t.Parallel()
	var s GroupState
	s.addPartitions([]int32{2, 0, 1}, map[int32]int64{0: 10, 1: 0, 2: 5}, map[int32]int64{0: 30, 1: 4, 2: 9},
		map[int32]commit{0: {offset: 3}, 1: {offset: 99}, 2: {offset: -1}})
	if s.Lag != 20+0+4 || !slices.Equal(s.Unpinned, []int32{2}) || s.Partitions[0].Partition != 0 {
		t.Errorf("%+v", s)
	}
}
