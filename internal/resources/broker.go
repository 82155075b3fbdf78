package resources

// broker is the body of a Broker.
type broker struct {
	class         string
	known         bool // the class is one of those that mean Kurier's Broker
	config        *objectRef
	configAt      field
	delivery      *delivery
	policy        policy
	externalTopic string
}

// decodeBroker reads a Broker (VA-5 to VA-8, VA-10).
func decodeBroker(d *decoder) any {
	defaults := d.settings.brokerDefaults(d.namespace)
	spec := d.at("spec")
	b := &broker{
		class:         d.class(defaults),
		config:        d.brokerConfig(spec.at("config")),
		configAt:      spec.at("config"),
		delivery:      d.delivery(spec.at("delivery")),
		policy:        d.policy(),
		externalTopic: d.annotations[annotationExternalTopic],
	}
	if b.config == nil && !b.configAt.present() {
		b.config = defaults.config
	}
	if b.delivery == nil {
		b.delivery = defaults.delivery
	}
	switch b.class {
	case "Kafka", "KafkaNamespaced", "MTChannelBasedBroker":
		b.known = true
	}
	if b.externalTopic != "" && !isTopicName(b.externalTopic) {
		d.invalid(d.annotation(annotationExternalTopic), b.externalTopic, topicRule)
	}
	if f := d.annotation(annotationOrder); f.present() {
		d.warn(f.line, "annotation without effect", "a Broker has no order, its Triggers have", f.path)
	}
	return b
}

func (d *decoder) class(defaults *brokerDefault) string {
	f := d.annotation(annotationClass)
	switch {
	case f.present() && f.text() == "":
		d.add(f.line, "missing field(s)", "", annotationClass)
	case !f.present() && defaults.class != "":
		return defaults.class
	case !f.present():
		return d.settings.options.DefaultBrokerClass
	}
	return f.text()
}

// brokerConfig reads spec.config; nil when it is absent or wrong.
func (d *decoder) brokerConfig(f field) *objectRef {
	if !f.present() {
		return nil
	}
	kind := f.at("kind")
	d.requireText(f.at("apiVersion"), kind, f.at("name"))
	if kind.text() != "" && kind.text() != kindConfigMap {
		d.invalid(kind, kind.text(), "Expected ConfigMap")
	}
	ref := d.readRef(f)
	if ref.namespace != d.namespace && d.settings.brokerDefaults(d.namespace).sameNamespace {
		d.add(f.at("namespace").line, "mismatched namespaces",
			`parent namespace: "`+d.namespace+`" does not match ref: "`+ref.namespace+`"`, f.path+".namespace")
	}
	return &ref
}
