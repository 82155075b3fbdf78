package app

import (
	"errors"
	"slices"

	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/status"
)

// missing sets a condition to False unless the manifests have decided it.
func missing(object *status.Object, conditionType, reason, message string) {
	if object.Condition(conditionType) == nil {
		object.SetCondition(status.Condition{Type: conditionType, Status: status.False, Reason: reason, Message: message})
	}
}

// missingTrue sets conditions to True unless the manifests have decided them.
func missingTrue(object *status.Object, conditionTypes ...string) {
	for _, conditionType := range conditionTypes {
		if object.Condition(conditionType) == nil {
			object.SetCondition(status.Condition{Type: conditionType, Status: status.True})
		}
	}
}

func setUnknown(object *status.Object, conditionType, reason, message string) {
	object.SetCondition(status.Condition{Type: conditionType, Status: status.Unknown, Reason: reason, Message: message})
}

// noSink says so where the manifests name no dead letter sink.
func noSink(object *status.Object) {
	if object.Condition("DeadLetterSinkResolved") == nil {
		object.SetCondition(status.Condition{
			Type: "DeadLetterSinkResolved", Status: status.True, Reason: "DeadLetterSinkNotConfigured", Message: "No dead letter sink is configured.",
		})
	}
}

// keepSet takes out the conditions that the object's kind does not have.
func keepSet(object *status.Object) {
	set := status.Set(object.Kind)
	object.Status.Conditions = slices.DeleteFunc(object.Status.Conditions, func(c status.Condition) bool {
		return !slices.Contains(set, c.Type) && c.Status == status.True
	})
}

func asTopicError(err error) (*kafka.TopicError, bool) {
	var topic *kafka.TopicError
	ok := errors.As(err, &topic)
	return topic, ok
}
