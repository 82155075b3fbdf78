package resources

import (
	"encoding/json"
	"fmt"

	"kurier.dev/kurier/internal/filter"
)

const crossNamespaceOff = "only name, apiVersion and kind are supported fields when feature.CrossNamespaceEventLinks is disabled"

// trigger is the body of a Trigger.
type trigger struct {
	broker     objectRef
	attributes map[string]string
	filters    []filter.Spec
	subscriber *destination
	delivery   *delivery
	policy     policy
	dependency *objectRef
	injected   bool
}

// decodeTrigger reads a Trigger (VA-11 to VA-19).
func decodeTrigger(d *decoder) any {
	spec := d.at("spec")
	attributes := spec.at("filter").at("attributes")
	d.attributeNames(attributes)
	t := &trigger{
		broker:     d.triggerBroker(spec),
		attributes: attributes.texts(),
		filters:    d.filters(spec.at("filters")),
		subscriber: d.destination(spec.at("subscriber")),
		delivery:   d.delivery(spec.at("delivery")),
		policy:     d.policy(),
		dependency: d.dependency(),
	}
	t.injected = d.injection(t.broker.name)
	return t
}

// triggerBroker reads spec.broker or spec.brokerRef.
func (d *decoder) triggerBroker(spec field) objectRef {
	name, ref := spec.at("broker"), spec.at("brokerRef")
	broker := objectRef{apiVersion: eventingGroup + "/v1", kind: kindBroker, namespace: d.namespace, name: name.text()}
	switch {
	case name.text() != "" && ref.present():
		d.bothOf(spec, name, ref)
		return broker
	case name.text() == "" && !ref.present():
		d.missing(name)
		return broker
	case !ref.present():
		return broker
	}
	d.requireText(ref.at("name"))
	broker.name = ref.at("name").text()
	if kind := ref.at("kind"); kind.text() != "" && kind.text() != kindBroker {
		d.invalid(kind, kind.text(), "Expected Broker")
	}
	if namespace := ref.at("namespace"); namespace.text() != "" {
		if !d.settings.features.crossNamespace {
			d.disallowed(namespace, crossNamespaceOff)
		}
		broker.namespace = namespace.text()
	}
	return broker
}

// dependency reads the annotation knative.dev/dependency (VA-16).
func (d *decoder) dependency() *objectRef {
	f := d.annotation(annotationDependency)
	if !f.present() {
		return nil
	}
	var read struct{ APIVersion, Kind, Namespace, Name string }
	if err := json.Unmarshal([]byte(f.text()), &read); err != nil {
		d.add(f.line, fmt.Sprintf("The provided annotation was not a corev1.ObjectReference: %q", f.text()), err.Error(), f.path)
		return nil
	}
	if read.Namespace != "" && read.Namespace != d.namespace {
		d.add(f.line, fmt.Sprintf("Namespace must be empty or equal to the trigger namespace %q", d.namespace), "", f.path+".namespace")
	}
	for _, part := range []struct{ name, value string }{{"apiVersion", read.APIVersion}, {"kind", read.Kind}, {"name", read.Name}} {
		if part.value == "" {
			d.missing(field{path: f.path + "." + part.name, line: f.line})
		}
	}
	return &objectRef{apiVersion: read.APIVersion, kind: read.Kind, namespace: d.namespace, name: read.Name}
}

// injection reads the annotation eventing.knative.dev/injection (VA-17).
func (d *decoder) injection(broker string) bool {
	f := d.annotation(annotationInjection)
	switch {
	case !f.present() || f.text() == "disabled":
		return false
	case f.text() != "enabled":
		d.add(f.line, fmt.Sprintf(`The provided injection annotation value can only be "enabled" or "disabled", not %q`, f.text()), "", f.path)
		return false
	case broker != "default" && broker != "":
		d.add(f.line, fmt.Sprintf("The provided injection annotation is only used for default broker, but non-default broker specified here: %q", broker), "", f.path)
		return false
	}
	return broker == "default"
}
