package resources

import (
	"cmp"
	"maps"
	"slices"
)

// plan puts everything together.
func (r *resolver) plan(parts []*part) *Plan {
	p := &Plan{}
	topics := topicList{at: make(map[owned]int, len(r.homes))}
	targets, consumers := 0, 0
	for _, one := range parts {
		targets, consumers = targets+len(one.targets), consumers+len(one.consumers)
	}
	p.Objects = slices.Grow(p.Objects, len(parts))
	p.Targets, p.Consumers = slices.Grow(p.Targets, targets), slices.Grow(p.Consumers, consumers)
	for i, m := range r.objects {
		p.add(parts[i])
		r.problems = append(r.problems, parts[i].problems...)
		if s, ok := m.body.(*kafkaSource); ok {
			for _, topic := range s.topics {
				topics.add(&home{cluster: r.cluster(s.servers), topic: topic}, m.ref)
			}
		}
		if h := r.homes[m]; h != nil {
			topics.add(h, m.ref)
		}
	}
	p.Topics = topics.sorted()
	r.dependencies(p)
	return p
}

func (p *Plan) add(one *part) {
	p.Objects = append(p.Objects, one.object)
	p.Targets = append(p.Targets, one.targets...)
	p.Consumers = append(p.Consumers, one.consumers...)
	p.Pings = append(p.Pings, one.pings...)
	p.Flows = append(p.Flows, one.flows...)
	p.Services = append(p.Services, one.services...)
}

// planOne plans a single object.
func (r *resolver) planOne(m *manifest) *part {
	p, object, problems := &Plan{}, newObject(m), len(r.problems)
	switch body := m.body.(type) {
	case *broker:
		r.planBroker(p, object, m, body)
	case *channel:
		r.planChannel(p, object, m, body)
	case *kafkaSink:
		r.planSink(p, object, m)
	case *trigger:
		p.Consumers = []Consumer{r.planTrigger(object, m, body)}
	case *subscription:
		p.Consumers = []Consumer{r.planSubscription(object, m, body)}
	case *sequence, *parallel:
		p.Flows = []Flow{r.planFlow(object, m)}
	case *kafkaSource:
		p.Consumers = r.planKafkaSource(object, m, body)
	case *pingSource:
		p.Pings = []Ping{r.planPing(object, m, body)}
	case *service:
		url := r.serviceURL(m.namespace, m.name)
		object.Address = url
		p.Services = []Service{{Ref: m.ref, URL: url, Display: body.display}}
	}
	result := &part{object: object, targets: p.Targets, consumers: p.Consumers, pings: p.Pings, flows: p.Flows, services: p.Services,
		problems: slices.Clone(r.problems[problems:])}
	r.problems = r.problems[:problems]
	return result
}

// topicList has each topic once.
type topicList struct {
	all []Topic
	at  map[owned]int
}

func (l *topicList) add(h *home, owner Ref) {
	if len(h.blocked) > 0 {
		return
	}
	topic := h.spec
	topic.Cluster, topic.Name, topic.Owner = h.cluster, h.topic, owner
	name := owned{aTopic, h.cluster, h.topic}
	i, there := l.at[name]
	switch {
	case !there:
		l.at[name] = len(l.all)
		l.all = append(l.all, topic)
	case topic.Create && !l.all[i].Create:
		l.all[i] = topic
	}
}

func (l *topicList) sorted() []Topic {
	slices.SortFunc(l.all, func(a, b Topic) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Name, b.Name))
	})
	return l.all
}

// newObject is what a manifest shows of itself.
func newObject(m *manifest) *Object {
	o := &Object{
		Ref: m.ref, APIVersion: m.apiVersion, UID: m.uid, Labels: m.labels, Annotations: m.annotations,
		Generation: m.generation, File: m.file, Line: m.line,
	}
	if m.made != nil {
		o.Owner = m.made.ref
	}
	if m.kind == kindSecret { // kubectl keeps a copy of the whole object there
		o.Annotations = nil
	}
	if spec := m.at("spec"); spec.isMap() {
		o.Spec, _ = spec.node.value().(map[string]any)
	}
	return o
}

// fill sets a field of the spec that the manifest leaves out.
func (o *Object) fill(name string, value any) {
	if o.Spec == nil {
		o.Spec = map[string]any{}
	}
	if o.Spec[name] == nil {
		o.Spec[name] = value
	}
}

func (o *Object) say(conditionType, status, reason, message string) {
	o.Conditions = append(o.Conditions, Condition{conditionType, status, reason, message})
}

// refused are the conditions that are False.
func (o *Object) refused() []Condition {
	var all []Condition
	for _, c := range o.Conditions {
		if c.Status == False {
			all = append(all, c)
		}
	}
	return all
}

