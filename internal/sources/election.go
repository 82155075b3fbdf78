package sources

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/kafka"
)

const (
	firstRejoin = 250 * time.Millisecond
	maxRejoin   = 5 * time.Second
	// sayAgain is how often the same trouble is logged.
	sayAgain = time.Minute
)

// Run fires the applied sources whenever this process is elected, until ctx
// ends. It stays away from Kafka while there is no source. When it returns
// everything it started has ended; events that were begun got Config.Drain to
// arrive. The error is always nil: trouble is logged, shown in Status, and tried
// again for ever.
func (s *Sources) Run(ctx context.Context) error {
	sends, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	f := &firings{s: s, ctx: sends, soon: ctx.Done()}
	for ctx.Err() == nil {
		entries, changed := s.plan.current()
		if len(entries) == 0 {
			s.setState(Idle, nil)
			wait(ctx, changed, time.Time{})
			continue
		}
		s.whileAny(ctx, func(ctx context.Context) { s.elect(ctx, f) })
	}
	s.setState(Idle, nil)
	timer := time.AfterFunc(s.cfg.Drain, cut)
	defer timer.Stop()
	f.active.Wait()
	return nil
}

// whileAny runs fn and ends its context when the last source is gone.
func (s *Sources) whileAny(ctx context.Context, fn func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		for ctx.Err() == nil {
			entries, changed := s.plan.current()
			if len(entries) == 0 {
				cancel()
				return
			}
			wait(ctx, changed, time.Time{})
		}
	})
	fn(ctx)
}

// elect keeps this process a candidate until ctx ends.
func (s *Sources) elect(ctx context.Context, f *firings) {
	var said string
	var saidAt time.Time
	pause := firstRejoin
	for ctx.Err() == nil {
		s.setState(Connecting, nil)
		begin := time.Now()
		err := s.candidate(ctx, f)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > maxRejoin {
			pause = firstRejoin // it worked for a while
		}
		s.setState(Connecting, err)
		if reason := kafka.Describe(err); err != nil && (reason != said || time.Since(saidAt) > sayAgain) {
			s.logger.Warn("PingSources do not fire: cannot take part in electing who does", "error", reason)
			said, saidAt = reason, time.Now()
		}
		wait(ctx, nil, time.Now().Add(pause/2+rand.N(pause)))
		pause = min(2*pause, maxRejoin)
	}
}

// candidate joins the group and stays until something fails.
func (s *Sources) candidate(ctx context.Context, f *firings) (err error) {
	spec := kafka.TopicSpec{Name: s.cfg.Topic, Partitions: 1, Create: true}
	if _, err := s.cfg.Cluster.EnsureTopic(ctx, spec); err != nil {
		return err
	}
	group, err := sarama.NewConsumerGroup(s.cfg.Cluster.Brokers(), s.cfg.Group, s.groupConfig())
	if err != nil {
		return err
	}
	var drained sync.WaitGroup
	drained.Go(func() {
		for err := range group.Errors() {
			s.logger.Debug("source election", "error", err)
		}
	})
	defer drained.Wait()
	defer func() { err = errors.Join(err, group.Close()) }()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{s.cfg.Topic}, &member{s: s, firings: f}); err != nil {
			return err
		}
	}
	return nil
}

// groupConfig uses an eager strategy: for one partition there is nothing to gain
// from a cooperative one, and a session then is one generation.
func (s *Sources) groupConfig() *sarama.Config {
	cfg := s.cfg.Cluster.ConsumerConfig()
	cfg.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	cfg.Consumer.Group.Session.Timeout = s.session
	cfg.Consumer.Group.Heartbeat.Interval = min(cfg.Consumer.Group.Heartbeat.Interval, s.session/5)
	return cfg
}

// member is this process in one session of the group.
type member struct {
	s       *Sources
	firings *firings
}

// Setup implements sarama.ConsumerGroupHandler.
func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	if len(session.Claims()[m.s.cfg.Topic]) == 0 {
		m.s.setState(Standby, nil)
	}
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.s.setState(Connecting, nil)
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler: whoever has partition 0
// fires.
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if claim.Partition() != 0 {
		drain(claim)
		return nil
	}
	ctx, cancel := context.WithCancel(session.Context())
	var owning sync.WaitGroup
	owning.Go(func() {
		defer cancel()
		m.s.setState(Owner, nil)
		m.s.logger.Info("this process fires the PingSources")
		l := &groupLease{cluster: m.s.cfg.Cluster, topic: m.s.cfg.Topic, member: kafka.Member{
			Group: m.s.cfg.Group, ID: session.MemberID(), Generation: session.GenerationID(),
		}}
		if err := m.s.own(ctx, l, m.firings); err != nil && ctx.Err() == nil {
			m.s.logger.Debug("this process stops firing the PingSources", "reason", err)
		}
	})
	drain(claim) // returns when the partition is taken away
	cancel()
	owning.Wait()
	return nil
}

// drain reads the claim, which has nothing for us, until it ends.
func drain(claim sarama.ConsumerGroupClaim) {
	for range claim.Messages() {
	}
}

// groupLease keeps the last tick in the metadata of the group's offset.
type groupLease struct {
	cluster *kafka.Cluster
	topic   string
	member  kafka.Member
}

// metadataPrefix is the version of what stands in the metadata.
const metadataPrefix = "v1 "

// Last implements lease. Metadata that this version cannot read count as none.
func (l *groupLease) Last(ctx context.Context) (time.Time, error) {
	_, metadata, err := l.cluster.Committed(ctx, l.member.Group, l.topic, 0)
	if err != nil {
		return time.Time{}, err
	}
	text, ok := strings.CutPrefix(metadata, metadataPrefix)
	if millis, err := strconv.ParseInt(text, 10, 64); ok && err == nil {
		return time.UnixMilli(millis), nil
	}
	return time.Time{}, nil
}

// Commit implements lease.
func (l *groupLease) Commit(ctx context.Context, tick time.Time) error {
	return l.cluster.CommitFenced(ctx, l.member, l.topic, 0, 0, fmt.Sprint(metadataPrefix, tick.UnixMilli()))
}
