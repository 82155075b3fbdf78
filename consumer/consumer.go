// Package consumer runs one Kafka consumer group on one topic and hands its
// records to a Handler, in one of three orders, until each is settled; it
// commits what is settled and nothing else.
//
// It knows no CloudEvents, no HTTP and no retry policy: the Handler makes one
// attempt per call and says what is to come.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/offsets"
)

const (
	joinBackoff    = 200 * time.Millisecond
	maxJoinBackoff = 10 * time.Second
	// stableSession is how long a session must have lasted for the next failure to
	// count as the first.
	stableSession = 10 * time.Second
	// leaveTime is what leaving the group gets after Cut.
	leaveTime = 2 * time.Second
	// remake is after how many failures in a row the client is made anew.
	remake = 3
)

// Consumer is one member of one consumer group. Its methods may be called from
// any goroutine, before, during and after Run.
type Consumer struct {
	cfg       Config
	log       *slog.Logger
	engine    *engine
	committer *committer
	coord     *coordinator
	claims    claims
	session   atomic.Pointer[sarama.ConsumerGroupSession]
	streams   *Streams
	state     state
	left      trouble // with joining and staying in the group
	reported  trouble // that the group tells of
	flushes   sync.WaitGroup

	started atomic.Bool
	stop    context.Context // Run is to end
	halt    context.CancelFunc
	done    chan struct{}   // Run has left the group
	cut     context.Context // parent of all calls in flight
	cutNow  context.CancelFunc

	topicID struct {
		sync.Mutex
		hash offsets.TopicHash
		at   time.Time
	}
	outOfRange, replays, rebalances atomic.Int64
}

// New checks cfg, without any I/O. The error names the field.
func New(cfg Config, h Handler) (*Consumer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return nil, errors.New("consumer: the Handler is missing")
	}
	c := &Consumer{cfg: cfg, done: make(chan struct{}), log: cfg.Logger.With(slog.String("group", cfg.Group), slog.String("topic", cfg.Topic))}
	c.cut, c.cutNow = context.WithCancel(context.Background())
	c.stop, c.halt = context.WithCancel(context.Background())
	c.coord = &coordinator{clients: cfg.Commits, group: cfg.Group, topic: cfg.Topic}
	c.committer = &committer{coord: c.coord, member: c.member, healthy: c.state.recovered, logger: c.log, kicked: make(chan struct{}, 1)}
	c.committer.limit.Store(int64(cfg.MetadataLimit))
	c.engine = newEngine(h, cfg.Order, cfg.Concurrency, c.log, c.committer.kick)
	c.committer.engine = c.engine
	c.engine.wants = cfg.Wants
	c.streams = cfg.Streams
	c.state.set(StateConnecting, nil)
	return c, nil
}

// Run joins the group and consumes until ctx ends, whatever happens to Kafka;
// it joins again with a capped backoff, and Stats tells why.
//
// When ctx ends nothing new is started; calls in flight may finish until Cut;
// then the positions are committed and the group is left. Run returns after all
// that it started has ended, nil or what leaving the group said. A second call
// returns ErrStarted.
func (c *Consumer) Run(ctx context.Context) error {
	if c.started.Swap(true) {
		return ErrStarted
	}
	defer context.AfterFunc(ctx, c.halt)()
	defer c.halt()
	c.engine.account = c.cfg.Buffer.open(c.committer.kick)
	if c.streams == nil {
		c.streams = NewStreams(c.cfg.Brokers, c.cfg.Sarama, c.log)
		defer c.streams.Close()
	}
	committing, stopCommitting := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { c.committer.run(committing) })

	err := c.join(ctx)
	close(c.done)

	stopCommitting()
	background.Wait()
	c.flushes.Wait()
	c.engine.close()
	c.engine.account.close()
	c.cutNow()
	c.state.set(StateConnecting, nil)
	return err
}

