// Package receiver is the way in: events over HTTP, acknowledged only after
// Kafka has them. Work in progress.
package receiver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
)

// Producer stores one record. Produce returns after the acknowledgement or when
// ctx ends; done runs exactly once, when Kafka's client has returned the
// record, maybe after Produce returned.
type Producer interface {
	Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error
}

// Kind is what a Route leads to.
type Kind int

// The kinds of targets.
const (
	Broker Kind = iota
	Channel
	Sink
)

// Route is one address.
type Route struct {
	Kind            Kind
	Namespace, Name string
	Path            string
	Hosts           []string
	Topic           string
	Structured      bool
	Producer        Producer
	MaxBytes        int
	Unavailable     string
}

// Config is what a Receiver needs.
type Config struct {
	MaxEventBytes         int
	MaxBatchBytes         int
	MaxInflightRequests   int
	MaxInflightBytes      int64
	ProduceTimeout        time.Duration
	BrokerTTL             int
	WebhookAllowedOrigins []string
	WebhookAllowedRate    string
	Logger                *slog.Logger
	Registerer            prometheus.Registerer
	Now                   func() time.Time
}

// Receiver serves.
type Receiver struct{}

// New makes a Receiver.
func New(Config) (*Receiver, error) { return &Receiver{}, nil }

// SetRoutes swaps the routes.
func (r *Receiver) SetRoutes([]Route) {}

// Serve serves.
func (r *Receiver) Serve(net.Listener) error { return errors.New("not yet") }

// Drain answers new requests with 503.
func (r *Receiver) Drain() {}

// Shutdown waits for requests under way.
func (r *Receiver) Shutdown(ctx context.Context) error { return nil }
