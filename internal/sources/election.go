package sources

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	running := map[key]bool{}
	ended := make(chan key)
	var candidates sync.WaitGroup
	for ctx.Err() == nil {
		entries, changed := s.plan.current()
		for k := range entries {
			if running[k] {
				continue
			}
			running[k] = true
			candidates.Go(func() {
				s.whileThere(ctx, k, func(ctx context.Context) { s.elect(ctx, k, f) })
				select {
				case ended <- k:
				case <-ctx.Done():
				}
			})
		}
		select {
		case k := <-ended:
			delete(running, k)
		case <-changed:
		case <-ctx.Done():
		}
	}
	candidates.Wait()
	timer := time.AfterFunc(s.cfg.Drain, cut)
	defer timer.Stop()
	f.active.Wait()
	return nil
}

// whileThere runs fn and ends its context when the source is gone.
func (s *Sources) whileThere(ctx context.Context, k key, fn func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		for ctx.Err() == nil {
			e, changed := s.plan.of(k)
			if e == nil {
				cancel()
				return
			}
			wait(ctx, changed, time.Time{})
		}
	})
	fn(ctx)
}

// elect keeps this process a candidate for a source until ctx ends.
func (s *Sources) elect(ctx context.Context, k key, f *firings) {
	defer s.forget(k)
	pause := firstRejoin
	for ctx.Err() == nil {
		s.setState(k, Connecting, nil)
		begin := time.Now()
		err := s.candidate(ctx, k, f)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > maxRejoin {
			pause = firstRejoin // it worked for a while
		}
		s.setState(k, Connecting, err)
		if reason := kafka.Describe(err); err != nil && s.trouble.isNew(reason, time.Now()) {
			s.logger.Warn("PingSource does not fire: this process cannot take part in electing who does",
				"namespace", k.namespace, "name", k.name, "error", reason)
		}
		wait(ctx, nil, time.Now().Add(pause/2+rand.N(pause)))
		pause = min(2*pause, maxRejoin)
	}
}

// trouble lets each reason be said once a minute: what all sources suffer from is
// said for one of them.
type trouble struct {
	mu   sync.Mutex
	said map[string]time.Time
}

func (t *trouble) isNew(reason string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.said[reason]; ok && now.Sub(at) < sayAgain {
		return false
	}
	// Reasons that are over are not kept.
	maps.DeleteFunc(t.said, func(_ string, at time.Time) bool { return now.Sub(at) >= sayAgain })
	if t.said == nil {
		t.said = map[string]time.Time{}
	}
	t.said[reason] = now
	return true
}

// join enters the source's group and stays until something fails.
func (s *Sources) join(ctx context.Context, k key, f *firings) (err error) {
	group, err := s.open(ctx, k)
	if err != nil {
		return err
	}
	var drained sync.WaitGroup
	drained.Go(func() {
		for err := range group.Errors() {
			s.logger.Debug("source election", "namespace", k.namespace, "name", k.name, "error", err)
		}
	})
	defer drained.Wait()
	defer func() { err = errors.Join(err, group.Close()) }()
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{s.cfg.Topic}, &member{s: s, key: k, firings: f}); err != nil {
			return err
		}
	}
	return nil
}

// open connects to Kafka, a few sources at a time.
func (s *Sources) open(ctx context.Context, k key) (sarama.ConsumerGroup, error) {
	select {
	case s.joining <- struct{}{}:
		defer func() { <-s.joining }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	spec := kafka.TopicSpec{Name: s.cfg.Topic, Partitions: 1, Create: true}
	if _, err := s.cfg.Cluster.EnsureTopic(ctx, spec); err != nil {
		return nil, err
	}
	return sarama.NewConsumerGroup(s.cfg.Cluster.Brokers(), k.group(), s.groupConfig())
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
	key     key
	firings *firings
}

// Setup implements sarama.ConsumerGroupHandler.
func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	if len(session.Claims()[m.s.cfg.Topic]) == 0 {
		m.s.setState(m.key, Standby, nil)
	}
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.s.setState(m.key, Connecting, nil)
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
		m.s.setState(m.key, Owner, nil)
		m.s.logger.Info("this process fires the PingSource", "namespace", m.key.namespace, "name", m.key.name)
		l := &groupLease{cluster: m.s.cfg.Cluster, topic: m.s.cfg.Topic, member: kafka.Member{
			Group: m.key.group(), ID: session.MemberID(), Generation: session.GenerationID(),
		}}
		if err := m.s.own(ctx, m.key, l, m.firings); err != nil && ctx.Err() == nil {
			m.s.logger.Debug("this process stops firing the PingSource", "namespace", m.key.namespace, "name", m.key.name, "reason", err)
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
