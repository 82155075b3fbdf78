package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"kurier.dev/kurier/internal/kafka"
)

// deadLetterRoom is how much larger than its source a dead letter topic's
// max.message.bytes is: an event carries its error extensions there.
const deadLetterRoom = 64 << 10

// recheck is how often topics that are fine are looked at again: one may have
// been deleted, or have got more partitions.
const recheck = 30 * time.Second

// place names a topic of one cluster.
type place struct{ cluster, topic string }

// wantedTopic is a topic that must exist before what uses it is ready.
type wantedTopic struct {
	spec kafka.TopicSpec
	// sources are the topics that a dead letter topic belongs to: partitions,
	// replication and record size follow the first usable one. Empty: not a dead
	// letter topic.
	sources []string
}

// wantedGroup is a consumer group whose first offset must be committed.
type wantedGroup struct {
	place
	group string
	at    kafka.Initial
}

// wanted is what one cluster should hold.
type wanted struct {
	topics map[string]wantedTopic
	groups map[kafka.GroupTopic]wantedGroup
}

// topology makes Kafka hold what the manifests want: topics first, then the
// first offset of every group that reads them (DL-42). Each cluster has a
// worker of its own, so that one that cannot be reached delays no other.
// Nothing is ever deleted. Safe for concurrent use.
type topology struct {
	clusters  *clusters
	logger    *slog.Logger
	onChange  func() // called, without locks, when an answer below changed
	single    bool   // one node: replication is 1 whatever the manifests say
	retention string // retention.ms of dead letter topics

	mu      sync.Mutex
	want    map[string]*wanted
	workers map[string]chan struct{} // wakes the worker of a cluster
	topics  map[place]kafka.TopicResult
	checked map[place]kafka.TopicSpec // what a usable topic was last compared with
	pins    map[wantedGroup]error     // nil: pinned
	running sync.WaitGroup
	ctx     context.Context
}

// start lets workers run until ctx ends. Call it before set.
func (t *topology) start(ctx context.Context) {
	t.ctx = ctx
	t.want, t.workers = map[string]*wanted{}, map[string]chan struct{}{}
	t.topics, t.checked, t.pins = map[place]kafka.TopicResult{}, map[place]kafka.TopicSpec{}, map[wantedGroup]error{}
}

