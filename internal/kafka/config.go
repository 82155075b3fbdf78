package kafka

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"
	"golang.org/x/net/proxy"
)

const (
	// defaultClientID is the name that Kafka's logs and quotas see.
	defaultClientID = "kurier"

	// The client never decides what is too large for a topic; Kafka does. This
	// only keeps a request below what one request may hold.
	maxRecordBytes = 64 << 20

	dialTimeout  = 3 * time.Second
	writeTimeout = 5 * time.Second
	// readTimeout bounds every answer; the broker itself may hold a produce
	// request for ackTimeout while it waits for its replicas.
	readTimeout = 12 * time.Second
	ackTimeout  = 8 * time.Second
	// joinReadTimeout is the read timeout of consumer clients: a broker answers
	// a JoinGroup request when all other members have joined.
	joinReadTimeout = 30 * time.Second
	// commitReadTimeout is the read timeout of the client for commits, which
	// Kafka answers within offsets.commit.timeout.ms (5 s).
	commitReadTimeout = 6 * time.Second

	metadataEvery = time.Minute
)

// NewConfig returns the settings that every sarama client of Kurier starts
// from; the caller owns the result. It is the one place for them:
//
//   - Version 3.0: the protocol versions actually used are negotiated with each
//     broker and never above what it offers, so this is a ceiling. 2.8 would do
//     for everything but fetching the offsets of many groups with one request.
//   - No request of any client creates a topic.
//   - Metadata only of the topics in use (the admin client differs).
//   - Producer: idempotent, acks=all, no linger, no compression, and the
//     partition for a key as Kafka's Java client chooses it.
//   - Groups: cooperative-sticky, heartbeat 1 s, session 10 s, rebalance 60 s;
//     offsets are not committed by the client itself.
//
// The strategy object inside is stateful: one config for each consumer group.
func NewConfig(o Options) *sarama.Config {
	setProcessWide(o.Logger)
	c := sarama.NewConfig()
	c.Version = sarama.V3_0_0_0
	c.ClientID = o.ClientID
	if c.ClientID == "" {
		c.ClientID = defaultClientID
	}
	c.Net.DialTimeout = dialTimeout
	c.Net.ReadTimeout = readTimeout
	c.Net.WriteTimeout = writeTimeout
	if o.Dial != nil {
		c.Net.Proxy.Enable = true
		c.Net.Proxy.Dialer = dialer{o.Dial}
	}
	c.Metadata.Full = false
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.RefreshFrequency = metadataEvery
	c.Metadata.Retry.Max = 2
	c.Metadata.Retry.Backoff = 100 * time.Millisecond
	c.Admin.Timeout = 10 * time.Second
	setProducer(c)
	setConsumer(c)
	return c
}

func setProducer(c *sarama.Config) {
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // demanded by Idempotent
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Timeout = ackTimeout
	c.Producer.Partitioner = newPartitioner
	c.Producer.Compression = sarama.CompressionNone
	c.Producer.MaxMessageBytes = maxRecordBytes
	c.Producer.Transaction.Retry.Max = 3 // of asking for a producer id; a new producer is made when it fails
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	// Rides out the election of a leader: about 7 s in all.
	c.Producer.Retry.Max = 20
	c.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration { return producerBackoff(retries) }
}

// producerBackoff is the pause before a retry. The client also waits after each
// record that it cannot even try to send, with retries 0: with a topic that was
// deleted that would be one record after another.
func producerBackoff(retries int) time.Duration {
	if retries == 0 {
		return 0
	}
	return min(50*time.Millisecond<<min(retries, 3), 400*time.Millisecond)
}

func setConsumer(c *sarama.Config) {
	c.Consumer.Return.Errors = true
	c.Consumer.MaxProcessingTime = 100 * time.Millisecond
	c.Consumer.MaxWaitTime = 500 * time.Millisecond
	c.Consumer.Retry.Backoff = 500 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.Session.Timeout = 10 * time.Second
	c.Consumer.Group.Heartbeat.Interval = time.Second
	c.Consumer.Group.Rebalance.Timeout = time.Minute
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
}

// adminConfig is for the client that describes and creates topics and reads
// groups. With Full metadata a topic that another process created a moment ago
// is known after one refresh.
func adminConfig(o Options) *sarama.Config {
	c := NewConfig(o)
	c.Metadata.Full = true
	return c
}

// producerConfig returns the settings of one producer, whose batches stay
// within k.batch bytes. When that is 0 each request holds a single record;
// when it is negative each batch does, of more than half as many bytes. When ctx
// has ended it fails without pauses.
//
// ChannelBufferSize is above what one topic may have in the producer: the
// producer hands records from one goroutine to one channel per topic, and a
// full one (a missing topic, an election) would stop all topics. Metadata is
// asked once: a refresh that waits and asks again would do so in the goroutine
// that serves all topics of a broker; the producer's own retries do the waiting.
func producerConfig(ctx context.Context, o Options, k kind) *sarama.Config {
	c := NewConfig(o)
	c.ChannelBufferSize = o.TopicQueueRecords + 64
	c.Metadata.Retry.Max = 0
	c.Producer.Retry.BackoffFunc = func(retries, _ int) time.Duration {
		if ctx.Err() != nil {
			return 0
		}
		return producerBackoff(retries)
	}
	switch {
	case k.batch > 0:
		c.Producer.MaxMessageBytes = k.batch
		if k.gather {
			c.Producer.Flush.Messages, c.Producer.Flush.Frequency = crowdRecords, crowdTime
			c.Producer.Flush.Bytes = crowdBytes
		}
	case k.batch < 0:
		c.Producer.MaxMessageBytes = -k.batch
		c.Producer.Flush.MaxMessages = max(1, largeRequest/-k.batch)
	default:
		c.Producer.Flush.MaxMessages = 1
	}
	return c
}

// dialer makes a DialFunc what sarama asks for.
type dialer struct{ dial DialFunc }

var _ proxy.Dialer = dialer{}

func (d dialer) Dial(network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	return d.dial(ctx, network, addr)
}

// The Kafka client keeps its logger and its metrics switch in package variables
// that its goroutines read without a lock, so they are set once, before the
// first client of the process is made.
var processWide sync.Once

func setProcessWide(logger *slog.Logger) {
	processWide.Do(func() {
		metrics.UseNilMetrics = true // about 200 KiB and 2 goroutines for each client
		if logger != nil && logger.Enabled(context.Background(), slog.LevelDebug) {
			sarama.Logger = debugLogger{logger.With("component", "sarama")}
		}
	})
}
