package resources

import (
	"fmt"
	"slices"
	"time"
)

// kafkaSource is the body of a KafkaSource.
type kafkaSource struct {
	topics     []string // sorted
	servers    string   // as a cluster's name
	group      string   // as written; empty: made of the name
	delivery   *delivery
	sink       *destination
	extensions map[string]string
	policy     policy
}

// decodeKafkaSource reads a KafkaSource (6.9).
func decodeKafkaSource(d *decoder) any {
	spec := d.at("spec")
	s := &kafkaSource{
		topics: d.topics(spec.at("topics")), servers: cluster(spec.at("bootstrapServers").list()...),
		group: spec.at("consumerGroup").text(), delivery: d.delivery(spec.at("delivery")), sink: d.destination(spec.at("sink")),
		extensions: d.overrides(spec), policy: d.policy(),
	}
	if servers := spec.at("bootstrapServers"); s.servers == "" {
		d.missing(servers)
	} else {
		d.servers(servers)
	}
	if order := d.oneOf(spec.at("ordering"), ordered, unordered); order != nil {
		s.policy.order = *order
	}
	if initial := d.oneOf(spec.at("initialOffset"), "latest", "earliest"); initial != nil {
		s.policy.initial = &InitialOffset{Kind: map[string]OffsetKind{"latest": Latest, "earliest": Earliest}[*initial]}
	}
	d.members(spec.at("consumers"))
	d.net(spec.at("net"))
	return s
}

// topics reads the topics of a source.
func (d *decoder) topics(f field) []string {
	if f.len() == 0 {
		d.missing(f)
		return nil
	}
	topics := f.list()
	for i, topic := range topics {
		switch {
		case checkTopicName(topic) != "":
			d.invalid(f.index(i), topic, topicRule)
		case slices.Contains(topics[:i], topic):
			d.invalid(f.index(i), topic, "the topic is named twice")
		}
	}
	slices.Sort(topics)
	return topics
}

// members checks spec.consumers, which Knative scales by.
func (d *decoder) members(f field) {
	value, ok := f.integer()
	switch {
	case !ok:
	case value < 0:
		d.invalid(f, f.text(), "")
	case value != 1:
		d.warn(f.line, "field without effect", "each dispatcher is one consumer: run as many as are wanted", f.path)
	}
}

// net refuses what would need TLS or SASL.
func (d *decoder) net(f field) {
	for _, part := range []field{f.at("sasl"), f.at("tls")} {
		if !part.isMap() {
			continue
		}
		for _, e := range part.node.entries {
			inner := part.at(e.name)
			if e.name == "enable" && inner.text() == "true" || inner.at("secretKeyRef").present() && !empty(inner.at("secretKeyRef")) {
				d.disallowed(inner, notYet)
			}
		}
	}
}

// sourceGroup is the consumer group of a source.
func (r *resolver) sourceGroup(m *manifest, s *kafkaSource) string {
	if s.group != "" {
		return s.group
	}
	return "knative-kafka-source-" + m.namespace + "-" + m.name
}

// sourceDelivery is what a source without spec.delivery gets.
func sourceDelivery() *delivery {
	retry, policy, delay, timeout := 10, "exponential", 300*time.Millisecond, 10*time.Minute
	return &delivery{retry: &retry, policy: &policy, delay: &delay, timeout: &timeout}
}

// planKafkaSource resolves a KafkaSource: a consumer for each topic, all in one
// group.
func (r *resolver) planKafkaSource(o *Object, m *manifest, s *kafkaSource) []Consumer {
	c := Consumer{Ref: m.ref, UID: m.uid, Group: r.groups[m], Cluster: r.cluster(s.servers)}
	s.policy.apply(&c, r.settings.options, ordered)
	own := s.delivery
	if own == nil {
		own = sourceDelivery()
	}
	sink, why := r.address(m, s.sink, false)
	if why.isZero() {
		c.Subscriber, o.SubscriberURI = sink, sink.URL
		o.say("SinkProvided", True, "", "")
	} else {
		o.say("SinkProvided", False, why.reasonOr("NotFound"), why.message)
	}
	why = r.effective(&c, m, own, nil, nil)
	deadLetterCondition(o, c.Delivery.DeadLetterSink, why)
	c.Blocked = o.refused()
	o.Group, o.StatusAnnotations = c.Group, map[string]string{"group.id": c.Group}
	if len(s.topics) == 1 {
		o.Topic = s.topics[0]
	}
	o.fill("consumerGroup", c.Group)
	o.fill("initialOffset", [...]string{Latest: "latest", Earliest: "earliest", Timestamp: c.InitialOffset.Time.Format(time.RFC3339Nano)}[c.InitialOffset.Kind])
	o.fill("ordering", c.Order)
	var consumers []Consumer
	for _, topic := range s.topics {
		one := c
		one.Topic = topic
		if !c.DeadLetter.Drop {
			one.DeadLetter.Topic, _ = r.deadLetterTopic(m, topic)
		}
		one.Records = &Records{
			Source:     fmt.Sprintf("/apis/v1/namespaces/%s/kafkasources/%s#%s", m.namespace, m.name, topic),
			Extensions: s.extensions,
		}
		consumers = append(consumers, one)
	}
	return consumers
}
