package app

import (
	"fmt"
	"slices"
	"strings"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/sources"
	"kurier.dev/kurier/receiver"
)

// batchOverhead is what Kafka's record batch adds to a record, at most: the
// batch header of 61 bytes and the record's own lengths and deltas.
const batchOverhead = 128

// wantedBy lists, by cluster, the topics and groups that a plan needs.
func (p *process) wantedBy(plan *resources.Plan) map[string]*wanted {
	want := map[string]*wanted{}
	at := func(cluster string) *wanted {
		key := p.clusters.key(cluster)
		if want[key] == nil {
			want[key] = &wanted{topics: map[string]wantedTopic{}, groups: map[kafka.GroupTopic]wantedGroup{}}
		}
		return want[key]
	}
	for _, topic := range plan.Topics {
		at(topic.Cluster).topics[topic.Name] = wantedTopic{spec: kafka.TopicSpec{
			Name: topic.Name, Partitions: topic.Partitions, Replication: topic.Replication, Config: topic.Config, Create: topic.Create,
		}}
	}
	for i := range plan.Consumers {
		c := &plan.Consumers[i]
		if c.Topic == "" || c.Group == "" {
			continue
		}
		on := at(c.Cluster)
		on.groups[kafka.GroupTopic{Group: c.Group, Topic: c.Topic}] = p.groupOf(c)
		if name := c.DeadLetter.Topic; name != "" && !c.DeadLetter.Drop {
			if there, taken := on.topics[name]; !taken || len(there.sources) > 0 {
				on.topics[name] = wantedTopic{sources: append(there.sources, c.Topic), spec: kafka.TopicSpec{Name: name, Create: true}}
			}
		}
	}
	return want
}

// groupOf names a consumer's group and where it begins.
func (p *process) groupOf(c *resources.Consumer) wantedGroup {
	return wantedGroup{
		place: place{p.clusters.key(c.Cluster), c.Topic},
		group: c.Group,
		at:    kafka.Initial{Kind: initialKinds[c.InitialOffset.Kind], Time: c.InitialOffset.Time},
	}
}

var initialKinds = map[resources.OffsetKind]kafka.InitialKind{
	resources.Latest: kafka.Latest, resources.Earliest: kafka.Earliest, resources.Timestamp: kafka.Timestamp,
}

// routes are the ingress addresses of a plan as they can be used now.
func (p *process) routes(plan *resources.Plan) []receiver.Route {
	pinned := p.pinnedTopics(plan)
	routes := make([]receiver.Route, 0, len(plan.Targets))
	for _, target := range plan.Targets {
		route := receiver.Route{
			Kind: routeKind(target), Namespace: target.Namespace, Name: target.Name, Path: target.Path, Hosts: target.Hosts,
			Topic: target.Topic, Structured: target.Structured,
		}
		route.Unavailable = p.unavailable(target, pinned)
		if route.Unavailable == "" {
			topic, _ := p.topology.topic(p.clusters.key(target.Cluster), target.Topic)
			route.Producer = p.clusters.get(target.Cluster)
			if topic.Info.MaxMessageBytes > 0 {
				route.MaxBytes = topic.Info.MaxMessageBytes - batchOverhead
			}
		}
		routes = append(routes, route)
	}
	return routes
}

func routeKind(target resources.Target) receiver.Kind {
	switch {
	case target.Broker:
		return receiver.Broker
	case strings.HasPrefix(target.Path, "/sinks/"):
		return receiver.Sink
	}
	return receiver.Channel
}

// unavailable says why a target cannot take events yet; empty: it can.
func (p *process) unavailable(target resources.Target, pinned map[place]bool) string {
	if len(target.Blocked) > 0 {
		return target.Blocked[0].Message
	}
	at := place{p.clusters.key(target.Cluster), target.Topic}
	topic, known := p.topology.topic(at.cluster, at.topic)
	switch {
	case !known:
		return fmt.Sprintf("topic %s is not checked yet: Kafka has not answered", target.Topic)
	case topic.Err != nil:
		return topic.Err.Error()
	case !pinned[at]:
		return fmt.Sprintf("the consumer groups of topic %s have no first offset yet", target.Topic)
	}
	return ""
}

// pinnedTopics tells which topics may take events: those whose groups all have
// their first offset (DL-42: the receiver pins before it accepts), and those
// that were open once, since a reload goes on accepting.
func (p *process) pinnedTopics(plan *resources.Plan) map[place]bool {
	missing := map[place]bool{}
	for i := range plan.Consumers {
		if plan.Consumers[i].Records != nil {
			continue // others fill this topic too: events are not held back for a KafkaSource
		}
		group := p.groupOf(&plan.Consumers[i])
		if done, _ := p.topology.pinned(group); !done {
			missing[group.place] = true
		}
	}
	for _, target := range plan.Targets {
		at := place{p.clusters.key(target.Cluster), target.Topic}
		if !missing[at] {
			p.opened[at] = true
		}
	}
	return p.opened
}

