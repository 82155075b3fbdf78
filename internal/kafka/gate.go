package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// notNow is how long a topic is refused when asking for it failed for a reason
// that is not the topic's, such as an unreachable Kafka.
const notNow = 250 * time.Millisecond

// gate stands before the producer's queue for one topic. It bounds the topic's
// share, and keeps the records of a topic that Kafka does not have away from
// the producer, whose goroutines are shared by all topics. Safe for concurrent
// use.
type gate struct {
	topic   string
	permits chan struct{}            // one for each record in the producer
	look    func(topic string) error // asks Kafka for the topic
	start   func(fn func()) error    // runs a goroutine
	hold    time.Duration            // how long an unavailable topic is refused
	crowd   crowd

	mu      sync.Mutex
	known   bool          // Kafka has the topic, as far as we were told
	refused error         // why the topic is refused
	until   time.Time     // end of the refusal
	asking  chan struct{} // closed when the question under way is answered
	limit   int           // max.message.bytes; 0: not known
}

// enter takes a permit, or says why not: ErrTopicUnavailable, ErrTopicBusy, the
// context's error, or why Kafka could not be asked.
func (g *gate) enter(ctx context.Context) error {
	if err := g.check(ctx); err != nil {
		return err
	}
	select {
	case g.permits <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.permits <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("topic %s: %w: %w", g.topic, ErrTopicBusy, ctx.Err())
	}
	// Sequence: the topic is deleted, its records in the producer fail, and each
	// permit they return lets one more in. So look again.
	if err := g.check(ctx); err != nil {
		g.leave()
		return err
	}
	return nil
}

// crowded tells whether so many records are in the producer, or were a moment ago, that
// each may wait a little for others.
func (g *gate) crowded() bool { return g.crowd.seen(len(g.permits), time.Now) }

// leave gives the permit back.
func (g *gate) leave() { <-g.permits }

// check returns nil when the topic is known; when nothing is known it asks,
// once for all who want to know.
func (g *gate) check(ctx context.Context) error {
	for {
		asking, err := g.state()
		if asking == nil {
			return err
		}
		select {
		case <-asking:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// state returns the verdict, or what to wait for before there is one.
func (g *gate) state() (asking <-chan struct{}, verdict error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known {
		return nil, nil
	}
	if g.refused != nil && time.Now().Before(g.until) {
		return nil, g.refused
	}
	if g.asking == nil {
		asking := make(chan struct{})
		if err := g.start(func() { g.ask(asking) }); err != nil {
			return nil, err
		}
		g.asking = asking
	}
	return g.asking, nil
}

func (g *gate) ask(asking chan struct{}) {
	err := g.look(g.topic)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = nil
	close(asking)
	if err == nil {
		g.known, g.refused = true, nil
		return
	}
	g.refuse(err)
}

// refuse remembers why the topic cannot be used. Callers hold the lock.
func (g *gate) refuse(err error) {
	g.known = false
	g.refused, g.until = err, time.Now().Add(notNow)
	if unavailable(err) {
		g.refused = fmt.Errorf("topic %s: %w: %w", g.topic, ErrTopicUnavailable, err)
		g.until = time.Now().Add(g.hold)
	}
}

// learn takes notice of what Kafka answered to a record.
func (g *gate) learn(err error) {
	if !unavailable(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse(err)
}

// admit notes that the topic exists now and what it takes.
func (g *gate) admit(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused, g.limit = nil, limit // known stays: the producer's own client must see the topic too
}

func (g *gate) maxMessageBytes() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit
}

// unavailable reports whether the error says that the topic itself cannot be
// written, for every record alike.
func unavailable(err error) bool {
	for _, answer := range []error{
		sarama.ErrUnknownTopicOrPartition, sarama.ErrTopicAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrInvalidTopic,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}
