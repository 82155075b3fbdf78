package chaos

import (
	"fmt"
	"strings"
)

// The largest number of retries that any version of a manifest says.
const retries = 4

// triggers are the three that a run has: one for each order. The unordered one has no
// dead letter sink, so its dead letters stand in the topic.
func triggers(namespace string) []Trigger {
	var all []Trigger
	for _, order := range []Order{Unordered, Ordered, ByKey} {
		all = append(all, trigger(namespace, order.String(), order, retries))
	}
	return all
}

// trigger is a Trigger of Broker b.
func trigger(namespace, name string, order Order, retry int) Trigger {
	return Trigger{
		Name: name, Group: fmt.Sprintf("knative-trigger-%s-%s", namespace, name),
		Topic: fmt.Sprintf("knative-broker-%s-b", namespace), Order: order, Retry: retry,
	}
}

// name is the trigger's.
func (s *Subscriber) name() string { return s.history.Triggers[s.trigger].Name }

// brokerManifest is the Broker and its ConfigMap.
const brokerManifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: %[1]s}
data: {default.topic.partitions: "%[2]d", default.topic.replication.factor: "%[3]d"}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: b, namespace: %[1]s}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}
`

// Broken is a file that no parser takes; the last good version stays.
const Broken = "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: [\n"

// spec is what one Trigger's manifest says.
type spec struct {
	name        string
	order       Order
	uri         string
	filter      string // `filters: [...]`, or nothing
	delivery    string // a DeliverySpec in flow style, or nothing
	concurrency int    // 0: the default
}

// manifests are a Broker b and Triggers of it.
func manifests(namespace string, partitions, replicas int, specs ...spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, brokerManifest, namespace, partitions, replicas)
	for _, s := range specs {
		notes := "kafka.eventing.knative.dev/delivery.order: " + s.order.String()
		if s.concurrency > 0 {
			notes += fmt.Sprintf(`, kurier.dev/concurrency: "%d"`, s.concurrency)
		}
		fmt.Fprintf(&b, "---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\n"+
			"metadata: {name: %s, namespace: %s, annotations: {%s}}\nspec: {broker: b, subscriber: {uri: %q}",
			s.name, namespace, notes, s.uri)
		if s.filter != "" {
			b.WriteString(", " + s.filter)
		}
		if s.delivery != "" {
			b.WriteString(", delivery: " + s.delivery)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// version is one of several versions of a run's manifests. They differ in what may change
// while events are on their way: retries, backoff, path, filter, concurrency.
func (r *Run) version(n int) string {
	var specs []spec
	for _, s := range r.subs {
		t := &r.History.Triggers[s.trigger]
		one := spec{name: t.Name, order: t.Order, uri: fmt.Sprintf("%s/%d", s.URL(), n%4), concurrency: 50 + 10*(n%3)}
		if n%3 == 1 {
			one.filter = "filters: [{prefix: {type: com.example}}]"
		}
		one.delivery = fmt.Sprintf("{retry: %d, backoffPolicy: exponential, backoffDelay: %s, timeout: PT3S",
			retries-n%2, []string{"PT0.05S", "PT0.1S"}[n%2])
		if t.Order != Unordered {
			one.delivery += fmt.Sprintf(", deadLetterSink: {uri: %q}", s.Sink())
		}
		one.delivery += "}"
		specs = append(specs, one)
	}
	return manifests(r.Fleet.Namespace, Partitions, Nodes, specs...)
}
