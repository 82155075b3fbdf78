// Package sources runs what makes events by itself: PingSource. Of all
// dispatchers that have a source exactly one fires each of its ticks; they elect
// it through the source's own Kafka consumer group on a small internal topic.
// Like a Trigger, a source is known by its namespace and name: installations
// that share a Kafka and have other sources are not in each other's way.
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
	// Topic is what the groups that elect who fires read. Nothing is written to
	// it. Default "kurier-sources".
	Topic string
	// Drain is how long events that were begun may still take after Run's
	// context ended. Default 3 s.
	Drain time.Duration
	// Logger gets what an operator should know. nil discards.
	Logger *slog.Logger
	// Registerer gets the metrics; nil: none.
	Registerer prometheus.Registerer
}

const (
	defaultTopic = "kurier-sources"
	defaultDrain = 3 * time.Second
	// groupPrefix begins the name of each source's group.
	groupPrefix = "kurier-source-"
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
	session time.Duration // the groups' session timeout
	trouble trouble

	mu     sync.Mutex
	status map[key]Status

	enter func(*candidate, context.Context) error // (*candidate).join; tests elect without Kafka
	fired func(e *entry, tick time.Time)          // for tests
}

// key names a source.
type key struct{ namespace, name string }

func (k key) String() string { return k.namespace + "/" + k.name }

// group is the consumer group that elects who fires the source. A namespace has
// no dot, so no two sources share one.
func (k key) group() string { return groupPrefix + k.namespace + "." + k.name }

func (p *Ping) key() key { return key{p.Namespace, p.Name} }

// Status is what this process does for one source.
type Status struct {
	State     string // Idle (it does not run here) | Connecting | Standby | Owner
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
		cfg.Topic = defaultTopic
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sources{cfg: cfg, logger: cfg.Logger, plan: newPlan(), status: map[key]Status{}, enter: (*candidate).join}
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

// Status returns what this process does for a source.
func (s *Sources) Status(namespace, name string) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status, ok := s.status[key{namespace, name}]; ok {
		return status
	}
	return Status{State: Idle}
}
