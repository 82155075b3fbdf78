package app

import (
	"fmt"

	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/status"
)

// runName is the name under which the dispatcher runs a consumer: a KafkaSource
// is one for each of its topics.
func runName(c *resources.Consumer) string {
	if c.Records == nil {
		return c.Name
	}
	return c.Name + "#" + c.Topic
}

func records(c *resources.Consumer) *dispatcher.Records {
	if c.Records == nil {
		return nil
	}
	r := dispatcher.Records(*c.Records)
	return &r
}

// pinning lists the KafkaSources that have a usable topic without a first
// offset. All topics of a source share a group, and Kafka takes a first offset
// only while the group has no members: a source that gets another topic leaves
// its group until that is done. Without that, the topic would wait for ever.
func (p *process) pinning(plan *resources.Plan) map[resources.Ref]bool {
	var sources map[resources.Ref]bool
	for i := range plan.Consumers {
		c := &plan.Consumers[i]
		if c.Records == nil {
			continue
		}
		if topic, known := p.topology.topic(p.clusters.key(c.Cluster), c.Topic); !known || topic.Err != nil {
			continue // the other topics need not wait for it
		}
		if done, _ := p.topology.pinned(p.groupOf(c)); !done {
			if sources == nil {
				sources = map[resources.Ref]bool{}
			}
			sources[c.Ref] = true
		}
	}
	return sources
}

// kafkaSource is a KafkaSource: the worst of its topics.
func (v *view) kafkaSource(o *resources.Object, consumers []*resources.Consumer) status.Object {
	object := v.base(o)
	object.Status.SinkURI = o.SubscriberURI
	for _, c := range consumers {
		topic := status.Object{Kind: o.Kind}
		v.sourceTopic(&topic, c)
		v.deadLetterTopic(&topic, c)
		v.progress(&topic, c)
		for _, condition := range topic.Status.Conditions {
			worsen(&object, condition)
		}
		object.Status.Delivery = addDelivery(object.Status.Delivery, topic.Status.Delivery)
		object.EffectiveDelivery = effectiveDelivery(c)
	}
	return object
}

// sourceTopic says how far one topic of a source is.
func (v *view) sourceTopic(object *status.Object, c *resources.Consumer) {
	topic, known := v.p.topology.topic(v.p.clusters.key(c.Cluster), c.Topic)
	switch {
	case !known:
		setUnknown(object, "ConnectionEstablished", "TopicNotChecked", fmt.Sprintf("topic %s is not checked yet: Kafka has not answered", c.Topic))
	case topic.Err != nil:
		reason, message := topicReason(topic.Err)
		object.SetCondition(status.Condition{Type: "ConnectionEstablished", Status: status.False, Reason: reason, Message: message})
	default:
		missingTrue(object, "ConnectionEstablished")
	}
	if done, err := v.p.topology.pinned(v.p.groupOf(c)); done {
		missingTrue(object, "InitialOffsetsCommitted")
	} else {
		message := fmt.Sprintf("group %s has no first offset for topic %s yet", c.Group, c.Topic)
		if err != nil {
			message += ": " + err.Error()
		}
		setUnknown(object, "InitialOffsetsCommitted", "OffsetsNotPinned", message)
	}
	v.running(object, "ConsumerGroup", c)
}

// badness orders conditions: bad news hides what is not known, and that hides
// good news.
func badness(c *status.Condition) int {
	switch {
	case !c.Bad():
		return 0
	case c.Status == status.Unknown:
		return 1
	}
	return 2
}

// worsen sets a condition unless a worse one of its type is there.
func worsen(object *status.Object, c status.Condition) {
	if old := object.Condition(c.Type); old != nil && badness(old) >= badness(&c) {
		return
	}
	object.SetCondition(c)
}

// addDelivery sums up figures of several topics.
func addDelivery(sum, more *status.Delivery) *status.Delivery {
	if sum == nil || more == nil {
		return more
	}
	if sum.Lag == nil || more.Lag == nil {
		sum.Lag = nil
	} else {
		lag := *sum.Lag + *more.Lag
		sum.Lag = &lag
	}
	if sum.Instance == "" {
		sum.Instance = more.Instance
	}
	sum.InFlight, sum.Waiting, sum.Held = sum.InFlight+more.InFlight, sum.Waiting+more.Waiting, sum.Held+more.Held
	sum.OldestUnsettledSeconds = max(sum.OldestUnsettledSeconds, more.OldestUnsettledSeconds)
	if sum.LastSuccess == nil || more.LastSuccess != nil && more.LastSuccess.After(*sum.LastSuccess) {
		sum.LastSuccess = more.LastSuccess
	}
	if sum.LastFailure == nil || more.LastFailure != nil && more.LastFailure.Time.After(sum.LastFailure.Time) {
		sum.LastFailure = more.LastFailure
	}
	return sum
}
