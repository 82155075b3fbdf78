package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
)

// Run fires the applied sources, each whenever this process is elected for it,
// until ctx ends. It stays away from Kafka while there is no source. When it
// returns everything it started has ended; events that were begun got
// Config.Drain to arrive. The error is always nil: trouble is logged, shown in
// Status, and tried again for ever.
func (s *Sources) Run(ctx context.Context) error {
	sends, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	f := &firings{s: s, ctx: sends, soon: ctx.Done()}
	candidates := map[key]context.CancelFunc{} // those that have not ended
	ended := make(chan key)
	for ctx.Err() == nil {
		entries, changed := s.plan.current()
		for k, leave := range candidates {
			if entries[k] == nil {
				leave()
			}
		}
		for k := range entries {
			if candidates[k] != nil {
				continue // when it is leaving: again after it has left
			}
			candidacy, leave := context.WithCancel(ctx)
			candidates[k] = leave
			go func() {
				defer func() { ended <- k }()
				defer leave()
				s.candidate(k, f).elect(candidacy)
			}()
		}
		select {
		case k := <-ended:
			delete(candidates, k)
		case <-changed:
		case <-ctx.Done():
		}
	}
	for len(candidates) > 0 {
		delete(candidates, <-ended)
	}
	timer := time.AfterFunc(s.cfg.Drain, cut)
	defer timer.Stop()
	f.active.Wait()
	return nil
}

// candidate is this process in the election of who fires one source.
type candidate struct {
	*Sources
	key     key
	logger  *slog.Logger
	firings *firings
}

func (s *Sources) candidate(k key, f *firings) *candidate {
	return &candidate{s, k, s.logger.With("namespace", k.namespace, "name", k.name), f}
}

// elect takes part until ctx ends.
func (c *candidate) elect(ctx context.Context) {
	defer c.forget()
	pause := firstRejoin
	for ctx.Err() == nil {
		c.setState(Connecting, nil)
		begin := time.Now()
		err := c.enter(c, ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > maxRejoin {
			pause = firstRejoin // it worked for a while
		}
		c.setState(Connecting, err)
		if err != nil {
			c.complain(kafka.Describe(err), "a PingSource does not fire: this process cannot take part in electing who does", err)
		}
		wait(ctx, nil, time.Now().Add(pause/2+rand.N(pause)))
		pause = min(2*pause, maxRejoin)
	}
}

// join enters the source's group and stays until something fails. The group has
// a client of its own: Kafka holds the answer to a join until all members have
// come, and a client has one request at a time on its way to a broker, so in a
// shared one the heartbeats of all sources would wait for the slowest.
func (c *candidate) join(ctx context.Context) (err error) {
	spec := kafka.TopicSpec{Name: c.cfg.Topic, Partitions: 1, Create: true}
	if _, err := c.cfg.Cluster.EnsureTopic(ctx, spec); err != nil {
		return err
	}
	group, err := sarama.NewConsumerGroup(c.cfg.Cluster.Brokers(), c.key.group(), c.groupConfig())
	if err != nil {
		return err
	}
	var drained sync.WaitGroup
	drained.Go(func() {
		for err := range group.Errors() {
			c.logger.Debug("source election", "error", err)
		}
	})
	defer drained.Wait()
	defer func() { err = errors.Join(err, group.Close()) }()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{c.cfg.Topic}, member{c}); err != nil {
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

// member is a candidate in one session of the group.
type member struct{ *candidate }

// Setup implements sarama.ConsumerGroupHandler.
func (m member) Setup(session sarama.ConsumerGroupSession) error {
	if len(session.Claims()[m.cfg.Topic]) == 0 {
		m.setState(Standby, nil)
	}
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (m member) Cleanup(sarama.ConsumerGroupSession) error {
	m.setState(Connecting, nil)
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler: whoever has partition 0
// fires.
func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if c, ok := claim.(interface{ Pause() }); ok {
		c.Pause() // there is nothing to fetch, and heartbeats would wait behind it
	}
	if claim.Partition() != 0 {
		drain(claim)
		return nil
	}
	ctx, cancel := context.WithCancel(session.Context())
	var owning sync.WaitGroup
	owning.Go(func() {
		defer cancel()
		l := &groupLease{cluster: m.cfg.Cluster, topic: m.cfg.Topic, member: kafka.Member{
			Group: m.key.group(), ID: session.MemberID(), Generation: session.GenerationID(),
		}}
		if err := m.own(ctx, l); err != nil && ctx.Err() == nil {
			m.logger.Debug("this process stops firing the PingSource", "reason", err)
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
