package app

import (
	"fmt"
	"time"

	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/status"
)

// progress adds how far a consumer has come: the lag as Kafka knows it, the
// rest as this process does, if it delivers for the object.
func (v *view) progress(object *status.Object, c *resources.Consumer) {
	delivery := &status.Delivery{}
	object.Status.Delivery = delivery
	// An older look would tell a number that is wrong by now: better none.
	if group, ok := v.look.groups[kafka.GroupTopic{Group: c.Group, Topic: c.Topic}]; ok && v.fresh && group.Pinned() {
		lag := group.Lag
		delivery.Lag = &lag
	}
	if v.p.dispatcher == nil {
		return
	}
	s, ok := v.p.dispatcher.Status(c.Kind, c.Namespace, runName(c))
	if !ok {
		return
	}
	v.local(object, &s)
	v.retention(object, c, s.Consumer.OldestUnsettled)
}

// local fills in what this process knows.
func (v *view) local(object *status.Object, s *dispatcher.Status) {
	delivery := object.Status.Delivery
	delivery.Instance = v.p.config.InstanceName
	delivery.InFlight, delivery.Held = s.Consumer.InFlight, s.Consumer.Held
	delivery.Waiting = max(0, s.Consumer.Waiting-s.Consumer.Held)
	if !s.Consumer.OldestUnsettled.IsZero() {
		delivery.OldestUnsettledSeconds = max(0, time.Since(s.Consumer.OldestUnsettled).Seconds())
	}
	if !s.LastSuccess.IsZero() {
		at := s.LastSuccess.UTC()
		delivery.LastSuccess = &at
	}
	if f := s.LastFailure; f != nil {
		delivery.LastFailure = failureOf(f)
	}
	own(object, status.TypeSubscriberHealthy, s.SubscriberHealthy)
	own(object, status.TypeDeadLetterSinkHealthy, s.DeadLetterSinkHealthy)
	own(object, status.TypeWindowFull, s.WindowFull)
	if s.Error != "" {
		object.SetCondition(status.Condition{Type: status.TypeSubscriberHealthy, Status: status.False, Reason: "NotRunning", Message: s.Error})
	}
}

func own(object *status.Object, conditionType string, c dispatcher.Condition) {
	object.SetCondition(status.Condition{
		Type: conditionType, Status: c.Status, Reason: c.Reason, Message: c.Message, LastTransitionTime: c.Since.Truncate(time.Second),
	})
}

// retention warns before Kafka takes what is not settled.
func (v *view) retention(object *status.Object, c *resources.Consumer, oldest time.Time) {
	topic, ok := v.p.topology.topic(v.p.clusters.key(c.Cluster), c.Topic)
	if !ok || topic.Err != nil {
		return
	}
	condition := status.Condition{Type: status.TypeRetentionAtRisk, Status: status.False}
	if keeps := topic.Info.Retention; keeps > 0 && !oldest.IsZero() && time.Since(oldest) > keeps/2 {
		condition = status.Condition{
			Type: status.TypeRetentionAtRisk, Status: status.True, Reason: "OldEventUnsettled",
			Message: fmt.Sprintf("the oldest unsettled event is %s old and topic %s keeps events for %s: repair the subscriber or the dead letter sink, or raise the topic's retention",
				time.Since(oldest).Truncate(time.Second), c.Topic, keeps),
		}
	}
	object.SetCondition(condition)
}

func failureOf(f *dispatcher.Failure) *status.Failure {
	failure := status.Failure(*f)
	return &failure
}
