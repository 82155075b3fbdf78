// Package receiver is the way in: CloudEvents over HTTP become Kafka records,
// and the client hears 202 only after Kafka acknowledged them.
//
// One protocol-neutral core decides every status code; the edge in front of it
// speaks HTTP/1.1 through fasthttp's parser and knows no codes but those of
// broken HTTP. Memory is bounded: a request that finds the budget full is
// answered 429 before its body is read.
//
// The package refuses to read manifests, to create topics, to talk to Kafka
// itself and to deliver anything: routes and producers are handed in.
package receiver

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
)

// Producer stores one record.
//
// Produce returns nil once all in-sync replicas acknowledged the record, an
// error when Kafka refused it, and ctx.Err() when ctx ended first; the record
// may then still be stored. A record that is too large gives an error for which
// errors.Is(err, sarama.ErrMessageSizeTooLarge) holds. done runs exactly once,
// when nothing holds the record's memory any more: maybe before Produce
// returns, maybe long after. Produce is called from many goroutines.
type Producer interface {
	Produce(ctx context.Context, rec *sarama.ProducerMessage, done func()) error
}

// ErrClosed is returned by Serve when Shutdown was called before it.
var ErrClosed = errors.New("receiver: closed")

// Receiver answers HTTP requests with the outcome of storing their events. All
// methods are safe for concurrent use.
type Receiver struct {
	cfg     Config
	routes  atomic.Pointer[table]
	budget  *budget
	metrics *metrics
	quiet   warnings
	clock   httpDate
	newTTL  string // of an event that comes for the first time

	draining atomic.Bool        // new events are refused
	closing  atomic.Bool        // idle connections go, active ones after their answer
	ctx      context.Context    // of every produce; ends when Shutdown gives up
	cancel   context.CancelFunc // ends ctx

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	running   sync.WaitGroup // one per Serve and per connection
}

// New makes a Receiver without routes: until SetRoutes every address answers
// 404. The error names the field of cfg that is wrong.
func New(cfg Config) (*Receiver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Receiver{
		cfg:       cfg,
		budget:    newBudget(int64(cfg.MaxInflightRequests), cfg.MaxInflightBytes),
		ctx:       ctx,
		cancel:    cancel,
		newTTL:    strconv.Itoa(cfg.BrokerTTL),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
	}
	if r.metrics, err = newMetrics(cfg.Registerer, r); err != nil {
		cancel()
		return nil, err
	}
	r.SetRoutes(nil)
	return r, nil
}

// SetRoutes replaces all routes at once. Requests under way finish on the route
// they found. The slice is not kept.
func (r *Receiver) SetRoutes(routes []Route) {
	r.routes.Store(newTable(routes, r.cfg.MaxEventBytes, r.metrics))
}

// Serve answers requests on ln until Shutdown, then returns nil. It may be
// called for several listeners. It closes ln in any case; the error is that of
// Accept, or ErrClosed.
func (r *Receiver) Serve(ln net.Listener) error {
	r.mu.Lock()
	if r.closing.Load() {
		r.mu.Unlock()
		_ = ln.Close()
		return ErrClosed
	}
	r.listeners[ln] = struct{}{}
	r.running.Add(1)
	r.mu.Unlock()

	err := r.accept(ln)

	_ = ln.Close()
	r.mu.Lock()
	delete(r.listeners, ln)
	r.mu.Unlock()
	r.running.Done()
	if r.closing.Load() {
		return nil
	}
	return err
}

// Drain makes every new event be answered 503 with Retry-After, and every
// connection be closed after its answer. Events already accepted for producing
// are answered as usual. Idle connections stay until Shutdown, so that none is
// cut under a request on its way.
func (r *Receiver) Drain() { r.draining.Store(true) }

// Shutdown drains, stops listening, closes idle connections and waits for the
// requests under way. When ctx ends first, their connections are closed, their
// produces cancelled, and ctx.Err() is returned once they have ended. Calling
// it again, or before Serve, is fine.
func (r *Receiver) Shutdown(ctx context.Context) error {
	r.Drain()
	r.closeIdle()
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		r.cancel()
		return nil
	case <-ctx.Done():
	}
	r.cancel()
	r.mu.Lock()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	<-done
	return ctx.Err()
}

func (r *Receiver) closeIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing.Store(true)
	for ln := range r.listeners {
		_ = ln.Close()
	}
	for c := range r.conns {
		if c.idle.CompareAndSwap(true, false) {
			_ = c.Close()
		}
	}
}
