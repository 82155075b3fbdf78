package kafka

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// DialFunc opens a connection to a broker. addr is host:port as the cluster
// advertises it.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Options describe one cluster. Brokers is required.
type Options struct {
	// Brokers are the bootstrap servers, host:port.
	Brokers []string
	// ClientID is the name that Kafka's logs and quotas see. Default "kurier".
	ClientID string
	// Dial opens connections; nil means TCP. The embedded broker hands in its own.
	Dial DialFunc
	// Logger gets what an operator should know; the Kafka client's own chatter
	// is logged at debug. nil discards.
	Logger *slog.Logger
	// TopicQueueRecords bounds the records of one topic that are in the producer
	// at a time; more wait in Produce. Default 1024.
	TopicQueueRecords int
	// UnavailableFor is how long a topic that Kafka called missing or forbidden
	// is refused without asking again. Default 1 s.
	UnavailableFor time.Duration
}

// TopicSpec is a topic as the manifests want it.
type TopicSpec struct {
	Name        string
	Partitions  int32             // 0: the cluster's default, and any number will do
	Replication int16             // 0: the cluster's default, and any number will do
	Config      map[string]string // topic properties, used when it is created
	Create      bool              // false: it must exist, nothing is created
}

// TopicInfo is a topic as Kafka has it.
type TopicInfo struct {
	Partitions      int32
	Replication     int16
	MaxMessageBytes int           // max.message.bytes; 0 when it may not be read
	Retention       time.Duration // retention.ms; negative: unlimited; 0 when it may not be read
	ID              [16]byte      // changes when a topic is deleted and created again; zero when the cluster has none
	Created         bool          // this call created it
	Warning         string        // a sentence with the way out when the topic works but is not what was asked for
}

// TopicResult is what EnsureTopics says of one topic: Info, or Err.
type TopicResult struct {
	Info TopicInfo
	Err  error // *TopicError, or the context's error
}

// InitialKind says where a group that never committed begins.
type InitialKind int

const (
	// Latest begins at the log's end as it is when the group is pinned.
	Latest InitialKind = iota
	// Earliest begins at the log's start.
	Earliest
	// Timestamp begins at the first record not older than Initial.Time.
	Timestamp
)

// Initial is where a group that never committed begins. The zero value is Latest.
type Initial struct {
	Kind InitialKind
	Time time.Time // for Timestamp alone
}

// GroupTopic names one consumer group on one topic.
type GroupTopic struct{ Group, Topic string }

// PinSpec is one group to pin with PinAll.
type PinSpec struct {
	GroupTopic
	At Initial
}

// GroupState is a consumer group on one topic as Kafka has it.
type GroupState struct {
	State      string           // Kafka's word: Stable, Empty, PreparingRebalance, CompletingRebalance, Dead; "" when it cannot be read
	Members    []GroupMember    // sorted by ID
	Partitions []PartitionState // by partition number
	Lag        int64            // sum over partitions of End less Committed
	Unpinned   []int32          // partitions without a commit
	Err        error            // why the state is incomplete; the rest is what is known
}

// Pinned reports whether every partition has a committed offset.
func (s GroupState) Pinned() bool {
	return s.Err == nil && len(s.Partitions) > 0 && len(s.Unpinned) == 0
}

// GroupMember is one member of a group.
type GroupMember struct {
	ID         string
	ClientID   string
	Host       string
	Partitions []int32 // of the asked topic
}

// PartitionState is one partition of a group's topic.
type PartitionState struct {
	Partition int32
	Start     int64 // first offset of the log
	End       int64 // offset the next record will get
	Committed int64 // -1: no commit
	Metadata  string
}

// TailKind says where Tail begins.
type TailKind int

const (
	// TailNewest shows what arrives from now on.
	TailNewest TailKind = iota
	// TailOldest begins at the log's start.
	TailOldest
	// TailLast begins so that the last TailFrom.N records of the topic are
	// shown first, counted over all partitions as evenly as they allow.
	TailLast
)

// TailFrom is where Tail begins. The zero value is the newest.
type TailFrom struct {
	Kind TailKind
	N    int // for TailLast
}
