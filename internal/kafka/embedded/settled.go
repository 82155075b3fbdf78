package embedded

import (
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// defaultRetention is Kafka's, for topics that do not say otherwise.
const defaultRetention = 7 * 24 * time.Hour

// place is one partition.
type place struct {
	topic     string
	partition int32
}

// log is one partition's log as the check sees it.
type log struct {
	place
	start, end int64
	bytes      int64
	retention  time.Duration // negative: unlimited
	grouped    bool          // some group has committed on the topic
	settled    int64         // every group is done with what is below; end when there is no group
	holder     string        // the group that settled least
}

// removable is the offset up to which records may go, given the offset of the
// first record that must stay for its age. The last record of a log always
// stays: a broker that starts with an empty log begins at offset 0 again.
func (l log) removable(young int64) int64 {
	return max(l.start, min(young, l.settled, l.end-1))
}

// retentionOf reads a topic's own settings.
func retentionOf(configs map[string]*string) time.Duration {
	if policy := configs["cleanup.policy"]; policy != nil && !strings.Contains(*policy, "delete") {
		return -1
	}
	value := configs["retention.ms"]
	if value == nil {
		return defaultRetention
	}
	ms, err := strconv.ParseInt(*value, 10, 64)
	if err != nil || ms < 0 || ms > int64(1<<63-1)/int64(time.Millisecond) {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// settle fills in what the groups have settled. A group that has committed
// anything of a topic, or has a member that reads it, counts for all its
// partitions: where it has no commit nothing is settled.
func settle(logs []log, groups []*kfake.GroupInfo) {
	readers := map[string][]*kfake.GroupInfo{}
	for _, group := range groups {
		for topic := range topicsOf(group) {
			readers[topic] = append(readers[topic], group)
		}
	}
	for i := range logs {
		l := &logs[i]
		l.settled = l.end
		for _, group := range readers[l.topic] {
			l.grouped = true
			offset := l.start
			if commit, ok := group.Commits[l.topic][l.partition]; ok {
				offset = commit.Offset
			}
			if offset < l.settled || l.holder == "" {
				l.settled, l.holder = min(offset, l.settled), group.Group
			}
		}
	}
}

func topicsOf(group *kfake.GroupInfo) map[string]bool {
	topics := map[string]bool{}
	for topic, commits := range group.Commits {
		if len(commits) > 0 {
			topics[topic] = true
		}
	}
	for _, member := range group.Members {
		for _, topic := range member.SubscribedTopics {
			topics[topic] = true
		}
	}
	return topics
}

const (
	minSegment = 16 << 10
	maxSegment = 8 << 20
)

// segmentBytes chooses how large a file of a log may grow. Space is given back
// a whole file at a time, never the newest, so the files of all partitions
// together must be a small part of the bound; but not more than a few thousand
// of them may be open.
func segmentBytes(maxBytes int64, partitions int) int64 {
	if maxBytes <= 0 {
		return maxSegment
	}
	wanted := maxBytes / int64(8*max(partitions, 1))
	return max(minSegment, maxBytes/4096, min(wanted, maxSegment))
}
