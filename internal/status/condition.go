package status

import (
	"slices"
	"time"
)

// Values of Condition.Status.
const (
	True    = "True"
	False   = "False"
	Unknown = "Unknown"
)

// TypeReady is the condition that sums up the others.
const TypeReady = "Ready"

// SeverityInfo marks a condition that Ready does not count.
const SeverityInfo = "Info"

// Condition is one thing that is so, is not so, or is not known yet.
type Condition struct {
	Type               string    `json:"type" yaml:"type"`
	Status             string    `json:"status" yaml:"status"`
	Severity           string    `json:"severity,omitempty" yaml:"severity,omitempty"` // empty: part of Ready
	Reason             string    `json:"reason,omitempty" yaml:"reason,omitempty"`
	Message            string    `json:"message,omitempty" yaml:"message,omitempty"`
	LastTransitionTime time.Time `json:"lastTransitionTime,omitzero" yaml:"lastTransitionTime,omitempty"`
}

// Kurier's own conditions. They inform and are not part of Ready. WindowFull
// and RetentionAtRisk are bad news when True, the others when False.
const (
	TypeSubscriberHealthy     = "SubscriberHealthy"
	TypeDeadLetterSinkHealthy = "DeadLetterSinkHealthy"
	TypeDeadLetterTopicReady  = "DeadLetterTopicReady"
	TypeWindowFull            = "WindowFull"
	TypeRetentionAtRisk       = "RetentionAtRisk"
)

// Set lists the conditions that make up Ready for a kind, in the order in
// which they are shown; nil for a kind that has no set of its own, whose Ready
// counts whatever conditions it carries.
func Set(kind string) []string {
	switch kind {
	case "Broker":
		return []string{"Addressable", "TopicReady", "ConfigParsed", "DataPlaneAvailable", "DeadLetterSinkResolved"}
	case "Trigger":
		return []string{"BrokerReady", "SubscriptionReady", "DependencyReady", "SubscriberResolved", "DeadLetterSinkResolved"}
	case "Channel", "KafkaChannel", "InMemoryChannel":
		return []string{"Addressable", "ConfigurationReady", "TopicReady", "DeadLetterSinkResolved"}
	case "Subscription":
		return []string{"ReferencesResolved", "AddedToChannel", "ChannelReady"}
	case "Sequence", "Parallel":
		return []string{"ChannelsReady", "SubscriptionsReady", "Addressable"}
	case "KafkaSource":
		return []string{"SinkProvided", "ConnectionEstablished", "InitialOffsetsCommitted", "ConsumerGroup", "DeadLetterSinkResolved"}
	case "KafkaSink":
		return []string{"Addressable", "TopicReady", "ConfigParsed"}
	}
	return nil
}

// Informational tells whether a condition of this type is left out of Ready.
func Informational(conditionType string) bool {
	switch conditionType {
	case TypeSubscriberHealthy, TypeDeadLetterSinkHealthy, TypeDeadLetterTopicReady, TypeWindowFull, TypeRetentionAtRisk:
		return true
	}
	return false
}

// Bad tells whether the condition is worth a person's look: a part of Ready
// that is not True, or bad news of the informational ones.
func (c *Condition) Bad() bool {
	switch c.Type {
	case TypeWindowFull, TypeRetentionAtRisk:
		return c.Status == True
	case TypeSubscriberHealthy, TypeDeadLetterSinkHealthy, TypeDeadLetterTopicReady:
		return c.Status == False
	}
	return c.Status != True
}

// Condition returns the condition of a type, nil when the object has none.
func (o *Object) Condition(conditionType string) *Condition {
	i := slices.IndexFunc(o.Status.Conditions, func(c Condition) bool { return c.Type == conditionType })
	if i < 0 {
		return nil
	}
	return &o.Status.Conditions[i]
}

// SetCondition replaces the condition of c's type, or adds it.
func (o *Object) SetCondition(c Condition) {
	if old := o.Condition(c.Type); old != nil {
		*old = c
		return
	}
	o.Status.Conditions = append(o.Status.Conditions, c)
}

// Complete finishes the conditions of an object whose other conditions are
// set: those missing from the kind's set are added as Unknown, the own ones
// are marked informational, all are put in the order of the set, and Ready is
// computed and put first. Calling it again changes nothing.
func (o *Object) Complete() {
	set := Set(o.Kind)
	for _, wanted := range set {
		if o.Condition(wanted) == nil {
			o.SetCondition(Condition{Type: wanted, Status: Unknown})
		}
	}
	o.Status.Conditions = slices.DeleteFunc(o.Status.Conditions, func(c Condition) bool { return c.Type == TypeReady })
	for i := range o.Status.Conditions {
		if Informational(o.Status.Conditions[i].Type) {
			o.Status.Conditions[i].Severity = SeverityInfo
		}
	}
	slices.SortStableFunc(o.Status.Conditions, func(a, b Condition) int { return place(set, a.Type) - place(set, b.Type) })
	o.Status.Conditions = slices.Insert(o.Status.Conditions, 0, o.ready())
}

// place is where a condition stands: the kind's set first, then those of
// nobody's set, then the informational ones.
func place(set []string, conditionType string) int {
	if i := slices.Index(set, conditionType); i >= 0 {
		return i
	}
	if Informational(conditionType) {
		return len(set) + 1
	}
	return len(set)
}

// ready is the sum: the first False one, else the first Unknown one, else True.
func (o *Object) ready() Condition {
	sum := Condition{Type: TypeReady, Status: True}
	for _, c := range o.Status.Conditions {
		if c.Severity != "" || c.Status == True || sum.Status == False {
			continue
		}
		if c.Status == False || sum.Status == True {
			sum.Status, sum.Reason, sum.Message = c.Status, c.Reason, c.Message
			if sum.Status != False {
				sum.Status = Unknown
			}
		}
	}
	return sum
}

// Ready tells whether the object's Ready condition is True. Complete computes
// it; an object without one is not ready.
func (o *Object) Ready() bool {
	c := o.Condition(TypeReady)
	return c != nil && c.Status == True
}
