package consumer

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// What the group's protocol is run with.
const (
	heartbeatInterval = time.Second
	sessionTimeout    = 10 * time.Second
	rebalanceTimeout  = 60 * time.Second
	// maxProcessingTime is how long one partition whose channel is full may hold
	// up the others of its broker.
	maxProcessingTime = 100 * time.Millisecond
	// claimBytes: a claim is paused before it reads anything, or right after; see
	// session.ConsumeClaim.
	claimBytes = 1
)

// groupConfig is the base configuration with what the group needs.
func groupConfig(base *sarama.Config, strategy sarama.BalanceStrategy) *sarama.Config {
	cfg := *base
	cfg.Consumer.Group.Rebalance.Strategy = nil
	cfg.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	cfg.Consumer.Group.Rebalance.Timeout = rebalanceTimeout
	cfg.Consumer.Group.Session.Timeout = sessionTimeout
	cfg.Consumer.Group.Heartbeat.Interval = heartbeatInterval
	cfg.Consumer.Group.ResetInvalidOffsets = true
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Offsets.AutoCommit.Enable = false
	cfg.Consumer.MaxProcessingTime = maxProcessingTime
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.Fetch.Default, cfg.Consumer.Fetch.MaxBytes = claimBytes, claimBytes
	cfg.ChannelBufferSize = 1
	return &cfg
}

// cooperative is what the cooperative-sticky strategy can do.
type cooperative interface {
	sarama.SubscriptionUserDataBalanceStrategy
	SupportedProtocols() []sarama.RebalanceProtocol
	OnAssignment(assignment *sarama.ConsumerGroupMemberAssignment, generation int32)
}

// strategy is cooperative-sticky that also tells which partitions stay. The
// group closes a claim's channel both when the partition is taken away and when
// its position is not in the log any more, the former behind up to one fetch
// wait; this tells them apart, at once.
type strategy struct {
	cooperative
	topic    string
	assigned func(partitions []int32, generation int32)
}

// newStrategy makes the strategy of one group; it must not be shared.
func newStrategy(topic string, assigned func([]int32, int32)) (*strategy, error) {
	inner, ok := sarama.NewBalanceStrategyCooperativeSticky().(cooperative)
	if !ok {
		return nil, fmt.Errorf("consumer: the Kafka client's cooperative strategy %T lacks a method", inner)
	}
	return &strategy{inner, topic, assigned}, nil
}

// OnAssignment is called by the group before it takes partitions away.
func (s *strategy) OnAssignment(a *sarama.ConsumerGroupMemberAssignment, generation int32) {
	s.cooperative.OnAssignment(a, generation)
	s.assigned(a.Topics[s.topic], generation)
}

// claims are the claims that run now, each with a channel that closes when its
// partition is taken away.
type claims struct {
	mu       sync.Mutex
	assigned []int32 // by the newest generation
	live     map[int32]chan struct{}
}

// begin enters a claim. A claim first asks Kafka for its offset, and the next
// generation may have taken its partition away before the answer: then revoked
// is closed from the start.
func (c *claims) begin(partition int32) (revoked chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	revoked = make(chan struct{})
	if !slices.Contains(c.assigned, partition) {
		close(revoked)
		return revoked
	}
	if c.live == nil {
		c.live = map[int32]chan struct{}{}
	}
	c.live[partition] = revoked
	return revoked
}

// end removes it.
func (c *claims) end(partition int32, revoked chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live[partition] == revoked {
		delete(c.live, partition)
	}
}

// keep closes the channels of all claims but those, of now and to come.
func (c *claims) keep(partitions []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.assigned = slices.Clone(partitions) // the client sorts its own
	for p, revoked := range c.live {
		if !slices.Contains(partitions, p) {
			close(revoked)
			delete(c.live, p)
		}
	}
}