func (r *resolver) planBroker(p *Plan, o *Object, m *manifest, b *broker) {
	h := r.home(m)
	r.addressable(p, o, m, h)
	p.Targets[len(p.Targets)-1].Broker = true
	if len(h.blocked) > 0 {
		o.Conditions = append(o.Conditions, h.blocked...)
		r.missingConfig(m, b)
	} else {
		o.say("ConfigParsed", True, "", "")
	}
	r.parentDelivery(o, m, b.delivery)
	o.StatusAnnotations = map[string]string{"default.topic": h.topic}
	if o.Annotations[annotationClass] == "" {
		o.Annotations = maps.Clone(o.Annotations)
		if o.Annotations == nil {
			o.Annotations = map[string]string{}
		}
		o.Annotations[annotationClass] = b.class
	}
}

func (r *resolver) missingConfig(m *manifest, b *broker) {
	if r.object(b.config.key()) == nil && !r.spoken(b.config.key()) {
		r.warn(m, b.configAt.line, "reference leads nowhere", r.home(m).blocked[0].Message, b.configAt.path)
	}
}

func (r *resolver) planChannel(p *Plan, o *Object, m *manifest, c *channel) {
	h := r.home(m)
	before := len(p.Targets)
	r.addressable(p, o, m, h)
	p.Targets[before].Hosts = hosts(m)
	if r.fronted(m) {
		p.Targets = p.Targets[:before] // the Channel has it
	}
	o.say("ConfigurationReady", True, "", "")
	r.parentDelivery(o, m, c.delivery)
	o.StatusAnnotations = map[string]string{"messaging.knative.dev/subscribable": "v1"}
	if m.kind == kindChannel && c.template.defaulted {
		o.fill("channelTemplate", map[string]any{"apiVersion": messagingGroup + "/v1", "kind": c.template.kind})
	}
	if m.kind == kindKafkaChannel {
		o.fill("numPartitions", int64(1))
		o.fill("replicationFactor", int64(1))
		o.fill("retentionDuration", "PT168H")
	}
}

func (r *resolver) planSink(p *Plan, o *Object, m *manifest) {
	s := m.body.(*kafkaSink)
	r.addressable(p, o, m, r.home(m))
	p.Targets[len(p.Targets)-1].Structured = s.structured
	o.fill("contentMode", "binary")
	o.say("ConfigParsed", True, "", "")
}

// addressable adds the ingress address of an object.
func (r *resolver) addressable(p *Plan, o *Object, m *manifest, h *home) {
	o.Topic, o.Address = h.topic, r.ingress(m)
	p.Targets = append(p.Targets, Target{Ref: m.ref, Path: ingressPath(m), Cluster: h.cluster, Topic: h.topic, Blocked: h.blocked})
	if o.Address == "" {
		o.Conditions = append(o.Conditions, ingressNotSet("Addressable"))
		return
	}
	o.say("Addressable", True, "", "")
}

// parentDelivery shows the delivery that children inherit and resolves its dead
// letter sink.
func (r *resolver) parentDelivery(o *Object, m *manifest, d *delivery) {
	if d == nil {
		d = r.settings.fallback
	}
	if d == nil {
		deadLetterCondition(o, nil, cause{})
		return
	}
	o.fill("delivery", d.written.value())
	var sink *Destination
	var why cause
	if d.deadLetterSink != nil {
		resolved, failed := r.address(m, d.deadLetterSink, true)
		sink, why = &resolved, failed
	}
	deadLetterCondition(o, sink, why)
}

// deadLetterCondition tells whether the dead letter sink has an address; nil
// means that none is configured.
func deadLetterCondition(o *Object, sink *Destination, why cause) {
	switch {
	case sink == nil && why.isZero():
		o.say("DeadLetterSinkResolved", True, "DeadLetterSinkNotConfigured", "No dead letter sink is configured.")
	case !why.isZero():
		o.say("DeadLetterSinkResolved", False, why.reasonOr("Unable to get the dead letter sink's URI"), why.message)
	default:
		o.DeadLetterSinkURI = sink.URL
		o.say("DeadLetterSinkResolved", True, "", "")
	}
}

// reasonOr is the reason that Knative gives, but for what only the environment
// can repair.
func (c cause) reasonOr(knative string) string {
	if c.reason == reasonIngress {
		return c.reason
	}
	return knative
}

func (r *resolver) planPing(o *Object, m *manifest, p *pingSource) Ping {
	ping := Ping{Ref: m.ref, Schedule: p.schedule, Timezone: p.timezone, ContentType: p.contentType, Data: p.data, Extensions: p.extensions}
	o.fill("schedule", p.schedule)
	sink, why := r.address(m, p.sink, false)
	if why.isZero() {
		ping.Sink = sink
		o.say("SinkProvided", True, "", "")
	} else {
		o.say("SinkProvided", False, why.reasonOr("NotFound"), why.message)
	}
	ping.Blocked = o.refused()
	return ping
}
