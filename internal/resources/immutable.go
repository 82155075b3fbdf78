package resources

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// immutable reports what may not change between two versions of an object
// (6.2; VA-9, VA-18, VA-20, VA-22, VA-23).
func (m *manifest) immutable(old *manifest) {
	switch now := m.body.(type) {
	case *broker:
		m.immutableBroker(now, old)
	case *trigger:
		if was, ok := old.body.(*trigger); ok && was.broker.key() != now.broker.key() {
			changed := "broker"
			if m.at("spec").at("brokerRef").present() {
				changed = "brokerRef"
			}
			m.changed("Immutable fields changed (-old +new)", old, []string{changed, "spec"}, "spec.broker", "spec.brokerRef")
		}
	case *channel:
		m.immutableChannel(now, old)
	case *sequence:
		if was, ok := old.body.(*sequence); ok {
			m.immutableTemplate(now.template, was.template, old)
		}
	case *parallel:
		if was, ok := old.body.(*parallel); ok {
			m.immutableTemplate(now.template, was.template, old)
		}
	case *subscription:
		if was, ok := old.body.(*subscription); ok && was.channel.key() != now.channel.key() {
			m.changed("Immutable fields changed (-old +new)", old, []string{"spec"}, "spec.channel")
		}
	case *kafkaSource:
		if was, ok := old.body.(*kafkaSource); ok && was.group != now.group {
			m.changed("Immutable fields changed (-old +new)", old, []string{"spec"}, "spec.consumerGroup")
		}
	case *kafkaSink:
		was, ok := old.body.(*kafkaSink)
		if ok && (was.topic != now.topic || was.partitions != now.partitions || was.replication != now.replication) {
			m.changed("Immutable field updated", old, nil, "spec.topic", "spec.numPartitions", "spec.replicationFactor")
		}
	}
}

func (m *manifest) immutableBroker(now *broker, old *manifest) {
	was, ok := old.body.(*broker)
	if !ok {
		return
	}
	if was.class != now.class {
		f := m.annotation(annotationClass)
		m.add(f.line, "Immutable annotations changed (-old +new)", difference(f.path, quoted(was.class), quoted(now.class)), "annotations")
	}
	if configKey(was) != configKey(now) {
		m.changed("Immutable fields changed (-old +new)", old, []string{"spec"}, "spec.config")
	}
}

func configKey(b *broker) key {
	if b.config == nil {
		return key{}
	}
	return b.config.key()
}

func (m *manifest) immutableChannel(now *channel, old *manifest) {
	was, ok := old.body.(*channel)
	if !ok {
		return
	}
	if now.template != nil {
		m.immutableTemplate(now.template, was.template, old)
		return
	}
	var fixed []string
	for _, name := range []string{"numPartitions", "replicationFactor", "retentionDuration"} {
		before, after := old.at("spec").at(name), m.at("spec").at(name)
		if before.present() && !before.node.same(after.node) {
			fixed = append(fixed, after.path)
		}
	}
	if len(fixed) > 0 {
		m.changed("Immutable fields changed (-old +new)", old, []string{"spec"}, fixed...)
	}
}

func (m *manifest) immutableTemplate(now, was *template, old *manifest) {
	if now.differs(was) {
		m.changed("Immutable fields changed (-old +new)", old, []string{"spec"}, "spec.channelTemplate")
	}
}

// differs tells whether a template was changed by its author; a default that
// changed is nobody's mistake.
func (t *template) differs(was *template) bool {
	if was == nil || t.defaulted && was.defaulted {
		return false
	}
	return t.kind != was.kind || t.topic != was.topic
}

// changed reports every difference in the named fields. Without paths, the
// fields that differ are the paths.
func (m *manifest) changed(message string, old *manifest, paths []string, names ...string) {
	before, after := map[string]string{}, map[string]string{}
	line := 0
	for _, name := range names {
		inner := strings.Split(name, ".")
		now := m.at(inner[0]).at(inner[1])
		leaves(old.at(inner[0]).at(inner[1]), before)
		leaves(now, after)
		if line == 0 || now.present() && now.line < line {
			line = now.line
		}
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	var details, differing []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if before[path] != after[path] {
			differing = append(differing, path)
			details = append(details, difference(path, before[path], after[path]))
		}
	}
	if paths == nil {
		paths = differing
	}
	m.add(line, message, strings.Join(details, "\n"), paths...)
}

func difference(path, was, now string) string {
	return fmt.Sprintf("%s:\n\t-: %s\n\t+: %s", path, cmp.Or(was, "(absent)"), cmp.Or(now, "(absent)"))
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }

// leaves collects every scalar below f by its path, as details show it.
func leaves(f field, into map[string]string) {
	switch {
	case !f.present():
	case f.node.kind == mapNode:
		for _, e := range f.node.entries {
			leaves(field{node: e.value, path: f.path + "." + e.name}, into)
		}
	case f.node.kind == listNode:
		for i := range f.node.items {
			leaves(f.index(i), into)
		}
	case f.node.scalar == textScalar:
		into[f.path] = quoted(f.node.text)
	default:
		into[f.path] = f.node.text
	}
}
