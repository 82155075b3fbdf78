package resources

import (
	"math"
	"strconv"
	"time"
)

// channel is the body of a channel of any kind. A KafkaChannel and an
// InMemoryChannel carry their own settings, a Channel those of its template.
type channel struct {
	template *template // of a Channel, as written or defaulted
	topic    channelTopic
	delivery *delivery
	policy   policy
}

// template is what a Channel asks for.
type template struct {
	kind      string
	defaulted bool
	topic     channelTopic
	spec      *node     // as written; nil when it is absent
	delivery  *delivery // of spec; used only for the channels of a Sequence or Parallel
}

// channelTopic is how a channel's topic is made.
type channelTopic struct {
	partitions  int32
	replication int16
	retention   time.Duration
}

// defaultChannelTopic is a KafkaChannel's that says nothing (6.5).
func defaultChannelTopic() channelTopic {
	return channelTopic{partitions: 1, replication: 1, retention: 168 * time.Hour}
}

// decodeChannel reads a Channel (VA-20).
func decodeChannel(d *decoder) any {
	spec := d.at("spec")
	if subscribers := spec.at("subscribers"); subscribers.present() {
		d.disallowed(field{path: "spec.subscribable.subscribers", line: subscribers.line}, "")
	}
	c := &channel{template: d.template(spec.at("channelTemplate")), delivery: d.delivery(spec.at("delivery")), policy: d.policy()}
	if c.template == nil {
		c.template = d.settings.channelTemplate(d.namespace)
	}
	c.topic = c.template.topic
	d.scope()
	return c
}

// template reads a channel template; nil when it is absent.
func (d *decoder) template(f field) *template {
	if !f.present() {
		return nil
	}
	apiVersion, kind := f.at("apiVersion"), f.at("kind")
	d.requireText(apiVersion, kind)
	t := &template{kind: kind.text(), topic: defaultChannelTopic()}
	if t.kind != "" && t.kind != kindKafkaChannel && t.kind != kindInMemoryChannel {
		d.invalid(kind, t.kind, "expected KafkaChannel or InMemoryChannel")
		return t
	}
	schema := kafkaChannelSchema
	if t.kind == kindInMemoryChannel {
		schema = memoryChannelSchema
	}
	spec := f.at("spec")
	if schema.check(&d.report, spec) {
		t.topic, t.delivery, t.spec = d.channelTopic(spec), d.delivery(spec.at("delivery")), spec.node
	}
	return t
}

// decodeKafkaChannel reads a KafkaChannel (VA-21).
func decodeKafkaChannel(d *decoder) any {
	spec := d.at("spec")
	d.subscribers(spec.at("subscribers"))
	d.scope()
	return &channel{topic: d.channelTopic(spec), delivery: d.delivery(spec.at("delivery")), policy: d.policy()}
}

// decodeInMemoryChannel reads an InMemoryChannel, which is kept in Kafka like a
// KafkaChannel that says nothing.
func decodeInMemoryChannel(d *decoder) any {
	spec := d.at("spec")
	d.subscribers(spec.at("subscribers"))
	d.scope()
	return &channel{topic: defaultChannelTopic(), delivery: d.delivery(spec.at("delivery")), policy: d.policy()}
}

func (d *decoder) channelTopic(spec field) channelTopic {
	t := defaultChannelTopic()
	t.partitions = int32(d.positive(spec.at("numPartitions"), math.MaxInt32, int64(t.partitions)))
	t.replication = int16(d.positive(spec.at("replicationFactor"), math.MaxInt16, int64(t.replication)))
	if retention := d.duration(spec.at("retentionDuration"), time.Millisecond); retention != nil {
		t.retention = *retention
	}
	return t
}

// positive reads a whole number from 1 to most; unset when it is absent or
// wrong.
func (d *decoder) positive(f field, most, unset int64) int64 {
	value, ok := f.integer()
	if !ok {
		return unset
	}
	if value < 1 || value > most {
		d.invalid(f, f.text(), "")
		return unset
	}
	return value
}

// subscribers checks the list that Knative keeps in a channel's spec. Kurier
// has Subscriptions instead.
func (d *decoder) subscribers(f field) {
	if f.len() == 0 {
		return
	}
	for i := range f.len() {
		s := f.index(i)
		if s.at("subscriberUri").text() == "" && s.at("replyUri").text() == "" {
			path := "spec.subscribable.subscriber[" + strconv.Itoa(i) + "]"
			d.add(s.line, "missing field(s)", "expected at least one of, got none", path+".replyURI", path+".subscriberURI")
		}
	}
	d.warn(f.line, "field without effect", "Subscriptions say who gets a channel's events", f.path)
}

// scope checks the annotation eventing.knative.dev/scope, which has no effect.
func (d *decoder) scope() {
	f := d.annotation(annotationScope)
	if !f.present() || f.text() == "cluster" || f.text() == "namespace" {
		return
	}
	f.path = "metadata.annotations.[" + annotationScope + "]"
	d.invalid(f, f.text(), "expected either 'cluster' or 'namespace'")
}

// config is the retention of the topic as Kafka is told.
func (t channelTopic) config() map[string]string {
	return map[string]string{"retention.ms": strconv.FormatInt(t.retention.Milliseconds(), 10)}
}
