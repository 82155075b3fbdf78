package dispatcher

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/consumer"
)

// Defaults of Config.
const (
	DefaultProduceTimeout = 30 * time.Second
	DefaultDrainTimeout   = 3 * time.Second
	DefaultBrokerTTL      = 255
	DefaultMaxEventBytes  = 1 << 20
)

// ClusterConn is what the dispatcher needs of a Kafka cluster.
type ClusterConn struct {
	Brokers  []string
	Sarama   *sarama.Config                // base for consumers; cloned
	Commits  func() (sarama.Client, error) // the separate client for commits
	Producer Producer
}

// Config of a Dispatcher.
type Config struct {
	// Clusters returns the connection for Subscription.Cluster or
	// Destination.Cluster. Required. It does no I/O; an error concerns the
	// subscription that asks, and is asked again at the next Apply.
	Clusters func(name string) (ClusterConn, error)

	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics

	// Tracer makes the spans of deliveries; what is sent then carries them in
	// traceparent. nil: no spans.
	Tracer trace.Tracer

	RetryMinBackoff time.Duration // every wait is at least this
	RetryJitter     float64       // 0.2 adds up to 20 % to a wait; from 0 to 1

	StrictReplies    bool // a response body that is no CloudEvent is a failure (DL-27)
	AddKafkaPosition bool // DP-51

	ProduceTimeout time.Duration    // of one produce attempt; 0 means DefaultProduceTimeout
	DrainTimeout   time.Duration    // for what is in flight at a revoke or removal; 0 means DefaultDrainTimeout
	Buffer         *consumer.Buffer // fetched events, shared by the process; nil: the consumer's own default
	BrokerTTL      int              // of an event that carries none (DP-49); 0 means DefaultBrokerTTL
	MaxEventBytes  int              // largest reply; 0 means DefaultMaxEventBytes

	// Sender replaces the built-in one (HTTP and Kafka) for every subscription.
	// For tests; nil in production.
	Sender Sender
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Clusters == nil:
		return c, errors.New("dispatcher: Config.Clusters is nil")
	case c.RetryMinBackoff < 0:
		return c, fmt.Errorf("dispatcher: Config.RetryMinBackoff is %v, want 0 or more", c.RetryMinBackoff)
	case c.RetryJitter < 0 || c.RetryJitter > 1:
		return c, fmt.Errorf("dispatcher: Config.RetryJitter is %v, want 0 to 1", c.RetryJitter)
	case c.ProduceTimeout < 0:
		return c, fmt.Errorf("dispatcher: Config.ProduceTimeout is %v, want 0 or more", c.ProduceTimeout)
	case c.DrainTimeout < 0:
		return c, fmt.Errorf("dispatcher: Config.DrainTimeout is %v, want 0 or more", c.DrainTimeout)
	case c.BrokerTTL < 0:
		return c, fmt.Errorf("dispatcher: Config.BrokerTTL is %d, want 0 or more", c.BrokerTTL)
	case c.MaxEventBytes < 0:
		return c, fmt.Errorf("dispatcher: Config.MaxEventBytes is %d, want 0 or more", c.MaxEventBytes)
	}
	setDefault(&c.ProduceTimeout, DefaultProduceTimeout)
	setDefault(&c.DrainTimeout, DefaultDrainTimeout)
	setDefault(&c.BrokerTTL, DefaultBrokerTTL)
	setDefault(&c.MaxEventBytes, DefaultMaxEventBytes)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) backoff() backoff {
	return backoff{minimum: c.RetryMinBackoff, jitter: c.RetryJitter, rand: rand.Float64}
}
