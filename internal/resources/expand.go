package resources

import "slices"

// expand makes the channels and Subscriptions of every Sequence and Parallel.
func (r *resolver) expand() {
	var made []*manifest
	for _, owner := range r.objects {
		f := r.past.grown[owner]
		if f == nil {
			if f = newFlow(owner); f == nil {
				continue
			}
		}
		r.grown[owner] = f
		r.flows[owner] = f.each(r.adopt)
		made = append(made, r.flows[owner].all()...)
	}
	if len(made) == 0 {
		return
	}
	// What gave way to another of its name is not in the index any more.
	away := func(m *manifest) bool { return r.index[m.key] != m }
	r.objects = slices.DeleteFunc(slices.Clone(r.objects), away)
	r.add(slices.DeleteFunc(made, away))
}

// adopt takes over an object of a flow. A folder that was exported from a
// cluster has a manifest of it too, which says whose it is: that one gives its
// uid, and with it the consumer group, and is put aside. Any other manifest of
// that name is in the way: who came last has to give in.
func (r *resolver) adopt(m *manifest) *manifest {
	there := r.index[m.key]
	switch {
	case there == nil:
	case there.ownedBy(m.made):
		adopted := *m
		adopted.uid, adopted.labels = there.uid, there.labels
		m = &adopted
	case there.made != nil || !r.madeBefore[m.key] && r.old[there.key] != nil:
		r.lose(m, m.made.line, "the object "+m.ref.String()+" is there already",
			"it is in "+there.place()+"; "+m.made.ref.String()+" needs the name, give one of them another one", "metadata.name")
		return m
	default:
		r.lose(there, there.line, "the object "+m.ref.String()+" is there already",
			m.made.ref.String()+" in "+m.made.place()+" makes it; give one of them another name", "metadata.name")
		return m
	}
	r.index[m.key] = m
	return m
}

// ownedBy tells whether the manifest, as a cluster keeps it, belongs to owner.
func (m *manifest) ownedBy(owner *manifest) bool {
	references := m.at("metadata").at("ownerReferences")
	for i := range references.len() {
		ref := references.index(i)
		group, _ := splitVersion(ref.at("apiVersion").text())
		if group == owner.group && ref.at("kind").text() == owner.kind && ref.at("name").text() == owner.name {
			return true
		}
	}
	return false
}

// planFlow is the part of a Sequence's or Parallel's status that needs no Kafka.
func (r *resolver) planFlow(o *Object, m *manifest) Flow {
	f := r.flow(m)
	if o.Address = r.flowIngress(m); o.Address == "" {
		o.Conditions = append(o.Conditions, ingressNotSet("Addressable"))
	} else {
		o.say("Addressable", True, "", "")
	}
	o.fill("channelTemplate", map[string]any{"apiVersion": messagingGroup + "/v1", "kind": f.template.kind})
	return Flow{Ref: m.ref, Channels: refsOf(f.channels), Filters: refsOf(f.filters), Subscriptions: refsOf(f.subscriptions)}
}

func refsOf(manifests []*manifest) []Ref {
	var refs []Ref
	for _, m := range manifests {
		refs = append(refs, m.ref)
	}
	return refs
}

// mapOf is a map of what is not nil.
func mapOf(entries ...entry) *node {
	m := &node{kind: mapNode}
	for _, e := range entries {
		if e.value != nil {
			m.entries = append(m.entries, e)
		}
	}
	return m
}

// textNode is a text; nil when it is empty.
func textNode(text string) *node {
	if text == "" {
		return nil
	}
	return &node{text: text}
}

func (r objectRef) node() *node {
	return mapOf(
		entry{name: "apiVersion", value: textNode(r.apiVersion)}, entry{name: "group", value: textNode(r.group)},
		entry{name: "kind", value: textNode(r.kind)}, entry{name: "name", value: textNode(r.name)},
		entry{name: "namespace", value: textNode(r.namespace)},
	)
}

// node is the address as a manifest would say it; nil when there is none.
func (d *destination) node() *node {
	if d == nil {
		return nil
	}
	var ref *node
	if d.ref != nil {
		ref = d.ref.node()
	}
	return mapOf(entry{name: "ref", value: ref}, entry{name: "uri", value: textNode(d.uri)}, entry{name: "CACerts", value: textNode(d.caCerts)})
}

func (d *delivery) node() *node {
	if d == nil {
		return nil
	}
	return d.written
}