// subscriptions are the consumers that can run now.
func (p *process) subscriptions(plan *resources.Plan) []dispatcher.Subscription {
	var subscriptions []dispatcher.Subscription
	pinning := p.pinning(plan)
	for i := range plan.Consumers {
		c := &plan.Consumers[i]
		group := p.groupOf(c)
		if pinning[c.Ref] || len(p.blocked(plan, c)) > 0 || !p.started[group] && len(p.waits(c)) > 0 {
			continue
		}
		p.started[group] = true
		order, err := consumer.ParseOrder(c.Order)
		if err != nil {
			p.logger.Error("subscription is not started", "name", c.String(), "reason", err)
			continue
		}
		subscriptions = append(subscriptions, dispatcher.Subscription{
			Kind: c.Kind, Namespace: c.Namespace, Name: runName(c),
			Cluster: p.clusters.key(c.Cluster), Topic: c.Topic, Group: c.Group, Records: records(c),
			Attributes: c.Attributes, Filters: c.Filters,
			Subscriber: p.destination(c.Subscriber),
			Reply:      dispatcher.Reply{Kind: replyKinds[c.Reply.Kind], Destination: p.destination(c.Reply.Destination), BrokerURL: c.Reply.BrokerURL},
			Delivery:   p.delivery(c.Delivery),
			DeadLetter: dispatcher.DeadLetterPolicy(c.DeadLetter),
			Order:      order, Concurrency: c.Concurrency,
		})
	}
	return subscriptions
}

var replyKinds = map[resources.ReplyKind]dispatcher.ReplyKind{
	resources.ReplyNone: dispatcher.ReplyNone, resources.ReplyURL: dispatcher.ReplyURL, resources.ReplyBroker: dispatcher.ReplyBroker,
}

func (p *process) destination(d resources.Destination) dispatcher.Destination {
	to := dispatcher.Destination{URL: d.URL, CACerts: d.CACerts, Topic: d.Topic, Structured: d.Structured, OwnBroker: d.OwnBroker}
	if d.Topic != "" {
		to.Cluster = p.clusters.key(d.Cluster)
	}
	return to
}

func (p *process) delivery(d resources.Delivery) dispatcher.Delivery {
	effective := dispatcher.Delivery{
		Retry: d.Retry, Timeout: d.Timeout, Policy: dispatcher.Policy(d.Policy), Delay: d.Delay,
		BackoffMax: d.BackoffMax, RetryAfterMax: d.RetryAfterMax, Format: dispatcher.Format(d.Format),
	}
	if d.DeadLetterSink != nil {
		sink := p.destination(*d.DeadLetterSink)
		effective.DeadLetterSink = &sink
	}
	return effective
}

// notStarted says, as conditions, what a consumer still waits for before it can
// join its group; none: it can.
func (p *process) notStarted(plan *resources.Plan, c *resources.Consumer) []resources.Condition {
	if blocked := p.blocked(plan, c); len(blocked) > 0 {
		return blocked
	}
	return p.waits(c)
}

// blocked is what the manifests have against a consumer.
func (p *process) blocked(plan *resources.Plan, c *resources.Consumer) []resources.Condition {
	if len(c.Blocked) > 0 {
		return c.Blocked
	}
	if !c.Dependency.IsZero() && !p.dependencyReady(plan, c.Dependency) {
		return []resources.Condition{{Type: "DependencyReady", Status: resources.False, Reason: "DependencyNotReady", Message: fmt.Sprintf("%s is not ready", c.Dependency)}}
	}
	return nil
}

// waits is what Kafka does not hold yet. It keeps a consumer from being started;
// one that runs goes on by itself whatever a later look at Kafka says.
func (p *process) waits(c *resources.Consumer) []resources.Condition {
	waits := func(reason, message string) []resources.Condition {
		return []resources.Condition{{Status: resources.Unknown, Reason: reason, Message: message}}
	}
	key := p.clusters.key(c.Cluster)
	topic, known := p.topology.topic(key, c.Topic)
	switch {
	case !known:
		return waits("TopicNotChecked", fmt.Sprintf("topic %s is not checked yet: Kafka has not answered", c.Topic))
	case topic.Err != nil:
		return waits("TopicNotReady", topic.Err.Error())
	}
	if done, err := p.topology.pinned(p.groupOf(c)); !done {
		message := "the first offset of group " + c.Group + " is not committed yet"
		if err != nil {
			message += ": " + err.Error()
		}
		return waits("OffsetsNotPinned", message)
	}
	if name := c.DeadLetter.Topic; name != "" && !c.DeadLetter.Drop {
		if _, known := p.topology.topic(key, name); !known {
			return waits("DeadLetterTopicNotChecked", "dead letter topic "+name+" is not checked yet")
		}
	}
	return nil
}

// dependencyReady tells whether the object a Trigger depends on is there and
// has nothing against it.
func (p *process) dependencyReady(plan *resources.Plan, ref resources.Ref) bool {
	object := plan.Object(ref)
	return object != nil && !slices.ContainsFunc(object.Conditions, func(c resources.Condition) bool { return c.Status == resources.False })
}

// clustersOf are the keys of the clusters that a plan needs.
func (p *process) clustersOf(plan *resources.Plan) map[string]bool {
	keys := map[string]bool{}
	for i := range plan.Topics {
		keys[p.clusters.key(plan.Topics[i].Cluster)] = true
	}
	for i := range plan.Consumers {
		if c := &plan.Consumers[i]; c.Topic != "" && c.Group != "" {
			keys[p.clusters.key(c.Cluster)] = true
		}
	}
	return keys
}

// pings are the sources that can fire.
func (p *process) pings(plan *resources.Plan) []sources.Ping {
	var pings []sources.Ping
	for _, ping := range plan.Pings {
		if len(ping.Blocked) > 0 {
			continue
		}
		pings = append(pings, sources.Ping{
			Namespace: ping.Namespace, Name: ping.Name, Schedule: ping.Schedule, Timezone: ping.Timezone,
			ContentType: ping.ContentType, Data: ping.Data, Extensions: ping.Extensions,
			Target: sources.Target{URL: ping.Sink.URL, CACerts: ping.Sink.CACerts},
		})
	}
	return pings
}
