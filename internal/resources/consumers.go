package resources

import (
	"fmt"
	"slices"
)

// planTrigger resolves a Trigger. Its conditions are those of 6.10 that need no
// Kafka; any that is False keeps it from being started.
func (r *resolver) planTrigger(o *Object, m *manifest, t *trigger) Consumer {
	c := Consumer{Ref: m.ref, Parent: t.broker.ref(), UID: m.uid, Group: r.groups[m], Attributes: t.attributes, Filters: t.filters}
	o.Group, o.StatusAnnotations = c.Group, map[string]string{"group.id": c.Group}
	source := r.object(t.broker.key())
	var parent *delivery
	if source == nil {
		message := fmt.Sprintf("Broker %q does not exist", t.broker.name)
		o.say("BrokerReady", False, "BrokerDoesNotExist", message)
		r.missingRef(m, m.file, m.at("spec").at("broker"), t.broker, message)
		t.policy.apply(&c, r.settings.options, unordered)
	} else {
		parent = source.body.(*broker).delivery
		r.attach(&c, m, source, unordered)
		c.Reply = Reply{Kind: ReplyBroker, BrokerURL: r.ingress(source), Destination: Destination{
			URL: r.ingress(source), Ref: source.ref, Cluster: c.Cluster, Topic: c.Topic, OwnBroker: true}}
		if len(r.home(source).blocked) > 0 {
			o.say("BrokerReady", False, "BrokerNotConfigured", "Broker has not yet been reconciled.")
		}
	}
	o.Topic = c.Topic
	r.dependency(o, &c, m, t)
	subscriber, why := r.address(m, t.subscriber, false)
	if why.isZero() {
		c.Subscriber, o.SubscriberURI = subscriber, subscriber.URL
		o.say("SubscriberResolved", True, "", "")
	} else {
		o.say("SubscriberResolved", False, why.reasonOr("Unable to get the Subscriber's URI"), why.message)
	}
	why = r.effective(&c, m, t.delivery, source, parent)
	deadLetterCondition(o, c.Delivery.DeadLetterSink, why)
	c.Blocked = o.refused()
	return c
}

// planSubscription resolves a Subscription.
func (r *resolver) planSubscription(o *Object, m *manifest, s *subscription) Consumer {
	c := Consumer{Ref: m.ref, Parent: s.channel.ref(), UID: m.uid, Group: r.groups[m]}
	o.Group = c.Group
	var first cause
	fail := func(reason string, why cause) {
		if first.isZero() && !why.isZero() {
			first = cause{why.reasonOr(reason), why.message}
		}
	}
	source := r.channel(s.channel)
	var parent *delivery
	if source == nil {
		why := cause{"NotFound", fmt.Sprintf("%s %q does not exist", s.channel.kind, s.channel.name)}
		fail("ChannelReferenceFailed", why)
		r.missingRef(m, m.file, m.at("spec").at("channel"), s.channel, why.message)
		s.policy.apply(&c, r.settings.options, ordered)
	} else {
		parent = source.body.(*channel).delivery
		r.attach(&c, m, source, ordered)
	}
	o.Topic = c.Topic
	subscriber, why := r.address(m, s.subscriber, false)
	fail("SubscriberResolveFailed", why)
	c.Subscriber, o.SubscriberURI = subscriber, subscriber.URL
	if s.reply != nil {
		reply, why := r.address(m, s.reply, false)
		fail("ReplyResolveFailed", why)
		c.Reply, o.ReplyURI = Reply{Kind: ReplyURL, Destination: reply}, reply.URL
	}
	fail("DeadLetterSinkResolveFailed", r.effective(&c, m, s.delivery, source, parent))
	if c.Delivery.DeadLetterSink != nil {
		o.DeadLetterSinkURI = c.Delivery.DeadLetterSink.URL
	}
	subscriptionConditions(o, source != nil, first)
	c.Blocked = o.refused()
	return c
}

