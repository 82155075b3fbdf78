package resources

import "slices"

// owned is a name that one object alone may have on a cluster.
type owned struct {
	what          ownedKind
	cluster, name string
}

type ownedKind int

const (
	aTopic ownedKind = iota
	aGroup
	aGrave // the topic of dead letters; cluster is the topic that they come from
	aFault // what is wrong with that
)

func (k ownedKind) String() string {
	return [...]string{"topic", "consumer group", "dead letter topic", "fault"}[k]
}

// conflicts finds objects that would share what must be their own: a topic that
// Kurier makes, a consumer group (MF-8). After a reload the one that had it
// before keeps it.
func (r *resolver) conflicts(parts []*part) {
	if r.undisputed(parts) {
		r.owners = r.before
		return
	}
	r.owners = make(map[owned]*manifest, len(parts))
	for i, m := range r.objects {
		r.claim(parts[i].claims, aTopic, m)
	}
	for i, m := range r.objects {
		r.claim(parts[i].claims, aGroup, m)
	}
	for _, m := range r.objects {
		cluster, topics := r.reads(m)
		for _, topic := range topics {
			r.checkDeadLetterTopic(m, cluster, topic)
		}
	}
}

// undisputed tells that every object claims what it, or its last version,
// claimed in the last Plan, where nothing was in conflict.
func (r *resolver) undisputed(parts []*part) bool {
	if len(parts) != len(r.past.parts) {
		return false
	}
	for i, m := range r.objects {
		if parts[i] == r.past.parts[m] {
			continue
		}
		was := r.past.parts[r.old[m.key]]
		if was == nil || !slices.Equal(was.claims, parts[i].claims) {
			return false
		}
	}
	return true
}

// claims lists what m alone may have, and what its dead letter topics must not
// be.
func (r *resolver) claims(m *manifest) (all []owned) {
	if r.homes[m] != nil { // which depends on m alone
		if h := r.home(m); h.spec.Create && !r.fronted(m) {
			all = append(all, owned{aTopic, h.cluster, h.topic})
		}
	}
	cluster, topics := r.reads(m)
	if len(topics) > 0 {
		all = append(all, owned{aGroup, cluster, r.groups[m]})
	}
	for _, source := range topics {
		topic, wrong := r.deadLetterTopic(m, source)
		all = append(all, owned{aGrave, source, topic})
		if wrong != "" {
			all = append(all, owned{aFault, "", wrong})
		}
	}
	return all
}

// reads is what a consumer group reads; no topics: nothing, or not known yet.
func (r *resolver) reads(m *manifest) (cluster string, topics []string) {
	if s, ok := m.body.(*kafkaSource); ok {
		return r.cluster(s.servers), s.topics
	}
	source := r.source(m)
	if source == nil {
		return "", nil
	}
	h := r.home(source)
	return h.cluster, []string{h.topic}
}

// claim gives m what it claims of one kind, or reports who has it.
func (r *resolver) claim(claims []owned, what ownedKind, m *manifest) {
	i := slices.IndexFunc(claims, func(name owned) bool { return name.what == what })
	if i < 0 {
		return
	}
	name := claims[i]
	first := r.owners[name]
	if first == nil {
		r.owners[name] = m
		return
	}
	if before := r.before[name]; before != nil && before.key == m.key {
		first, m = m, first
		r.owners[name] = first
	}
	r.lose(m, m.line, name.what.String()+" "+quoted(name.name)+" is that of "+first.ref.String()+" already",
		first.ref.String()+" is in "+first.place()+"; give one of them another name", "metadata.name")
}

// checkDeadLetterTopic refuses a dead letter topic that Kafka cannot have or
// that an object reads.
func (r *resolver) checkDeadLetterTopic(m *manifest, cluster, source string) {
	topic, wrong := r.deadLetterTopic(m, source)
	owner := r.owners[owned{aTopic, cluster, topic}]
	switch {
	case wrong != "":
		r.lose(m, m.line, "no usable name for the dead letter topic: "+quoted(topic),
			wrong+"; it is made by DEAD_LETTER_TOPIC_TEMPLATE", "metadata.name")
	case topic != "" && topic == source:
		r.lose(m, m.line, "the dead letter topic "+quoted(topic)+" is the topic that "+m.ref.String()+" reads",
			"every dead letter would be delivered again; it is made by DEAD_LETTER_TOPIC_TEMPLATE", "metadata.name")
	case owner != nil:
		r.lose(m, m.line, "the dead letter topic "+quoted(topic)+" is the topic of "+owner.ref.String(),
			owner.ref.String()+" is in "+owner.place(), "metadata.name")
	}
}

// source is the Broker or channel that a Trigger or Subscription reads.
func (r *resolver) source(m *manifest) *manifest {
	switch body := m.body.(type) {
	case *trigger:
		return r.object(body.broker.key())
	case *subscription:
		return r.channel(body.channel)
	}
	return nil
}

// channel finds a channel by reference. What stands behind a Channel can be
// named without a manifest of its own.
func (r *resolver) channel(ref objectRef) *manifest {
	if ref.groupOf() != messagingGroup || !isChannelKind(ref.kind) {
		return nil
	}
	k := ref.key()
	if m := r.object(k); m != nil {
		return m
	}
	k.kind = kindChannel
	front := r.object(k)
	if front == nil {
		return nil
	}
	if c, ok := front.body.(*channel); !ok || c.template == nil || c.template.kind != ref.kind {
		return nil
	}
	return front
}

// deadLetterTopic is the name of the dead letter topic of a consumer of the topic
// source, and what is wrong with it; empty when the policy is to drop.
func (r *resolver) deadLetterTopic(m *manifest, source string) (topic, wrong string) {
	if r.policy(m, r.source(m)).deadLetter == "drop" {
		return "", ""
	}
	if r.settings.options.DeadLetterTopicTemplate == "" {
		topic = r.groups[m] + ".dead-letter"
		return topic, checkTopicName(topic)
	}
	topic, err := r.settings.deadLetterTopics.execute(deadLetterData{ConsumerGroup: r.groups[m], Kind: m.kind,
		Namespace: m.namespace, Name: m.name, Topic: source})
	if err != nil {
		return "", err.Error()
	}
	return topic, checkTopicName(topic)
}

// policy is what the annotations of a consumer say, and those of its parent
// where it says nothing.
func (r *resolver) policy(m, parent *manifest) policy {
	switch body := m.body.(type) {
	case *trigger:
		b := parent.body.(*broker).policy
		b.order = "" // a Broker has none
		return body.policy.over(b)
	case *subscription:
		return body.policy.over(parent.body.(*channel).policy)
	case *kafkaSource:
		return body.policy
	}
	return policy{}
}
