package app

import (
	"context"
	"sync"
	"time"

	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
)

// groupsFresh is how long an answer of Kafka about groups is used again:
// whoever polls the status each second costs one look a second.
const groupsFresh = 500 * time.Millisecond

// groupsWait bounds one look.
const groupsWait = 3 * time.Second

// groupCache holds the last look at the groups of a plan. The zero value is
// ready.
type groupCache struct {
	mu     sync.Mutex
	plan   *resources.Plan
	at     time.Time
	groups map[kafka.GroupTopic]kafka.GroupState
}

// get returns the state of every group of plan; a cluster that does not answer
// leaves its groups out.
func (c *groupCache) get(ctx context.Context, p *process, plan *resources.Plan) map[kafka.GroupTopic]kafka.GroupState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plan == plan && time.Since(c.at) < groupsFresh {
		return c.groups
	}
	asked := map[string][]kafka.GroupTopic{}
	for i := range plan.Consumers {
		consumer := &plan.Consumers[i]
		if consumer.Group == "" || consumer.Topic == "" {
			continue
		}
		key := p.clusters.key(consumer.Cluster)
		asked[key] = append(asked[key], kafka.GroupTopic{Group: consumer.Group, Topic: consumer.Topic})
	}
	ctx, cancel := context.WithTimeout(ctx, groupsWait)
	defer cancel()
	found := map[kafka.GroupTopic]kafka.GroupState{}
	for key, groups := range asked {
		states, err := p.clusters.get(key).Groups(ctx, groups)
		if err != nil {
			p.logger.Debug("group states are not known", "cluster", key, "reason", err)
			continue
		}
		for group, state := range states {
			found[group] = state
		}
	}
	if ctx.Err() == nil {
		c.plan, c.at, c.groups = plan, time.Now(), found
	}
	return found
}
