package resources

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// home is where a Broker, a channel or a KafkaSink keeps its events. It is not
// changed once it is settled.
type home struct {
	cluster string
	topic   string
	spec    Topic       // how the topic is made
	blocked []Condition // why it cannot be used
	behind  *manifest   // of a Channel: what stands behind it
}

func (h *home) same(other *home) bool {
	a, b := h.spec, other.spec
	return h.behind == other.behind && h.cluster == other.cluster && h.topic == other.topic && a.Partitions == b.Partitions && a.Replication == b.Replication &&
		a.Create == b.Create && maps.Equal(a.Config, b.Config) && slices.Equal(h.blocked, other.blocked)
}

// settle gives an object its home: the one of the last Plan if it is the same.
func (r *resolver) settle(m *manifest, h *home) {
	if old := r.past.homes[m]; old != nil && (old == h || old.same(h)) {
		h = old
	}
	r.homes[m] = h
}

// resolver follows every reference between the objects in force.
type resolver struct {
	*loading
	*resolved
	index     map[key]*manifest
	objects   []*manifest                // those of index, sorted
	sorted    []*manifest                // those of them that files speak of
	configs   map[*manifest]*brokerTopic // ConfigMaps as Brokers read them
	addresses map[string]bool            // URLs of our own Brokers
	owners    map[owned]*manifest
	losers    []*manifest // in error, as it turned out
	past      *resolved   // what the last Plan was made of, under the same settings; never nil
	asking    *answers    // of the object that is being planned
}

func newResolver(l *loading) *resolver {
	n := len(l.active)
	r := &resolver{
		loading: l, index: maps.Clone(l.active), configs: map[*manifest]*brokerTopic{}, addresses: map[string]bool{},
		resolved: newResolved(n), past: &resolved{},
	}
	if l.settings == l.last.settings {
		r.past = l.last.resolved
	}
	r.sort()
	r.inject()
	r.expand()
	return r
}

// sort puts the objects in order. Most of them were there before.
func (r *resolver) sort() {
	r.objects = make([]*manifest, 0, len(r.active))
	for _, m := range r.last.sorted {
		if now := r.active[m.key]; now != nil {
			r.objects = append(r.objects, now)
		}
	}
	var fresh []*manifest
	if len(r.objects) < len(r.active) {
		old := make(map[key]bool, len(r.last.sorted))
		for _, m := range r.last.sorted {
			old[m.key] = true
		}
		for k, m := range r.active {
			if !old[k] {
				fresh = append(fresh, m)
			}
		}
	}
	r.add(fresh)
	r.sorted = r.objects
}

// add puts more objects into their places.
func (r *resolver) add(more []*manifest) {
	if len(more) == 0 {
		return
	}
	slices.SortFunc(more, compareManifests)
	all := make([]*manifest, 0, len(r.objects)+len(more))
	for _, m := range r.objects {
		for len(more) > 0 && compareManifests(more[0], m) < 0 {
			all, more = append(all, more[0]), more[1:]
		}
		all = append(all, m)
	}
	r.objects = append(all, more...)
}

func compareManifests(a, b *manifest) int {
	return cmp.Or(compareRefs(a.ref, b.ref), cmp.Compare(a.group, b.group))
}

// inject adds the Broker default of each namespace in which a Trigger asks for
// it and no manifest makes it.
func (r *resolver) inject() {
	var added []*manifest
	for _, m := range r.objects {
		t, ok := m.body.(*trigger)
		if !ok || !t.injected || r.index[t.broker.key()] != nil || r.named[t.broker.key()] != nil {
			continue
		}
		made := r.injected(m, t)
		if !made.body.(*broker).known {
			continue // Brokers without a class are another program's
		}
		r.index[made.key] = made
		added = append(added, made)
	}
	r.add(added)
}

// injected is the Broker that a Trigger asks for.
func (r *resolver) injected(m *manifest, t *trigger) *manifest {
	made := r.past.brokers[m]
	if made == nil {
		made = &manifest{
			report: report{file: m.file, line: m.line, ref: t.broker.ref()}, key: t.broker.key(), apiVersion: eventingGroup + "/v1",
			generation: 1, root: field{node: &node{kind: mapNode, line: m.line}, line: m.line}, made: m,
		}
		made.body = decodeBroker(&decoder{manifest: made, settings: r.settings})
	}
	r.brokers[m] = made
	return made
}

// lose takes an object out that is in error for a reason that shows only among
// the others. What was made of another object takes that one with it.
func (r *resolver) lose(m *manifest, line int, message, details string, paths ...string) {
	r.wrong(m, line, message, details, paths...)
	r.losers = append(r.losers, m.author())
}

// names finds every topic and group (6.3).
func (r *resolver) names() {
	for _, m := range r.objects {
		switch body := m.body.(type) {
		case *broker:
			r.settle(m, r.brokerHome(m, body))
			if url := r.ingress(m); url != "" {
				r.addresses[url] = true
			}
		case *channel:
			r.settle(m, r.channelHome(m, body))
		case *kafkaSink:
			r.settle(m, r.sinkHome(m, body))
		case *trigger:
			if r.groups[m] = r.past.groups[m]; r.groups[m] == "" {
				r.groups[m] = r.name(m, r.settings.triggerGroups, nil)
			}
		case *kafkaSource:
			r.groups[m] = r.sourceGroup(m, body)
		case *subscription:
			if r.groups[m] = r.past.groups[m]; r.groups[m] == "" {
				r.groups[m] = subscriptionGroup(m.namespace, body.channel.name, m.uid, m.name)
			}
		}
	}
}

