// Package sources runs what makes events by itself: PingSource. Of all
// dispatchers that run the same manifests exactly one fires each tick; they
// elect it through a Kafka consumer group on a small internal topic.
package sources

import (
	"context"
	"log/slog"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/kafka"
)

// Target is where a source's events go. URL is empty when the sink is a
// KafkaSink that is produced to directly; what Sink means is the Sender's
// business, this package hands it on.
type Target struct {
	URL     string
	CACerts string
	// Sink is handed to the Sender as it is.
	Sink any
}

// Ping is one PingSource.
type Ping struct {
	Namespace, Name string
	Schedule        string // five or six cron fields, or a descriptor such as @hourly
	Timezone        string // IANA name; empty: UTC
	ContentType     string // empty: application/json when there is data
	Data            []byte
	Extensions      map[string]string // ceOverrides.extensions
	Target          Target
}

// Sender delivers one event, one attempt a call.
type Sender interface {
	Send(ctx context.Context, to Target, m *event.Message) error
}

// Config of the sources. Cluster and Sender are required.
type Config struct {
	Cluster *kafka.Cluster
	Sender  Sender
	// Retryable says whether another attempt can help; nil: always.
	Retryable func(error) bool
	// Topic and Group elect who fires. Default "kurier-sources" for both.
	Topic, Group string
	Logger       *slog.Logger
}

// Sources runs a set of sources.
type Sources struct{ cfg Config }

// CheckSchedule says what is wrong with a schedule and its time zone, or nil.
func CheckSchedule(schedule, timezone string) error { return nil }

func New(cfg Config) (*Sources, error)           { return &Sources{cfg: cfg}, nil }
func (s *Sources) Apply(pings []Ping) error      { return nil }
func (s *Sources) Run(ctx context.Context) error { <-ctx.Done(); return nil }
