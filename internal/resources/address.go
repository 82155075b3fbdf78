package resources

import (
	"fmt"
	"net/url"
	"strings"
)

// cause is why an address could not be found; the zero value: it was found.
type cause struct{ reason, message string }

func (c cause) isZero() bool { return c == cause{} }

const reasonIngress = "IngressURLNotSet"

// address resolves a destination of m (6.8). A KafkaSink is produced to directly
// where direct allows it.
func (r *resolver) address(m *manifest, d *destination, direct bool) (Destination, cause) {
	result := Destination{URL: d.uri, CACerts: d.caCerts}
	if d.ref == nil {
		result.OwnBroker = r.ownBroker(strings.TrimSuffix(d.uri, "/"))
		return result, cause{}
	}
	result.Ref = d.ref.ref()
	base, owner, why := r.refURL(m, d)
	sink, isSink := kafkaSinkOf(owner)
	if isSink && direct && d.uri == "" {
		h := r.home(owner)
		result.Cluster, result.Topic, result.Structured, result.URL = h.cluster, h.topic, sink.structured, base
		return result, cause{}
	}
	if !why.isZero() {
		return Destination{}, why
	}
	if owner != nil && d.uri == "" {
		_, result.OwnBroker = owner.body.(*broker)
	}
	resolved, err := joinURL(base, d.uri)
	if err != nil {
		return Destination{}, cause{"InvalidURL", err.Error()}
	}
	result.URL = resolved
	return result, cause{}
}

func kafkaSinkOf(m *manifest) (*kafkaSink, bool) {
	if m == nil {
		return nil, false
	}
	s, ok := m.body.(*kafkaSink)
	return s, ok
}

// joinURL resolves a relative URI against the URL of a reference.
func joinURL(base, relative string) (string, error) {
	parsed, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	if relative == "" {
		return base, nil
	}
	inner, err := url.Parse(relative)
	if err != nil {
		return "", err
	}
	return parsed.ResolveReference(inner).String(), nil
}

// refURL is the URL of the object that a destination names; owner is that object
// when events reach it through our own ingress.
func (r *resolver) refURL(m *manifest, d *destination) (base string, owner *manifest, why cause) {
	ref := *d.ref
	switch gk := (groupKind{ref.groupOf(), ref.kind}); gk {
	case groupKind{coreGroup, kindService}, groupKind{servingGroup, kindService}:
		return r.serviceURL(ref.namespace, ref.name), nil, cause{}
	case groupKind{eventingGroup, kindBroker}, groupKind{eventingGroup, kindKafkaSink}:
		owner = r.object(ref.key())
	case groupKind{messagingGroup, kindChannel}, groupKind{messagingGroup, kindKafkaChannel}, groupKind{messagingGroup, kindInMemoryChannel}:
		owner = r.channel(ref)
	case groupKind{flowsGroup, kindSequence}, groupKind{flowsGroup, kindParallel}:
		if f := r.flow(r.object(ref.key())); f != nil {
			owner = f.channels[0]
		}
	default:
		why = cause{"AddressUnknown", fmt.Sprintf("Kurier knows no address of %s %s: give a uri instead", refVersion(ref), ref.kind)}
		r.nowhere(m, d, why.message)
		return "", nil, why
	}
	if owner == nil {
		why = cause{"NotFound", fmt.Sprintf("%s %q in namespace %q does not exist", ref.kind, ref.name, ref.namespace)}
		r.missingRef(m, d.file, d.at.at("ref"), ref, why.message)
		return "", nil, why
	}
	if base = r.ingress(owner); base == "" {
		return "", owner, cause{reasonIngress, ingressNotSet("").Message}
	}
	return base, owner, cause{}
}

func refVersion(ref objectRef) string {
	if ref.apiVersion != "" {
		return ref.apiVersion
	}
	return ref.group
}

// serviceURL is where a Service is reached.
func (r *resolver) serviceURL(namespace, name string) string {
	o := &r.settings.options
	if given, ok := o.ServiceURLs[namespace+"/"+name]; ok {
		return given
	}
	return strings.NewReplacer("{name}", name, "{namespace}", namespace).Replace(o.ServiceURLTemplate)
}

// missingRef warns of a reference to what no file speaks of; what is there but
// in error has been reported.
func (r *resolver) missingRef(m *manifest, file string, f field, ref objectRef, message string) {
	if file != m.file || r.spoken(ref.key()) {
		return
	}
	r.warn(m, f.line, "reference leads nowhere", message, f.path)
}

func (r *resolver) nowhere(m *manifest, d *destination, message string) {
	r.warn(m, d.at.at("ref").line, "reference leads nowhere", message, d.at.at("ref").path)
}
