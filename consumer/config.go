package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
)

// Defaults of Config, and the limits that are not configurable.
const (
	defaultConcurrency   = 100
	defaultDrainTimeout  = 3 * time.Second
	defaultBufferBytes   = 64 << 20
	defaultMetadataLimit = 4096
	minMetadataLimit     = 64
)

// Config says what to consume and how.
type Config struct {
	// Brokers are the bootstrap addresses, host:port. Required.
	Brokers []string
	// Sarama is the base configuration (connection, security, version). New
	// clones it and sets what concerns the group. Required.
	Sarama *sarama.Config
	// Commits gives the client for fenced commits and offset fetches. It is
	// shared by many consumers, never used for fetching records, and asked for
	// again after a failure, so it may be re-made in between. The consumer does
	// not close it. Required.
	Commits func() (sarama.Client, error)
	// Group and Topic name the consumer group and the one topic it reads.
	// Required.
	Group, Topic string
	// Order is the order to start with; see SetOrder.
	Order Order
	// Concurrency is the most Handlers that run at once, all partitions
	// together. 0 means 100.
	Concurrency int
	// DrainTimeout is what calls in flight get when their partition is taken
	// away, before their ctx ends. 0 means 3 s.
	DrainTimeout time.Duration
	// Buffer bounds the bytes of unsettled records in memory, shared by all
	// consumers of the process. nil means one of its own with 64 MiB.
	Buffer *Buffer
	// MetadataLimit is the most bytes of metadata that a commit may carry: the
	// brokers' offset.metadata.max.bytes. 0 means 4096, Kafka's default.
	MetadataLimit int
	// Streams reads the records; consumers of one cluster share it, and with it
	// fetches and memory. The consumer does not close it. nil means one of its own.
	Streams *Streams
	// Wants says whether a record needs the Handler. One that does not is settled
	// at once, in its turn; nil means that each does. It is called under the
	// consumer's lock, at most once for a record and assignment, so it has to be
	// quick; it must not call the Consumer.
	Wants func(*Record) bool
	// Prepare, if not nil, is called for each record right after it was read from
	// Kafka and before anybody gets it: what is costly to read of a record (see
	// View) is read while its bytes are still in the processor's caches, and beside
	// the calls of the Handler instead of between them. Consumers that share a
	// stream call one Prepare for all. It is called from the goroutine that reads
	// the partition, so it must not wait for anything; a panic is logged.
	Prepare func(*Record)
	// TopicID tells a topic from one of the same name that was made later. nil
	// means that the consumer asks Kafka for the topic's id through Commits. A
	// zero id, or an error, switches the comparison off for that assignment.
	TopicID func(ctx context.Context) ([16]byte, error)
	// Logger is told about joins, repairs and failures. nil discards.
	Logger *slog.Logger
}

// withDefaults checks c and fills what was left out. The error names the field.
func (c Config) withDefaults() (Config, error) {
	switch {
	case len(c.Brokers) == 0:
		return c, errors.New("consumer: Config.Brokers is empty, want at least one host:port")
	case c.Sarama == nil:
		return c, errors.New("consumer: Config.Sarama is missing")
	case !c.Sarama.Version.IsAtLeast(sarama.V2_4_0_0):
		return c, fmt.Errorf("consumer: Config.Sarama.Version is %s, want at least 2.4.0 (cooperative rebalancing)", c.Sarama.Version)
	case c.Commits == nil:
		return c, errors.New("consumer: Config.Commits is missing")
	case c.Group == "":
		return c, errors.New("consumer: Config.Group is empty")
	case c.Topic == "":
		return c, errors.New("consumer: Config.Topic is empty")
	case c.Order < Unordered || c.Order > OrderedByKey:
		return c, fmt.Errorf("consumer: Config.Order is %s, want unordered, ordered or ordered-by-key", c.Order)
	case c.Concurrency < 0:
		return c, fmt.Errorf("consumer: Config.Concurrency is %d, want 1 or more (0 for the default)", c.Concurrency)
	case c.DrainTimeout < 0:
		return c, fmt.Errorf("consumer: Config.DrainTimeout is %s, want more than 0 (0 for the default)", c.DrainTimeout)
	case c.MetadataLimit != 0 && c.MetadataLimit < minMetadataLimit:
		return c, fmt.Errorf("consumer: Config.MetadataLimit is %d, want at least %d bytes (0 for the default)", c.MetadataLimit, minMetadataLimit)
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = defaultDrainTimeout
	}
	if c.Buffer == nil {
		c.Buffer = NewBuffer(defaultBufferBytes)
	}
	if c.MetadataLimit == 0 {
		c.MetadataLimit = defaultMetadataLimit
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
