package app

import (
	"context"
	"sync"
	"time"

	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
)

const (
	// groupsFresh is how long an answer of Kafka about groups is used again:
	// whoever polls the status each second costs one look a second.
	groupsFresh = 500 * time.Millisecond
	// groupsWait is how long a status waits for Kafka, and groupsPatience when
	// its last look succeeded, so that Kafka is there and merely slow.
	groupsWait     = 3 * time.Second
	groupsPatience = 10 * time.Second
	// groupsStale is how long a look tells of a group's state while Kafka takes
	// its time for the next one; a look that takes longer has failed.
	groupsStale = 15 * time.Second
)

// groupLook is what Kafka told about the groups of a plan.
type groupLook struct {
	plan   *resources.Plan
	began  time.Time
	done   chan struct{} // closed when what follows is set
	groups map[kafka.GroupTopic]kafka.GroupState
	errs   map[string]error // by cluster: why it did not tell
}

// groupCache shares looks among those who ask: one is under way at a time.
type groupCache struct {
	ask func(*groupLook) // fills in a look; set before the first get

	mu   sync.Mutex
	now  *groupLook // under way, or the newest
	last *groupLook // the newest that is done
}

// get returns the state of every group of plan, and whether it is of this
// moment: when Kafka takes too long for that, an older look stands in.
func (c *groupCache) get(ctx context.Context, plan *resources.Plan) (look *groupLook, fresh bool) {
	since := time.Now().Add(-groupsFresh)
	ctx, cancel := context.WithTimeout(ctx, c.patience())
	defer cancel()
	for {
		look := c.join(plan, since)
		select {
		case <-look.done:
		case <-ctx.Done():
			return c.older(plan), false
		}
		if !look.began.Before(since) { // else it was under way already, and tells of the past
			return look, true
		}
	}
}

func (c *groupCache) patience() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && len(c.last.errs) == 0 {
		return groupsPatience
	}
	return groupsWait
}

// older is the last look, or none when that is too old to tell anything.
func (c *groupCache) older(plan *resources.Plan) *groupLook {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && c.last.plan == plan && time.Since(c.last.began) < groupsStale {
		return c.last
	}
	return &groupLook{plan: plan}
}

// join returns the look that is under way, or one that began since then, or
// begins one.
func (c *groupCache) join(plan *resources.Plan, since time.Time) *groupLook {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && c.now.plan == plan {
		select {
		case <-c.now.done:
			if !c.now.began.Before(since) {
				return c.now
			}
		default:
			return c.now
		}
	}
	look := &groupLook{plan: plan, began: time.Now(), done: make(chan struct{})}
	c.now = look
	go func() { // ends when the clusters are closed, if not before
		c.ask(look)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.now == look {
			c.last = look
		}
		close(look.done)
	}()
	return look
}

// lookAtGroups asks every cluster of the plan at once.
func (p *process) lookAtGroups(l *groupLook) {
	asked := map[string][]kafka.GroupTopic{}
	for i := range l.plan.Targets { // a cluster without groups is asked whether it is there
		asked[p.clusters.key(l.plan.Targets[i].Cluster)] = nil
	}
	for i := range l.plan.Consumers {
		consumer := &l.plan.Consumers[i]
		if consumer.Group == "" || consumer.Topic == "" {
			continue
		}
		key := p.clusters.key(consumer.Cluster)
		asked[key] = append(asked[key], kafka.GroupTopic{Group: consumer.Group, Topic: consumer.Topic})
	}
	ctx, cancel := context.WithTimeout(context.Background(), groupsStale)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	l.groups, l.errs = map[kafka.GroupTopic]kafka.GroupState{}, map[string]error{}
	for key, groups := range asked {
		all.Go(func() {
			states, err := p.askCluster(ctx, key, groups)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				l.errs[key] = err
				p.logger.Debug("group states are not known", "cluster", key, "reason", err)
			}
			for group, state := range states {
				l.groups[group] = state
			}
		})
	}
	all.Wait()
}

func (p *process) askCluster(ctx context.Context, key string, groups []kafka.GroupTopic) (map[kafka.GroupTopic]kafka.GroupState, error) {
	cluster := p.clusters.get(key)
	if len(groups) == 0 {
		return nil, cluster.Ping(ctx)
	}
	return cluster.Groups(ctx, groups)
}
