package resources

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// The ConfigMaps that Kurier itself reads, in the order in which they are read:
// the flags decide what is allowed in the others.
const (
	configFeatures        = "config-features"
	configKafkaFeatures   = "config-kafka-features"
	configBrokerDefaults  = "config-br-defaults"
	configChannelDefaults = "default-ch-webhook"
	configChannels        = "kafka-channel-config"
	configPingDefaults    = "config-ping-defaults"
)

var settingsNames = []string{configFeatures, configKafkaFeatures, configBrokerDefaults, configChannelDefaults, configChannels, configPingDefaults}

// features are the flags of config-features that mean something here.
type features struct {
	kreferenceGroup, crossNamespace, deliveryTimeout, deliveryRetryAfter bool
}

// settings are what holds for all objects: the options, and what the ConfigMaps
// of Knative's names say.
type settings struct {
	options   Options
	fallback  *delivery // DEFAULT_DELIVERY; nil: none
	bootstrap string    // the environment's cluster

	features    features
	expressions *expressions

	brokerTopics, channelTopics, triggerGroups, deadLetterTopics nameTemplate

	brokers       map[string]*brokerDefault // by namespace; "" is the cluster's
	channels      map[string]*template      // by namespace; "" is the cluster's
	channelServer string
	pingLimit     int64 // bytes; negative: none
}

// brokerDefault is what config-br-defaults says for a namespace.
type brokerDefault struct {
	class         string
	config        *objectRef
	delivery      *delivery
	sameNamespace bool
}

// newSettings checks the options and fills their defaults.
func newSettings(o Options) (*settings, error) {
	o.ServiceURLTemplate = cmp.Or(o.ServiceURLTemplate, "http://{name}")
	o.DefaultBrokerClass = cmp.Or(o.DefaultBrokerClass, "Kafka")
	o.DeliveryTimeout = cmp.Or(o.DeliveryTimeout, 10*time.Minute)
	o.RetryBackoffMax = cmp.Or(o.RetryBackoffMax, 10*time.Minute)
	o.Concurrency = cmp.Or(o.Concurrency, 100)
	o.IngressURL = strings.TrimSuffix(o.IngressURL, "/")
	o.ServiceURLs = maps.Clone(o.ServiceURLs) // kurier dev adds to it
	s := &settings{options: o, bootstrap: cluster(o.Bootstrap), pingLimit: -1, expressions: &expressions{checked: map[string]error{}}, features: features{deliveryTimeout: true, deliveryRetryAfter: true}}
	s.brokerTopics, s.channelTopics, s.triggerGroups = defaultNames()
	var err error
	if s.deadLetterTopics, err = parseDeadLetterTemplate(o.DeadLetterTopicTemplate); err != nil {
		return s, fmt.Errorf("DEAD_LETTER_TOPIC_TEMPLATE: %w", err)
	}
	if s.fallback, err = parseDefaultDelivery(o.DefaultDelivery); err != nil {
		return s, fmt.Errorf("DEFAULT_DELIVERY: %w", err)
	}
	return s, nil
}

const defaultDelivery = "{retry: 10, backoffPolicy: exponential, backoffDelay: PT0.2S}"

// CheckDefaultDelivery says what is wrong with Options.DefaultDelivery, or nil.
func CheckDefaultDelivery(text string) error {
	_, err := parseDefaultDelivery(text)
	return err
}

func parseDefaultDelivery(text string) (*delivery, error) {
	switch text = cmp.Or(strings.TrimSpace(text), defaultDelivery); text {
	case "none":
		return nil, nil
	}
	documents, broken := parseYAML([]byte(text))
	if len(broken) > 0 || len(documents) != 1 || len(documents[0].faults) > 0 || documents[0].root == nil {
		return nil, fmt.Errorf("expected a spec.delivery such as %s, or none", defaultDelivery)
	}
	m := &manifest{key: key{namespace: "default"}, root: field{node: documents[0].root}}
	d := &decoder{manifest: m, settings: &settings{features: features{deliveryTimeout: true, deliveryRetryAfter: true}}}
	var result *delivery
	if deliverySchema.check(&m.report, m.root) {
		m.root.path = "delivery"
		result = d.delivery(m.root)
	}
	if len(m.problems) > 0 {
		return nil, fmt.Errorf("%s", m.problems[0].Text())
	}
	return result, nil
}

// brokerDefaults is what holds for Brokers of a namespace; never nil.
func (s *settings) brokerDefaults(namespace string) *brokerDefault {
	if d := s.brokers[namespace]; d != nil {
		return d
	}
	if d := s.brokers[""]; d != nil {
		return d
	}
	return &brokerDefault{}
}

// channelTemplate is what a Channel without a template gets.
func (s *settings) channelTemplate(namespace string) *template {
	if t := s.channels[namespace]; t != nil {
		return t
	}
	if t := s.channels[""]; t != nil {
		return t
	}
	return &template{kind: kindKafkaChannel, defaulted: true, topic: defaultChannelTopic()}
}

