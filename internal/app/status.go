package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/iso8601"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/status"
)

var _ admin.Process = (*process)(nil)

// Ready returns why the process is not ready; empty means ready.
func (p *process) Ready() []string {
	switch {
	case p.draining.Load():
		return []string{"stopping"}
	case !p.running.Load():
		return []string{"starting: the manifests are not loaded yet"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	plan := p.manifests.plan()
	var reasons []string
	for key := range p.clustersOf(plan) {
		if err := p.clusters.get(key).Ping(ctx); err != nil {
			reasons = append(reasons, fmt.Sprintf("Kafka at %s does not answer: %v", key, err))
		}
	}
	if len(reasons) == 0 && !p.published.Load() {
		reasons = append(p.missing(plan), "starting")
	}
	return reasons
}

// view is what one answer of Status is made of.
type view struct {
	p      *process
	plan   *resources.Plan
	look   *groupLook
	fresh  bool                             // look is of this moment
	ready  map[resources.Ref]*status.Object // finished objects, for those that depend on them
	errors map[resources.Ref][]string       // what is wrong in the files
}

// Status returns every object with what the manifests, Kafka and the running
// consumers say of it.
func (p *process) Status(ctx context.Context) ([]status.Object, error) {
	if !p.running.Load() {
		return nil, fmt.Errorf("starting: the manifests are not loaded yet")
	}
	v := &view{p: p, plan: p.manifests.plan(), ready: map[resources.Ref]*status.Object{}}
	v.look, v.fresh = p.groups.get(ctx, v.plan)
	v.errors = map[resources.Ref][]string{}
	for _, problem := range v.plan.Errors {
		v.errors[problem.Ref] = append(v.errors[problem.Ref], problem.String())
	}
	targets, consumers := map[resources.Ref]*resources.Target{}, map[resources.Ref][]*resources.Consumer{}
	for i := range v.plan.Targets {
		targets[v.plan.Targets[i].Ref] = &v.plan.Targets[i]
	}
	for i := range v.plan.Consumers {
		c := &v.plan.Consumers[i]
		consumers[c.Ref] = append(consumers[c.Ref], c)
	}
	objects := make([]status.Object, 0, len(v.plan.Objects))
	later := []*resources.Object{} // those whose state follows from others
	for _, object := range v.plan.Objects {
		switch {
		case object.Kind == "ConfigMap" || object.Kind == "Secret":
		case object.Kind == "KafkaSource":
			objects = append(objects, v.kafkaSource(object, consumers[object.Ref]))
		case object.Kind == "PingSource":
			objects = append(objects, v.pingSource(object))
		case consumers[object.Ref] != nil:
			later = append(later, object)
		default:
			objects = append(objects, v.addressable(object, targets[object.Ref]))
		}
	}
	for i := range objects {
		objects[i].Complete()
		v.ready[refOf(&objects[i])] = &objects[i]
	}
	done := make([]status.Object, 0, len(objects)+len(later))
	for _, object := range later {
		done = append(done, v.consumer(object, consumers[object.Ref][0]))
	}
	v.subscribers(done)
	objects = append(objects, done...)
	flows := v.flows(objects)
	for i := range flows {
		flows[i].conditions()
	}
	p.history.Stamp(time.Now(), objects)
	for i := range flows {
		flows[i].list()
	}
	return objects, nil
}

// base is what every object shows.
func (v *view) base(o *resources.Object) status.Object {
	object := status.Object{
		APIVersion: o.APIVersion, Kind: o.Kind, Spec: o.Spec, Instance: v.p.config.InstanceName,
		Metadata: status.Metadata{Name: o.Name, Namespace: o.Namespace, Generation: o.Generation, UID: o.UID, Labels: o.Labels, Annotations: o.Annotations},
		Status: status.Status{
			ObservedGeneration: o.Generation, Annotations: o.StatusAnnotations, DeadLetterSinkURI: o.DeadLetterSinkURI, Conditions: []status.Condition{},
		},
	}
	for _, c := range o.Conditions {
		object.SetCondition(status.Condition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message})
	}
	if o.Address != "" {
		object.Status.Address = &status.Address{URL: o.Address}
	}
	v.manifestErrors(&object, o.Ref)
	return object
}

// manifestErrors says that the file now holds something else than what runs.
func (v *view) manifestErrors(object *status.Object, ref resources.Ref) {
	if problems := v.errors[ref]; len(problems) > 0 {
		object.SetCondition(status.Condition{
			Type: "ManifestAccepted", Status: status.False, Severity: status.SeverityInfo, Reason: "ManifestInError",
			Message: "the last good version is active; " + strings.Join(problems, "; "),
		})
	}
}

// addressable is a Broker, a channel, a KafkaSink or a Service.
func (v *view) addressable(o *resources.Object, target *resources.Target) status.Object {
	object := v.base(o)
	if target == nil {
		object.Status.SinkURI = o.SubscriberURI
		return object
	}
	if o.Address == "" {
		missing(&object, "Addressable", ingressURLNotSet, "set INGRESS_URL to where the receiver is reached, for example INGRESS_URL=http://receiver:8080")
	} else {
		missingTrue(&object, "Addressable")
	}
	missingTrue(&object, "ConfigParsed", "ConfigurationReady")
	noSink(&object)
	key := v.p.clusters.key(target.Cluster)
	topic, known := v.p.topology.topic(key, target.Topic)
	switch {
	case !known:
		setUnknown(&object, "TopicReady", "TopicNotChecked", "Kafka has not answered yet")
		setUnknown(&object, "DataPlaneAvailable", "KafkaUnreachable", "Kafka has not answered yet")
	case topic.Err != nil:
		reason, message := topicReason(topic.Err)
		object.SetCondition(status.Condition{Type: "TopicReady", Status: status.False, Reason: reason, Message: message})
		missingTrue(&object, "DataPlaneAvailable")
	default:
		object.SetCondition(status.Condition{Type: "TopicReady", Status: status.True, Message: v.topicNote(topic.Info)})
		if v.look.errs[key] != nil {
			setUnknown(&object, "DataPlaneAvailable", "KafkaUnreachable", "Kafka does not answer: "+v.silence(target.Cluster))
		} else {
			missingTrue(&object, "DataPlaneAvailable")
		}
	}
	keepSet(&object)
	return object
}

// topicNote warns of a topic that works but is not what was asked for.
func (v *view) topicNote(info kafka.TopicInfo) string {
	var notes []string
	if info.Warning != "" {
		notes = append(notes, info.Warning)
	}
	if limit := info.MaxMessageBytes; limit > 0 && v.p.config.MaxEventBytes > limit {
		notes = append(notes, fmt.Sprintf("MAX_EVENT_BYTES is %d but the topic takes %d bytes at most (max.message.bytes): larger events are answered 413", v.p.config.MaxEventBytes, limit))
	}
	return strings.Join(notes, "; ")
}

func topicReason(err error) (reason, message string) {
	if e, ok := asTopicError(err); ok {
		return e.Reason, e.Message
	}
	return "TopicNotReady", err.Error()
}

// consumer is a Trigger or a Subscription.
func (v *view) consumer(o *resources.Object, c *resources.Consumer) status.Object {
	object := v.base(o)
	noSink(&object)
	if o.Kind == "Subscription" {
		object.Status.PhysicalSubscription = &status.PhysicalSubscription{SubscriberURI: o.SubscriberURI, ReplyURI: o.ReplyURI, DeadLetterSinkURI: o.DeadLetterSinkURI}
		missingTrue(&object, "ReferencesResolved")
		v.parent(&object, "ChannelReady", c)
		v.running(&object, "AddedToChannel", c)
	} else {
		object.Status.SubscriberURI = o.SubscriberURI
		missingTrue(&object, "SubscriberResolved", "DependencyReady")
		v.parent(&object, "BrokerReady", c)
		v.running(&object, "SubscriptionReady", c)
	}
	keepSet(&object)
	v.deadLetterTopic(&object, c)
	v.progress(&object, c)
	object.EffectiveDelivery = effectiveDelivery(c)
	return object
}

// ingressURLNotSet is why a dispatcher of its own shows no address.
const ingressURLNotSet = "IngressURLNotSet"

// parent copies the state of the Broker or channel. That this process does not know
// its address concerns only what sends there, and says so itself.
func (v *view) parent(object *status.Object, condition string, c *resources.Consumer) {
	if object.Condition(condition) != nil {
		return
	}
	parent := v.ready[c.Parent]
	if parent == nil {
		setUnknown(object, condition, "NotFound", c.Parent.String()+" is not known")
		return
	}
	ready := *parent.Condition(status.TypeReady)
	if ready.Reason == ingressURLNotSet {
		ready = status.Condition{Status: status.True}
		for _, c := range parent.Status.Conditions {
			if c.Type != status.TypeReady && c.Reason != ingressURLNotSet && c.Severity == "" && c.Status != status.True {
				ready = c
				break
			}
		}
	}
	object.SetCondition(status.Condition{Type: condition, Status: ready.Status, Reason: ready.Reason, Message: ready.Message})
}

// running tells whether the consumer group is pinned and assigned, as Kafka
// sees it, so that every process gives the same answer.
func (v *view) running(object *status.Object, condition string, c *resources.Consumer) {
	if object.Condition(condition) != nil {
		return // the manifests said no; they cannot say yes
	}
	if waits := v.p.notStarted(v.plan, c); len(waits) > 0 {
		object.SetCondition(status.Condition{Type: condition, Status: waits[0].Status, Reason: waits[0].Reason, Message: waits[0].Message})
		return
	}
	group, ok := v.look.groups[kafka.GroupTopic{Group: c.Group, Topic: c.Topic}]
	switch {
	case !ok:
		setUnknown(object, condition, "KafkaUnreachable", fmt.Sprintf("Kafka does not tell about group %s: %s", c.Group, v.silence(c.Cluster)))
	case group.Err != nil:
		setUnknown(object, condition, "KafkaUnreachable", fmt.Sprintf("Kafka does not tell about group %s: %v", c.Group, group.Err))
	case !group.Pinned():
		object.SetCondition(status.Condition{Type: condition, Status: status.False, Reason: "OffsetsNotPinned", Message: fmt.Sprintf("partitions %v of %s have no committed offset in group %s yet", group.Unpinned, c.Topic, c.Group)})
	case group.State != "Stable":
		object.SetCondition(status.Condition{Type: condition, Status: status.False, Reason: "JoiningGroup", Message: fmt.Sprintf("group %s is %s: a dispatcher joins, or none runs", c.Group, orNone(strings.ToLower(group.State)))})
	default:
		object.SetCondition(status.Condition{Type: condition, Status: status.True, Message: idleMembers(c, group)})
	}
}

// silence says why a cluster tells nothing.
func (v *view) silence(cluster string) string {
	if err := v.look.errs[v.p.clusters.key(cluster)]; err != nil {
		return kafka.Describe(err)
	}
	return "no answer in time"
}

func orNone(state string) string {
	if state == "" {
		return "not known to Kafka"
	}
	return state
}

// idleMembers says when there are more dispatchers than partitions. A KafkaSource
// has members for other topics in the same group.
func idleMembers(c *resources.Consumer, group kafka.GroupState) string {
	if c.Records != nil {
		return ""
	}
	idle := 0
	for _, member := range group.Members {
		if len(member.Partitions) == 0 {
			idle++
		}
	}
	if idle == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d dispatchers have no partition: the topic has %d", idle, len(group.Members), len(group.Partitions))
}

// deadLetterTopic is the own condition of that name.
func (v *view) deadLetterTopic(object *status.Object, c *resources.Consumer) {
	name := c.DeadLetter.Topic
	if name == "" || c.DeadLetter.Drop {
		return
	}
	topic, known := v.p.topology.topic(v.p.clusters.key(c.Cluster), name)
	switch {
	case !known:
		setUnknown(object, status.TypeDeadLetterTopicReady, "TopicNotChecked", "topic "+name+" is not checked yet")
	case topic.Err != nil:
		reason, message := topicReason(topic.Err)
		message += "; create it beforehand, or set the annotation kurier.dev/dead-letter: drop"
		object.SetCondition(status.Condition{Type: status.TypeDeadLetterTopicReady, Status: status.False, Reason: reason, Message: message})
	default:
		object.SetCondition(status.Condition{Type: status.TypeDeadLetterTopicReady, Status: status.True})
	}
}

// subscribers lists the Subscriptions of each channel.
func (v *view) subscribers(consumers []status.Object) {
	parents := make(map[resources.Ref]resources.Ref, len(v.plan.Consumers))
	for i := range v.plan.Consumers {
		parents[v.plan.Consumers[i].Ref] = v.plan.Consumers[i].Parent
	}
	for i := range consumers {
		object := &consumers[i]
		channel := v.ready[parents[refOf(object)]]
		if object.Kind != "Subscription" || channel == nil {
			continue
		}
		object.Complete()
		channel.Status.Subscribers = append(channel.Status.Subscribers, status.Subscriber{
			UID: object.Metadata.UID, Name: object.Metadata.Name, Ready: object.Condition(status.TypeReady).Status,
		})
	}
}

func refOf(o *status.Object) resources.Ref {
	return resources.Ref{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}
}

func effectiveDelivery(c *resources.Consumer) *status.EffectiveDelivery {
	effective := &status.EffectiveDelivery{
		Retry: c.Delivery.Retry, Timeout: iso8601.Format(c.Delivery.Timeout), BackoffPolicy: c.Delivery.Policy,
		BackoffDelay: iso8601.Format(c.Delivery.Delay), BackoffMax: iso8601.Format(c.Delivery.BackoffMax),
		RetryAfterMax: iso8601.Format(c.Delivery.RetryAfterMax), Format: c.Delivery.Format,
		DeadLetterTopic: c.DeadLetter.Topic, DeadLetter: "topic", OnDeadLetterFailure: "hold",
		Order: c.Order, Concurrency: c.Concurrency,
	}
	if c.Delivery.DeadLetterSink != nil {
		effective.DeadLetterSink = c.Delivery.DeadLetterSink.URL
	}
	if c.DeadLetter.Drop {
		effective.DeadLetter = "drop"
	}
	if c.DeadLetter.OnFailureDrop {
		effective.OnDeadLetterFailure = "drop"
	}
	return effective
}