// set replaces what is wanted, by cluster key, and wakes the workers.
func (t *topology) set(want map[string]*wanted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.want = want
	for key := range want {
		wake, ok := t.workers[key]
		if !ok {
			wake = make(chan struct{}, 1)
			t.workers[key] = wake
			t.running.Go(func() { t.work(key, wake) })
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// wait returns when every worker has ended.
func (t *topology) wait() { t.running.Wait() }

// topic returns what is known of a topic; ok is false before the first answer.
func (t *topology) topic(cluster, name string) (result kafka.TopicResult, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	result, ok = t.topics[place{cluster, name}]
	return result, ok
}

// pinned reports whether a group has its first offset, and why not.
func (t *topology) pinned(group wantedGroup) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err, ok := t.pins[group]
	return ok && err == nil, err
}

// work converges one cluster: at once when the wanted set changes, with a
// growing pause while something fails, now and then otherwise. Topics that are
// fine are asked about only now and then: there may be thousands, and what is
// new should not wait for them.
func (t *topology) work(key string, wake <-chan struct{}) {
	pause := 250 * time.Millisecond
	var last time.Time // of the last look at everything
	for {
		everything := time.Since(last) >= recheck
		if everything {
			last = time.Now()
		}
		complete := t.pass(key, everything)
		next := recheck
		if complete {
			pause = 250 * time.Millisecond
		} else {
			next = pause
			pause = min(2*pause, 5*time.Second)
		}
		timer := time.NewTimer(next)
		select {
		case <-t.ctx.Done():
			timer.Stop()
			return
		case <-wake:
			pause = 250 * time.Millisecond
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pass does what can be done now and reports whether that is everything. Unless
// it is told to look at everything, topics that are fine count as they are.
func (t *topology) pass(key string, everything bool) bool {
	t.mu.Lock()
	want := t.want[key]
	t.mu.Unlock()
	if want == nil {
		return true
	}
	cluster := t.clusters.get(key)
	if err := cluster.WaitReady(t.ctx); err != nil {
		return false
	}
	complete := t.ensure(key, cluster, t.open(key, want.specs(t.single), everything))
	complete = t.ensure(key, cluster, t.open(key, t.deadLetterSpecs(key, want), everything)) && complete
	return t.pin(key, cluster, want) && complete
}

// specs are the topics that stand for themselves.
func (w *wanted) specs(single bool) []kafka.TopicSpec {
	var specs []kafka.TopicSpec
	for _, topic := range w.topics {
		if len(topic.sources) > 0 {
			continue
		}
		spec := topic.spec
		if single && spec.Create {
			spec.Replication = 1
		}
		specs = append(specs, spec)
	}
	return specs
}

// deadLetterSpecs are the dead letter topics whose source topic is known, in
// its shape.
func (t *topology) deadLetterSpecs(key string, want *wanted) []kafka.TopicSpec {
	var specs []kafka.TopicSpec
	for _, topic := range want.topics {
		source, ok := t.firstUsable(key, topic.sources)
		if !ok {
			continue
		}
		spec := topic.spec
		spec.Partitions, spec.Replication = source.Info.Partitions, source.Info.Replication
		spec.Config = maps.Clone(spec.Config)
		if spec.Config == nil {
			spec.Config = map[string]string{}
		}
		spec.Config["retention.ms"] = t.retention
		if source.Info.MaxMessageBytes > 0 {
			spec.Config["max.message.bytes"] = strconv.Itoa(source.Info.MaxMessageBytes + deadLetterRoom)
		}
		specs = append(specs, spec)
	}
	return specs
}

// open are the topics that must be asked about.
func (t *topology) open(key string, specs []kafka.TopicSpec, everything bool) []kafka.TopicSpec {
	if everything {
		return specs
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(specs, func(spec kafka.TopicSpec) bool {
		at := place{key, spec.Name}
		topic, known := t.topics[at]
		was, compared := t.checked[at]
		return known && compared && topic.Err == nil && was.Partitions == spec.Partitions && was.Replication == spec.Replication &&
			was.Create == spec.Create && maps.Equal(was.Config, spec.Config)
	})
}

func (t *topology) firstUsable(key string, topics []string) (kafka.TopicResult, bool) {
	for _, name := range topics {
		if topic, ok := t.topic(key, name); ok && topic.Err == nil {
			return topic, true
		}
	}
	return kafka.TopicResult{}, false
}

func (t *topology) ensure(key string, cluster *kafka.Cluster, specs []kafka.TopicSpec) bool {
	if len(specs) == 0 {
		return true
	}
	results := cluster.EnsureTopics(t.ctx, specs)
	if t.ctx.Err() != nil {
		return false
	}
	complete, changed := true, false
	var created []string
	t.mu.Lock()
	for _, spec := range specs {
		name, result := spec.Name, results[spec.Name]
		at := place{key, name}
		old, known := t.topics[at]
		if e, ok := asTopicError(result.Err); ok && e.Temporary() && known && old.Err == nil {
			complete = false // Kafka stutters: what was usable stays so until it says otherwise
			delete(t.checked, at)
			continue
		}
		changed = changed || !known || old.Info != result.Info || fmt.Sprint(old.Err) != fmt.Sprint(result.Err)
		if result.Err != nil {
			complete = false
			if !known || fmt.Sprint(old.Err) != fmt.Sprint(result.Err) {
				t.logger.Warn("topic is not usable", "topic", name, "reason", result.Err)
			}
		} else {
			t.noteTopic(at, old, result)
			if result.Info.Created {
				created = append(created, fmt.Sprintf("%s (%d partitions, replication %d)", name, result.Info.Partitions, result.Info.Replication))
			}
		}
		t.topics[at], t.checked[at] = result, spec
	}
	t.mu.Unlock()
	if len(created) > 0 {
		slices.Sort(created)
		t.logger.Info("topics created", "topics", created)
	}
	if changed {
		t.onChange()
	}
	return complete
}

// noteTopic logs what is new about a usable topic and forgets the pins of one
// that was deleted and created again. Callers hold the lock.
func (t *topology) noteTopic(at place, old, now kafka.TopicResult) {
	if now.Info.Warning != "" && now.Info.Warning != old.Info.Warning {
		t.logger.Warn("topic differs from its manifest", "topic", at.topic, "reason", now.Info.Warning)
	}
	if old.Info.ID != now.Info.ID {
		maps.DeleteFunc(t.pins, func(g wantedGroup, _ error) bool { return g.place == at })
	}
}

// pin commits the first offset of every group that has none yet and whose
// topic is usable.
func (t *topology) pin(key string, cluster *kafka.Cluster, want *wanted) bool {
	complete := true
	var specs []kafka.PinSpec
	groups := map[kafka.GroupTopic]wantedGroup{}
	for _, group := range want.groups {
		if done, _ := t.pinned(group); done {
			continue
		}
		if topic, ok := t.topic(key, group.topic); !ok || topic.Err != nil {
			complete = false
			continue
		}
		at := kafka.GroupTopic{Group: group.group, Topic: group.topic}
		groups[at] = group
		specs = append(specs, kafka.PinSpec{GroupTopic: at, At: group.at})
	}
	if len(specs) == 0 {
		return complete
	}
	results := cluster.PinAll(t.ctx, specs)
	if t.ctx.Err() != nil {
		return false
	}
	changed := false
	t.mu.Lock()
	for at, group := range groups {
		err := results[at]
		old, known := t.pins[group]
		if !known || fmt.Sprint(old) != fmt.Sprint(err) {
			changed = true
			if err != nil {
				t.logger.Warn("first offset is not committed yet", "group", at.Group, "topic", at.Topic, "reason", err)
			}
		}
		complete = complete && err == nil
		t.pins[group] = err
	}
	t.mu.Unlock()
	if changed {
		t.onChange()
	}
	return complete
}