// read takes over what one of the ConfigMaps of settingsNames says. What is
// wrong is reported with the ConfigMap, which then changes nothing.
func (s *settings) read(m *manifest) {
	next := *s
	d := &decoder{manifest: m, settings: &next}
	switch m.name {
	case configFeatures:
		next.readFeatures(d)
	case configKafkaFeatures:
		next.readNames(d)
	case configBrokerDefaults:
		next.brokers = readDefaults(d, "default-br-config", brokerDefaultsSchema, d.brokerDefault)
	case configChannelDefaults:
		next.channels = readDefaults(d, "default-ch-config", channelDefaultsSchema, d.defaultTemplate)
	case configChannels:
		next.channelServer = d.channelServers()
	case configPingDefaults:
		next.readPingLimit(d)
	}
	if !m.failed() {
		*s = next
	}
}

func (s *settings) readFeatures(d *decoder) {
	for name, flag := range map[string]*bool{
		"kreference-group": &s.features.kreferenceGroup, "cross-namespace-event-links": &s.features.crossNamespace,
		"delivery-timeout": &s.features.deliveryTimeout, "delivery-retryafter": &s.features.deliveryRetryAfter,
	} {
		f := d.at("data").key(name)
		if !f.present() {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(f.text())) {
		case "enabled":
			*flag = true
		case "disabled":
			*flag = false
		default:
			d.invalid(f, f.text(), "expected enabled or disabled")
		}
	}
}

func (s *settings) readNames(d *decoder) {
	for name, f := range d.at("data").pairs() {
		var into *nameTemplate
		switch strings.ReplaceAll(name, ".", "-") {
		case "brokers-topic-template":
			into = &s.brokerTopics
		case "channels-topic-template":
			into = &s.channelTopics
		case "triggers-consumergroup-template":
			into = &s.triggerGroups
		default:
			continue
		}
		t, err := parseNameTemplate(strings.TrimSpace(f.text()))
		if err != nil {
			d.invalid(f, f.text(), err.Error())
			continue
		}
		if _, err := t.execute(metadata{Name: "name", Namespace: "namespace", UID: "uid"}); err != nil && !strings.Contains(err.Error(), "map has no entry") {
			d.invalid(f, f.text(), err.Error())
			continue
		}
		*into = t
	}
}

func (s *settings) readPingLimit(d *decoder) {
	f := d.at("data").key("data-max-size")
	if !f.present() {
		return
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(f.text()), 10, 64)
	if err != nil {
		d.invalid(f, f.text(), "expected a whole number; -1: no limit")
	}
	s.pingLimit = limit
}

// readDefaults reads YAML inside a ConfigMap that has a default for the cluster
// and for namespaces.
func readDefaults[T any](d *decoder, name string, form *schema, one func(field) *T) map[string]*T {
	root, ok := d.inner(d.at("data").key(name), form)
	if !ok {
		return nil
	}
	all := map[string]*T{}
	if f := root.at("clusterDefault"); f.present() {
		all[""] = one(f)
	}
	for namespace, f := range root.at("namespaceDefaults").pairs() {
		all[namespace] = one(f)
	}
	return all
}

// inner reads the YAML that a text holds; its lines are those of the file.
func (d *decoder) inner(f field, form *schema) (root field, ok bool) {
	if !f.present() {
		return f, false
	}
	shift := f.node.line - 1
	if f.node.block {
		shift++
	}
	documents, broken := parseYAML([]byte(f.text()))
	for _, b := range broken {
		d.add(b.line+shift, b.message, b.details, f.path)
	}
	if len(broken) > 0 {
		return f, false
	}
	if len(documents) != 1 || documents[0].root == nil {
		d.invalid(f, "", "expected one YAML document")
		return f, false
	}
	for _, fault := range documents[0].faults {
		fault.shift(shift)
		at := f.path
		for _, inner := range fault.paths {
			at = join(f.path, inner)
		}
		d.add(fault.line, fault.message, fault.text(), at)
	}
	documents[0].root.shift(shift)
	root = field{node: documents[0].root, path: f.path, line: f.line}
	return root, form.check(&d.report, root)
}

func (d *decoder) brokerDefault(f field) *brokerDefault {
	b := &brokerDefault{
		class:         f.at("brokerClass").text(),
		delivery:      d.delivery(f.at("delivery")),
		sameNamespace: strings.EqualFold(f.at("disallowDifferentNamespaceConfig").text(), "true"),
	}
	if f.at("name").present() {
		d.requireText(f.at("apiVersion"), f.at("kind"), f.at("name"))
		ref := d.readRef(f)
		b.config = &ref
	}
	return b
}

func (d *decoder) defaultTemplate(f field) *template {
	t := d.template(f)
	t.defaulted = true
	return t
}
