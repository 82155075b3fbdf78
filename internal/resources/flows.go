package resources

import "fmt"

// sequence is the body of a Sequence.
type sequence struct {
	template *template
	steps    []step
	reply    *destination
	policy   policy // of all its Subscriptions
}

// step is one step of a Sequence.
type step struct {
	subscriber *destination
	delivery   *delivery
}

// parallel is the body of a Parallel.
type parallel struct {
	template *template
	branches []branch
	reply    *destination
	policy   policy
}

// branch is one branch of a Parallel. Without a filter it gets every event.
type branch struct {
	filter, subscriber, reply *destination
	delivery                  *delivery
}

// decodeSequence reads a Sequence (6.9, VA-29).
func decodeSequence(d *decoder) any {
	spec := d.at("spec")
	s := &sequence{template: d.flowTemplate(spec), reply: d.optional(spec.at("reply")), policy: d.policy()}
	steps := spec.at("steps")
	if steps.len() == 0 {
		d.missing(steps)
	}
	for i := range steps.len() {
		f := steps.index(i)
		s.steps = append(s.steps, step{subscriber: d.destination(f), delivery: d.delivery(f.at("delivery"))})
	}
	return s
}

// decodeParallel reads a Parallel (6.9, VA-29).
func decodeParallel(d *decoder) any {
	spec := d.at("spec")
	p := &parallel{template: d.flowTemplate(spec), reply: d.optional(spec.at("reply")), policy: d.policy()}
	branches := spec.at("branches")
	if branches.len() == 0 {
		d.missing(branches)
	}
	for i := range branches.len() {
		f := branches.index(i)
		p.branches = append(p.branches, branch{
			filter: d.optional(f.at("filter")), subscriber: d.destination(f.at("subscriber")),
			reply: d.optional(f.at("reply")), delivery: d.delivery(f.at("delivery")),
		})
	}
	return p
}

// flowTemplate is the template of the channels in between, as written or as
// default-ch-webhook says.
func (d *decoder) flowTemplate(spec field) *template {
	if t := d.template(spec.at("channelTemplate")); t != nil {
		return t
	}
	return d.settings.channelTemplate(d.namespace)
}

// optional reads an address that may be absent.
func (d *decoder) optional(f field) *destination {
	if !f.present() {
		return nil
	}
	return d.destination(f)
}

// flow is what a Sequence or a Parallel has become.
type flow struct {
	owner         *manifest
	template      *template
	policy        policy
	channels      []*manifest // the first one takes the flow's events
	filters       []*manifest
	subscriptions []*manifest
}

func newFlow(owner *manifest) *flow {
	switch body := owner.body.(type) {
	case *sequence:
		f := &flow{owner: owner, template: body.template, policy: body.policy}
		f.sequence(body)
		return f
	case *parallel:
		f := &flow{owner: owner, template: body.template, policy: body.policy}
		f.parallel(body)
		return f
	}
	return nil
}

// all is everything that was made.
func (f *flow) all() []*manifest {
	return append(append(append([]*manifest(nil), f.channels...), f.filters...), f.subscriptions...)
}

// each is the flow with every object replaced by what change answers.
func (f *flow) each(change func(*manifest) *manifest) *flow {
	changed := *f
	differs := false
	replace := func(all []*manifest) []*manifest {
		next := make([]*manifest, len(all))
		for i, m := range all {
			next[i] = change(m)
			differs = differs || next[i] != m
		}
		return next
	}
	changed.channels, changed.filters, changed.subscriptions = replace(f.channels), replace(f.filters), replace(f.subscriptions)
	if !differs {
		return f
	}
	return &changed
}

// sequence makes a channel and a Subscription for each step. A step replies to
// the next channel, the last one to where the Sequence replies.
func (f *flow) sequence(s *sequence) {
	for i := range s.steps {
		f.channels = append(f.channels, f.channel(f.name("sequence", i)))
	}
	for i, step := range s.steps {
		reply := s.reply
		if i+1 < len(s.steps) {
			reply = f.to(f.channels[i+1])
		}
		f.subscriptions = append(f.subscriptions, f.subscription(f.name("sequence", i), f.channels[i], subscription{
			subscriber: step.subscriber, reply: reply, delivery: step.delivery,
		}))
	}
}

// parallel makes the channel that takes the events, and for each branch a
// channel behind its filter. A filter's reply is what the branch gets: one that
// answers no event drops the event for that branch.
func (f *flow) parallel(p *parallel) {
	f.channels = append(f.channels, f.channel(f.owner.name+"-kn-parallel"))
	for i, b := range p.branches {
		behind := f.channel(f.name("parallel", i))
		f.channels = append(f.channels, behind)
		before := subscription{subscriber: b.filter, reply: f.to(behind)}
		if b.filter == nil {
			before = subscription{subscriber: f.to(behind)}
		}
		f.filters = append(f.filters, f.subscription(f.name("parallel-filter", i), f.channels[0], before))
		reply := b.reply
		if reply == nil {
			reply = p.reply
		}
		f.subscriptions = append(f.subscriptions, f.subscription(f.name("parallel", i), behind, subscription{
			subscriber: b.subscriber, reply: reply, delivery: b.delivery,
		}))
	}
}

func (f *flow) name(kind string, i int) string {
	return fmt.Sprintf("%s-kn-%s-%d", f.owner.name, kind, i)
}

// object is an object of the flow; spec is what its status shows.
func (f *flow) object(kind, name string, spec *node, body any) *manifest {
	m := &manifest{
		key: key{messagingGroup, kind, f.owner.namespace, name}, apiVersion: messagingGroup + "/v1",
		generation: f.owner.generation, body: body, made: f.owner,
		root: field{node: mapOf(entry{name: "spec", value: spec}), line: f.owner.line},
	}
	m.report = report{file: f.owner.file, line: f.owner.line, ref: m.asRef()}
	return m
}

func (f *flow) channel(name string) *manifest {
	t := f.template
	return f.object(t.kind, name, t.spec, &channel{topic: t.topic, delivery: t.delivery, policy: f.policy})
}

func (f *flow) subscription(name string, source *manifest, s subscription) *manifest {
	s.channel = referenceTo(source)
	spec := mapOf(
		entry{name: "channel", value: s.channel.node()}, entry{name: "subscriber", value: s.subscriber.node()},
		entry{name: "reply", value: s.reply.node()}, entry{name: "delivery", value: s.delivery.node()},
	)
	return f.object(kindSubscription, name, spec, &s)
}

// to is the address of one of the flow's own channels.
func (f *flow) to(channel *manifest) *destination {
	ref := referenceTo(channel)
	return &destination{ref: &ref, file: f.owner.file, at: f.owner.at("spec")}
}

func referenceTo(m *manifest) objectRef {
	return objectRef{apiVersion: m.apiVersion, kind: m.kind, namespace: m.namespace, name: m.name}
}