// join makes members until ctx ends.
func (c *Consumer) join(ctx context.Context) error {
	for failures := 1; ; failures++ {
		began := time.Now()
		err := c.withGroup(ctx)
		if ctx.Err() != nil {
			return err
		}
		if time.Since(began) > stableSession {
			failures = 1
		}
		c.pause(ctx, failures, err)
	}
}

// withGroup makes a client and a group, and joins until it fails too often.
func (c *Consumer) withGroup(ctx context.Context) (err error) {
	s, err := newStrategy(c.cfg.Topic, c.assigned)
	if err != nil {
		return err
	}
	config := groupConfig(c.cfg.Sarama, s)
	conns := trackConns(config)
	defer context.AfterFunc(c.cut, func() {
		// Leaving the group still needs the connections, for a moment.
		select {
		case <-c.done:
		case <-time.After(leaveTime):
			conns.close()
		}
	})()
	client, err := sarama.NewClient(c.cfg.Brokers, config)
	if err != nil {
		return fmt.Errorf("connecting to Kafka: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreClosed(client.Close())) }()
	group, err := sarama.NewConsumerGroupFromClient(c.cfg.Group, client)
	if err != nil {
		return err
	}
	var draining sync.WaitGroup
	draining.Go(func() { c.drainErrors(group) })
	defer draining.Wait()
	defer func() { err = errors.Join(err, ignoreClosed(group.Close())) }()

	for failures := 0; failures < remake; {
		c.state.set(StateJoining, nil)
		began := time.Now()
		err = group.Consume(ctx, []string{c.cfg.Topic}, session{c})
		switch {
		case ctx.Err() != nil:
			return nil
		case time.Since(began) > stableSession:
			failures = 1
		default:
			failures++
		}
		c.pause(ctx, failures, err)
	}
	return err
}

// pause waits before the group is joined again.
func (c *Consumer) pause(ctx context.Context, failures int, err error) {
	if err != nil {
		c.left.say(c.log, "the consumer group was left or could not be joined; joining again", err)
	}
	c.state.set(StateConnecting, err)
	select {
	case <-ctx.Done():
	case <-time.After(backoff(failures, joinBackoff, maxJoinBackoff)):
	}
}

// drainErrors reads what the group reports; unread errors would be lost and
// nothing else.
func (c *Consumer) drainErrors(group sarama.ConsumerGroup) {
	for err := range group.Errors() {
		c.state.failed(err)
		c.reported.say(c.log, "the consumer group reported an error", err)
	}
}

// ignoreClosed is err, or nil when it only says that something is closed.
func ignoreClosed(err error) error {
	if errors.Is(err, sarama.ErrClosedClient) || errors.Is(err, sarama.ErrClosedConsumerGroup) {
		return nil
	}
	return err
}

// assigned is told each generation's partitions, before any is taken away.
func (c *Consumer) assigned(partitions []int32, generation int32) {
	c.rebalances.Add(1)
	c.left.over()
	c.log.Info("the group assigned partitions",
		slog.Any("partitions", partitions), slog.Int("generation", int(generation)))
	c.claims.keep(partitions)
}

// member is this process's place in the group now.
func (c *Consumer) member() (member, bool) {
	s := c.session.Load()
	if s == nil {
		return member{}, false
	}
	return member{id: (*s).MemberID(), generation: (*s).GenerationID()}, true
}

// stopping says that Run is to end.
func (c *Consumer) stopping() bool { return c.stop.Err() != nil }

// Cut ends the ctx of all calls in flight, now and for good: for the end of the
// time to drain after Run's ctx ended.
func (c *Consumer) Cut() { c.cutNow() }

// Wake makes all records that wait or are held due at once, and those in flight
// if they come to wait: settings have changed.
func (c *Consumer) Wake() { c.engine.wake() }

// SetOrder changes the order, live: what is in flight finishes first, then the
// unsettled records of the partition are due at once in the new order.
func (c *Consumer) SetOrder(o Order) { c.engine.setOrder(o) }

// SetConcurrency changes how many Handlers may run at once, live. Less than 1
// counts as 1.
func (c *Consumer) SetConcurrency(n int) { c.engine.setLimit(n) }
