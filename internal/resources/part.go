package resources

// part is what one object adds to a Plan, and the answers about other objects
// on which that rests. It is never changed.
type part struct {
	object    *Object
	targets   []Target
	consumers []Consumer
	pings     []Ping
	flows     []Flow
	services  []Service
	problems  []Problem
	claims    []owned // all that conflicts looks at
	answers   answers
}

// answers are what the planning of one object was told about others. While the
// settings and all of them are the same, its part is the same too.
type answers struct {
	objects []about[key, *manifest]
	homes   []about[*manifest, *home]
	flows   []about[*manifest, *flow]
	spoken  []about[key, *manifest]
	brokers []about[string, bool]
}

type about[Q, A comparable] struct {
	question Q
	answer   A
}

func note[Q, A comparable](list []about[Q, A], question Q, answer A) []about[Q, A] {
	for _, known := range list {
		if known.question == question {
			return list
		}
	}
	return append(list, about[Q, A]{question, answer})
}

func holds[Q, A comparable](list []about[Q, A], now map[Q]A) bool {
	for _, known := range list {
		if now[known.question] != known.answer {
			return false
		}
	}
	return true
}

// resolved is what a Plan is made of, object by object.
type resolved struct {
	homes   map[*manifest]*home
	groups  map[*manifest]string
	flows   map[*manifest]*flow     // what Sequences and Parallels have become
	grown   map[*manifest]*flow     // the same, before manifests of their objects were taken over
	brokers map[*manifest]*manifest // by the Trigger that asks for it
	parts   map[*manifest]*part
}

func newResolved(size int) *resolved {
	return &resolved{
		homes: make(map[*manifest]*home, size), groups: make(map[*manifest]string, size), parts: make(map[*manifest]*part, size),
		flows: map[*manifest]*flow{}, grown: map[*manifest]*flow{}, brokers: map[*manifest]*manifest{},
	}
}

// The questions that may be asked while an object is planned. Nothing else may
// be looked at then but the object itself and the settings.

func (r *resolver) object(k key) *manifest {
	m := r.index[k]
	if r.asking != nil {
		r.asking.objects = note(r.asking.objects, k, m)
	}
	return m
}

func (r *resolver) home(m *manifest) *home {
	h := r.homes[m]
	if r.asking != nil {
		r.asking.homes = note(r.asking.homes, m, h)
	}
	return h
}

func (r *resolver) flow(m *manifest) *flow {
	f := r.flows[m]
	if r.asking != nil {
		r.asking.flows = note(r.asking.flows, m, f)
	}
	return f
}

// spoken tells whether the files speak of an object, right or wrong.
func (r *resolver) spoken(k key) bool {
	m := r.named[k]
	if r.asking != nil {
		r.asking.spoken = note(r.asking.spoken, k, m)
	}
	return m != nil
}

// ownBroker tells whether a URL is that of one of our own Brokers.
func (r *resolver) ownBroker(url string) bool {
	own := r.addresses[url]
	if r.asking != nil {
		r.asking.brokers = note(r.asking.brokers, url, own)
	}
	return own
}

// plans is what every object adds, in their order.
func (r *resolver) plans() []*part {
	parts := make([]*part, len(r.objects))
	for i, m := range r.objects {
		parts[i] = r.part(m)
	}
	return parts
}

// part plans an object, or takes over what the last Plan has of it.
func (r *resolver) part(m *manifest) *part {
	p := r.unchanged(m)
	if p == nil {
		var asked answers
		r.asking = &asked
		p = r.planOne(m)
		p.claims = r.claims(m)
		r.asking = nil
		p.answers = asked
	}
	r.parts[m] = p
	return p
}

// unchanged is the part of the last Plan, if all it rests on is as it was.
func (r *resolver) unchanged(m *manifest) *part {
	p := r.past.parts[m]
	if p == nil {
		return nil
	}
	a := &p.answers
	if holds(a.objects, r.index) && holds(a.homes, r.homes) && holds(a.flows, r.flows) && holds(a.spoken, r.named) && holds(a.brokers, r.addresses) {
		return p
	}
	return nil
}