// name makes a name of a template and checks it.
func (r *resolver) name(m *manifest, t nameTemplate, check func(string) string) string {
	name, err := t.make(m)
	wrong := ""
	switch {
	case err != nil:
		wrong = err.Error()
	case name == "":
		wrong = "it is empty"
	case check != nil:
		wrong = check(name)
	}
	if wrong != "" {
		r.lose(m, m.line, "no usable name: "+quoted(name), wrong, "metadata.name")
	}
	return name
}

func (r *resolver) brokerHome(m *manifest, b *broker) *home {
	result := defaultBrokerTopic()
	h := &home{}
	if b.config != nil {
		result, h.blocked = r.brokerConfig(b)
	}
	h.cluster = r.cluster(result.servers)
	h.spec = Topic{Partitions: result.partitions, Replication: result.replication, Config: result.config, Create: true}
	if b.externalTopic != "" {
		h.topic, h.spec = b.externalTopic, Topic{}
	} else {
		h.topic = r.name(m, r.settings.brokerTopics, checkTopicName)
	}
	return h
}

func (r *resolver) brokerConfig(b *broker) (brokerTopic, []Condition) {
	m := r.index[b.config.key()]
	if m == nil {
		reason, wrong := "ConfigMapNotFound", "does not exist"
		if r.named[b.config.key()] != nil {
			reason, wrong = "ConfigMapInvalid", "is in error"
		}
		return defaultBrokerTopic(), []Condition{{"ConfigParsed", False, reason,
			`ConfigMap "` + b.config.name + `" in namespace "` + b.config.namespace + `" ` + wrong}}
	}
	if result := r.configs[m]; result != nil {
		return *result, nil
	}
	shadow := *m
	shadow.problems = nil
	result := (&decoder{manifest: &shadow, settings: r.settings}).brokerTopic()
	r.configs[m] = &result
	if shadow.failed() { // the next round goes on without it
		r.losers = append(r.losers, m)
	}
	r.problems = append(r.problems, shadow.problems...)
	return result, nil
}

func (r *resolver) channelHome(m *manifest, c *channel) *home {
	behind := r.backing(m, c)
	if old := r.past.homes[m]; old != nil && old.behind == behind {
		return old
	}
	topic := c.topic
	if behind != nil {
		topic = behind.body.(*channel).topic
	}
	return &home{
		behind: behind, cluster: r.cluster(r.settings.channelServer), topic: r.name(m, r.settings.channelTopics, checkTopicName),
		spec: Topic{Partitions: topic.partitions, Replication: topic.replication, Config: topic.config(), Create: true},
	}
}

// backing is the channel that stands behind a Channel, when it has a manifest of
// its own; the two are one, with one topic and one address (3.1).
func (r *resolver) backing(m *manifest, c *channel) *manifest {
	if c.template == nil {
		return nil
	}
	behind := r.object(key{messagingGroup, c.template.kind, m.namespace, m.name})
	if behind == nil {
		return nil
	}
	if _, ok := behind.body.(*channel); !ok {
		return nil
	}
	return behind
}

// fronted tells whether a Channel's manifest stands before this channel.
func (r *resolver) fronted(m *manifest) bool {
	front := r.object(key{messagingGroup, kindChannel, m.namespace, m.name})
	if front == nil || front == m {
		return false
	}
	c, ok := front.body.(*channel)
	return ok && c.template != nil && c.template.kind == m.kind
}

func (r *resolver) sinkHome(_ *manifest, s *kafkaSink) *home {
	h := &home{cluster: r.cluster(s.servers), topic: s.topic}
	if s.partitions > 0 && s.replication > 0 {
		h.spec = Topic{Partitions: s.partitions, Replication: s.replication, Create: true}
	}
	return h
}

// cluster is the name of the cluster at servers: empty for the environment's.
func (r *resolver) cluster(servers string) string {
	if servers == r.settings.bootstrap {
		return ""
	}
	return servers
}

// ingressPath is where the ingress takes events for an object; empty for other kinds.
func ingressPath(m *manifest) string {
	switch m.body.(type) {
	case *broker:
		return "/" + m.namespace + "/" + m.name
	case *channel:
		return "/channels/" + m.namespace + "/" + m.name
	case *kafkaSink:
		return "/sinks/" + m.namespace + "/" + m.name
	}
	return ""
}

// flowIngress is the address of a Sequence or Parallel: that of its first
// channel.
func (r *resolver) flowIngress(m *manifest) string { return r.ingress(r.flow(m).channels[0]) }

// ingress is the address of an object; empty when nobody said where the ingress
// is.
func (r *resolver) ingress(m *manifest) string {
	if r.settings.options.IngressURL == "" {
		return ""
	}
	return r.settings.options.IngressURL + ingressPath(m)
}

func ingressNotSet(conditionType string) Condition {
	return Condition{conditionType, False, "IngressURLNotSet",
		"it is not known where the receiver is; set it in the environment, for example INGRESS_URL=http://receiver:8080"}
}

// hosts are the names under which a channel is reached by Host.
func hosts(m *manifest) []string {
	name := strings.ToLower(m.name + "-kn-channel." + m.namespace + ".svc")
	return []string{name, name + ".cluster.local"}
}
