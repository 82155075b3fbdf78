package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/status"
)

const conditionsManifests = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: b}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: t}
spec: {broker: b, subscriber: {uri: "http://s"}}
---
apiVersion: sources.knative.dev/v1
kind: KafkaSource
metadata: {name: k}
spec: {bootstrapServers: ["k:1"], topics: [records], sink: {uri: "http://s"}}
`

// conditionsRig is a view of manifests on a Kafka that says what a test wants.
type conditionsRig struct {
	*view
	broker, trigger, source *resources.Object
	consumer                *resources.Consumer // the Trigger's
	records                 *resources.Consumer // the KafkaSource's
}

func newConditionsRig(t *testing.T) *conditionsRig {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(conditionsManifests), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := resources.Load(dir, resources.Options{IngressURL: "http://i", Bootstrap: "k:1"})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{config: &Config{MaxEventBytes: 1 << 20}, clusters: newClusters([]string{"k:1"}, "i", slog.New(slog.DiscardHandler)), topology: &topology{}}
	p.topology.start(context.Background())
	r := &conditionsRig{view: &view{p: p, plan: plan, ready: map[resources.Ref]*status.Object{}, look: &groupLook{groups: map[kafka.GroupTopic]kafka.GroupState{}}, fresh: true}}
	for _, o := range plan.Objects {
		switch o.Kind {
		case "Broker":
			r.broker = o
		case "Trigger":
			r.trigger = o
		case "KafkaSource":
			r.source = o
		}
	}
	for i := range plan.Consumers {
		if c := &plan.Consumers[i]; c.Kind == "Trigger" {
			r.consumer = c
		} else {
			r.records = c
		}
	}
	return r
}

func (r *conditionsRig) topic(name string, result kafka.TopicResult) {
	r.p.topology.topics[place{"k:1", name}] = result
}

func (r *conditionsRig) pin(c *resources.Consumer, err error) {
	r.p.topology.pins[r.p.groupOf(c)] = err
}

func (r *conditionsRig) group(c *resources.Consumer, state kafka.GroupState) {
	r.look.groups[kafka.GroupTopic{Group: c.Group, Topic: c.Topic}] = state
}

// usable makes everything be there that the consumer needs before its group.
func (r *conditionsRig) usable(c *resources.Consumer) {
	r.topic(c.Topic, kafka.TopicResult{})
	r.topic(c.DeadLetter.Topic, kafka.TopicResult{})
	r.pin(c, nil)
}

var onePartition = []kafka.PartitionState{{}}

func topicError(reason string) kafka.TopicResult {
	return kafka.TopicResult{Err: &kafka.TopicError{Topic: "t", Reason: reason, Message: "says Kafka"}}
}

// TestTriggerReasons is 6.10: each step to a Trigger that runs, with its reason.
func TestTriggerReasons(t *testing.T) {
	for _, row := range []struct {
		name  string
		given func(*conditionsRig)
		want  string // of SubscriptionReady
	}{
		{"topic_not_checked", func(*conditionsRig) {}, "Unknown TopicNotChecked: topic knative-broker-default-b is not checked yet"},
		{"topic_not_ready", func(r *conditionsRig) { r.topic(r.consumer.Topic, topicError(kafka.ReasonTopicMissing)) }, "Unknown TopicNotReady: says Kafka"},
		{"not_pinned", func(r *conditionsRig) { r.topic(r.consumer.Topic, kafka.TopicResult{}) }, "Unknown OffsetsNotPinned: the first offset of group"},
		{"pin_failed", func(r *conditionsRig) {
			r.topic(r.consumer.Topic, kafka.TopicResult{})
			r.pin(r.consumer, errors.New("no coordinator"))
		}, "is not committed yet: no coordinator"},
		{"dead_letter_topic", func(r *conditionsRig) {
			r.topic(r.consumer.Topic, kafka.TopicResult{})
			r.pin(r.consumer, nil)
		}, "Unknown DeadLetterTopicNotChecked: dead letter topic"},
		{"kafka_silent", func(r *conditionsRig) { r.usable(r.consumer) }, "Unknown KafkaUnreachable: Kafka does not tell about group"},
		{"kafka_refuses", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{Err: errors.New("not allowed")})
		}, "not allowed"},
		{"partition_not_pinned", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{State: "Stable", Partitions: onePartition, Unpinned: []int32{3}})
		}, "False OffsetsNotPinned: partitions [3] of"},
		{"joining", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{State: "PreparingRebalance", Partitions: onePartition})
		}, "False JoiningGroup: group knative-trigger-default-t is preparingrebalance"},
		{"nobody", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{Partitions: onePartition})
		}, "is not known to Kafka: a dispatcher joins, or none runs"},
		{"runs", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{State: "Stable", Partitions: onePartition})
		}, "True"},
		{"idle_dispatchers", func(r *conditionsRig) {
			r.usable(r.consumer)
			r.group(r.consumer, kafka.GroupState{State: "Stable", Partitions: onePartition, Members: []kafka.GroupMember{{Partitions: []int32{0}}, {}}})
		}, "True : 1 of 2 dispatchers have no partition: the topic has 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newConditionsRig(t)
			row.given(r)
			object := r.base(r.trigger)
			r.running(&object, "SubscriptionReady", r.consumer)
			checkCondition(t, &object, "SubscriptionReady", row.want)
		})
	}
}

func checkCondition(t *testing.T, object *status.Object, conditionType, want string) {
	t.Helper()
	c := object.Condition(conditionType)
	if c == nil {
		t.Fatalf("there is no condition %s", conditionType)
	}
	if got := c.Status + " " + c.Reason + ": " + c.Message; !strings.Contains(got, want) {
		t.Errorf("%s is %s, want %s", conditionType, got, want)
	}
}

// TestTopicReasons is 6.10: what a Broker says of its topic, and a KafkaSource.
func TestTopicReasons(t *testing.T) {
	reasons := []string{kafka.ReasonTopicMissing, kafka.ReasonNotAuthorized, kafka.ReasonTooManyReplicas, kafka.ReasonInvalidTopic, kafka.ReasonKafkaUnreachable, kafka.ReasonTopicNotUsableYet}
	for _, reason := range reasons {
		t.Run(reason, func(t *testing.T) {
			r := newConditionsRig(t)
			r.topic(r.broker.Topic, topicError(reason))
			r.topic("records", topicError(reason))
			object := r.addressable(r.broker, &r.plan.Targets[0])
			checkCondition(t, &object, "TopicReady", "False "+reason+": says Kafka")
			source := r.kafkaSource(r.source, []*resources.Consumer{r.records})
			checkCondition(t, &source, "ConnectionEstablished", "False "+reason+": says Kafka")
			trigger := r.base(r.trigger)
			r.topic(r.consumer.DeadLetter.Topic, topicError(reason))
			r.deadLetterTopic(&trigger, r.consumer)
			checkCondition(t, &trigger, status.TypeDeadLetterTopicReady, "False "+reason+": says Kafka; create it beforehand")
		})
	}
	r := newConditionsRig(t)
	object := r.addressable(r.broker, &r.plan.Targets[0])
	checkCondition(t, &object, "TopicReady", "Unknown TopicNotChecked")
	checkCondition(t, &object, "DataPlaneAvailable", "Unknown KafkaUnreachable")
	trigger := r.base(r.trigger)
	r.deadLetterTopic(&trigger, r.consumer)
	checkCondition(t, &trigger, status.TypeDeadLetterTopicReady, "Unknown TopicNotChecked")
	r.parent(&trigger, "BrokerReady", r.consumer)
	checkCondition(t, &trigger, "BrokerReady", "Unknown NotFound")
	source := r.kafkaSource(r.source, []*resources.Consumer{r.records})
	checkCondition(t, &source, "ConnectionEstablished", "Unknown TopicNotChecked")
	checkCondition(t, &source, "InitialOffsetsCommitted", "Unknown OffsetsNotPinned")
	r.topic(r.broker.Topic, kafka.TopicResult{Info: kafka.TopicInfo{Warning: "3 partitions", MaxMessageBytes: 1000}})
	object = r.addressable(r.broker, &r.plan.Targets[0])
	checkCondition(t, &object, "TopicReady", "True : 3 partitions; MAX_EVENT_BYTES is 1048576 but the topic takes 1000 bytes at most")
	checkCondition(t, &object, "DataPlaneAvailable", "True")
}

// TestOwnReasons: the conditions that inform.
func TestOwnReasons(t *testing.T) {
	r := newConditionsRig(t)
	r.topic(r.consumer.Topic, kafka.TopicResult{Info: kafka.TopicInfo{Retention: time.Hour}})
	trigger := r.base(r.trigger)
	r.retention(&trigger, r.consumer, time.Now().Add(-31*time.Minute))
	checkCondition(t, &trigger, status.TypeRetentionAtRisk, "True OldEventUnsettled: the oldest unsettled event is 31m0s old")
	r.retention(&trigger, r.consumer, time.Now().Add(-10*time.Minute))
	checkCondition(t, &trigger, status.TypeRetentionAtRisk, "False")
	trigger.Status.Delivery = &status.Delivery{}
	r.local(&trigger, &dispatcher.Status{Error: "cannot join"})
	checkCondition(t, &trigger, status.TypeSubscriberHealthy, "False NotRunning: cannot join")
	r.errors = map[resources.Ref][]string{r.trigger.Ref: {"m.yaml:1: bad"}}
	trigger = r.base(r.trigger)
	checkCondition(t, &trigger, "ManifestAccepted", "False ManifestInError: the last good version is active; m.yaml:1: bad")
}

// TestParentWithoutAddress: a dispatcher that nobody told INGRESS_URL shows Brokers
// without an address, and Triggers that run all the same.
func TestParentWithoutAddress(t *testing.T) {
	for _, row := range []struct {
		name  string
		topic kafka.TopicResult
		want  string
	}{
		{"runs", kafka.TopicResult{}, "True"},
		{"another_reason_counts", topicError(kafka.ReasonTopicMissing), "False " + kafka.ReasonTopicMissing + ": says Kafka"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newConditionsRig(t)
			r.topic(r.consumer.Topic, row.topic)
			r.broker.Address, r.broker.Conditions = "", nil
			target := &resources.Target{Ref: r.broker.Ref, Topic: r.consumer.Topic}
			broker := r.addressable(r.broker, target)
			broker.Complete()
			checkCondition(t, &broker, "Addressable", "False IngressURLNotSet")
			r.ready[r.broker.Ref] = &broker
			trigger := r.base(r.trigger)
			r.parent(&trigger, "BrokerReady", r.consumer)
			checkCondition(t, &trigger, "BrokerReady", row.want)
		})
	}
}