func subscriptionConditions(o *Object, channel bool, why cause) {
	if why.isZero() {
		o.say("ReferencesResolved", True, "", "")
		return // whether it is added to its channel, Kafka tells
	}
	o.say("ReferencesResolved", False, why.reason, why.message)
	o.say("AddedToChannel", False, "ReferencesNotResolved", why.message)
	if !channel {
		o.say("ChannelReady", False, why.reason, why.message)
	}
}

// attach fills in what a consumer has of the Broker or channel that it reads.
func (r *resolver) attach(c *Consumer, m, source *manifest, order string) {
	h := r.home(source)
	c.Cluster, c.Topic = h.cluster, h.topic
	r.policy(m, source).apply(c, r.settings.options, order)
	if !c.DeadLetter.Drop {
		c.DeadLetter.Topic, _ = r.deadLetterTopic(m, h.topic)
	}
}

// apply turns annotations into settings; order is the default one.
func (p policy) apply(c *Consumer, o Options, order string) {
	c.Order, c.Concurrency = p.order, p.concurrency
	if c.Order == "" {
		c.Order = order
	}
	if c.Concurrency == 0 {
		c.Concurrency = o.Concurrency
	}
	if p.initial != nil {
		c.InitialOffset = *p.initial
	}
	c.DeadLetter = DeadLetterPolicy{Drop: p.deadLetter == "drop", OnFailureDrop: p.onFailure == "drop"}
}

// effective fills in the delivery of a consumer and answers why its dead letter
// sink has no address. A sink that is the parent's is reported there.
func (r *resolver) effective(c *Consumer, m *manifest, own *delivery, source *manifest, parent *delivery) cause {
	fallback := r.settings.fallback
	if source == nil {
		source, fallback = m, nil
	}
	var sink *destination
	c.Delivery, sink = inherit(own, parent, fallback, r.settings.options)
	if sink == nil {
		return cause{}
	}
	definer := source
	if own != nil && own.deadLetterSink == sink {
		definer = m
	}
	resolved, why := r.address(definer, sink, true)
	if !why.isZero() {
		return why
	}
	c.Delivery.DeadLetterSink = &resolved
	return cause{}
}

// dependency looks for the object that a Trigger waits for.
func (r *resolver) dependency(o *Object, c *Consumer, m *manifest, t *trigger) {
	if t.dependency == nil {
		o.say("DependencyReady", True, "", "")
		return
	}
	if r.object(t.dependency.key()) == nil {
		message := fmt.Sprintf("Dependency does not exist: %s %q", t.dependency.kind, t.dependency.name)
		o.say("DependencyReady", False, "DependencyDoesNotExist", message)
		r.missingRef(m, m.file, m.annotation(annotationDependency), *t.dependency, message)
		return
	}
	c.Dependency = t.dependency.ref()
}

// dependencies decides DependencyReady where the other object's readiness is
// known without Kafka: it cannot be ready, or it has nothing to get ready.
func (r *resolver) dependencies(p *Plan) {
	var at map[Ref]int // in p.Objects
	for i := range p.Consumers {
		c := &p.Consumers[i]
		if c.Dependency.IsZero() {
			continue
		}
		if at == nil {
			at = make(map[Ref]int, len(p.Objects))
			for i, o := range p.Objects {
				at[o.Ref] = i
			}
		}
		other := p.Objects[at[c.Dependency]]
		say := func(status, reason, message string) {
			o := *p.Objects[at[c.Ref]] // as it stands it may be another Plan's too
			o.Conditions = slices.Clone(o.Conditions)
			o.say("DependencyReady", status, reason, message)
			p.Objects[at[c.Ref]] = &o
		}
		switch refused := other.refused(); {
		case len(refused) > 0:
			say(False, "DependencyNotReady", c.Dependency.String()+" is not ready: "+refused[0].Message)
			c.Blocked = p.Objects[at[c.Ref]].refused()
		case other.Kind == kindService || other.Kind == kindConfigMap || other.Kind == kindSecret:
			say(True, "", "")
			c.Dependency = Ref{}
		}
	}
}
