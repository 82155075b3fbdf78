// Package sources runs what makes events by itself: PingSource. Of all
// dispatchers that run the same manifests exactly one fires each tick; they
// elect it through a Kafka consumer group on a small internal topic.
//
// It fires a tick at most once and rather not at all than twice: the tick's time
// is committed, fenced by the group's generation, before the event is sent. It
// knows no HTTP and no Kafka topics but its own: a Sender delivers.
package sources

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/kafka"
)

// Target is where a source's events go. What Sink means is the Sender's
// business, this package hands it on.
type Target struct {
	URL     string
	CACerts string
	Sink    any
}

// Ping is one PingSource.
type Ping struct {
	Namespace, Name string
	Schedule        string // five or six cron fields, or a descriptor such as @hourly; empty: each minute
	Timezone        string // IANA name; empty: UTC
	ContentType     string // empty: application/json when the data are JSON, else text/plain
	Data            []byte
	Extensions      map[string]string // ceOverrides.extensions: win over everything else
	Target          Target
}

// Sender delivers one event: one attempt a call. It may be called concurrently
// and returns soon after ctx ended. The message is the callee's.
type Sender interface {
	Send(ctx context.Context, to Target, m *event.Message) error
}

// SenderFunc is a function as a Sender.
type SenderFunc func(ctx context.Context, to Target, m *event.Message) error

// Send implements Sender.
func (f SenderFunc) Send(ctx context.Context, to Target, m *event.Message) error {
	return f(ctx, to, m)
}

// Config of the sources. Cluster and Sender are required.
type Config struct {
	Cluster *kafka.Cluster
	Sender  Sender
	// Retryable says whether another attempt can help; nil: always.
	Retryable func(error) bool
	// Topic and Group elect who fires. Default "kurier-sources" for both.
	Topic, Group string
	// Drain is how long events that were begun may still take after Run's
	// context ended. Default 3 s.
	Drain time.Duration
	// Logger gets what an operator should know. nil discards.
	Logger *slog.Logger
	// Registerer gets the metrics; nil: none.
	Registerer prometheus.Registerer
}

const (
	defaultName  = "kurier-sources"
	defaultDrain = 3 * time.Second
	// afterSession is how much longer than the session timeout a missed tick may
	// still be fired by the next owner.
	afterSession = 2 * time.Second
)

// Sources runs a set of sources. Safe for concurrent use.
type Sources struct {
	cfg     Config
	logger  *slog.Logger
	metrics *metrics
	plan    *plan
	late    time.Duration // oldest tick that is still fired
	session time.Duration // the group's session timeout

	mu     sync.Mutex
	status Status

	fired func(e *entry, tick time.Time) // for tests
}

// Status is what the sources do in this process.
type Status struct {
	State     string // Idle (no sources) | Connecting | Standby | Owner
	LastError string // why it is not Standby or Owner, or the last failure
	LastTick  time.Time
}

// States of a Status.
const (
	Idle       = "Idle"
	Connecting = "Connecting"
	Standby    = "Standby"
	Owner      = "Owner"
)

// New checks the configuration and fills in the defaults. It does no I/O.
func New(cfg Config) (*Sources, error) {
	switch {
	case cfg.Cluster == nil:
		return nil, errors.New("sources: Cluster is not set")
	case cfg.Sender == nil:
		return nil, errors.New("sources: Sender is not set")
	case cfg.Drain < 0:
		return nil, errors.New("sources: Drain is negative")
	}
	if cfg.Drain == 0 {
		cfg.Drain = defaultDrain
	}
	if cfg.Topic == "" {
		cfg.Topic = defaultName
	}
	if cfg.Group == "" {
		cfg.Group = defaultName
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sources{cfg: cfg, logger: cfg.Logger, plan: newPlan(), status: Status{State: Idle}}
	s.metrics = newMetrics(cfg.Registerer)
	s.setSession(cfg.Cluster.ConsumerConfig().Consumer.Group.Session.Timeout)
	return s, nil
}

func (s *Sources) setSession(timeout time.Duration) {
	s.session, s.late = timeout, timeout+afterSession
}

// Apply replaces the set of PingSources, at once and without missing a tick of
// those that stay. A changed schedule begins with its next tick; everything else
// that changed holds for the next event. Sources that cannot run are left out;
// the error names them.
func (s *Sources) Apply(pings []Ping) error { return s.plan.set(pings, time.Now()) }

// Status returns what the sources do in this process.
func (s *Sources) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Sources) setState(state string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.State = state
	if err != nil {
		s.status.LastError = kafka.Describe(err)
	} else if state == Standby || state == Owner {
		s.status.LastError = ""
	}
}

func (s *Sources) setTick(tick time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastTick = tick
}
