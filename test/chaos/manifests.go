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
		all = append(all, Trigger{
			Name: order.String(), Group: fmt.Sprintf("knative-trigger-%s-%s", namespace, order),
			Topic: fmt.Sprintf("knative-broker-%s-b", namespace), Order: order, Retry: retries,
		})
	}
	return all
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

// Manifests are the objects of a run in one of several versions. Versions differ in what
// may change while events are on their way: retries, backoff, path, filter, concurrency.
func (f *Fleet) Manifests(version, partitions, replicas int) string {
	var b strings.Builder
	fmt.Fprintf(&b, brokerManifest, f.Namespace, partitions, replicas)
	for _, s := range f.subscribers {
		t := &s.history.Triggers[s.trigger]
		filter := ""
		if version%3 == 1 {
			filter = `, filters: [{prefix: {type: com.example}}]`
		}
		sink := ""
		if t.Order != Unordered {
			sink = fmt.Sprintf(", deadLetterSink: {uri: %q}", s.Sink())
		}
		fmt.Fprintf(&b, `---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: %s
  namespace: %s
  annotations: {kafka.eventing.knative.dev/delivery.order: %s, kurier.dev/concurrency: "%d"}
spec: {broker: b, subscriber: {uri: %q}%s, delivery: {retry: %d, backoffPolicy: exponential, backoffDelay: %s, timeout: PT3S%s}}
`, t.Name, f.Namespace, t.Order, 50+10*(version%3), fmt.Sprintf("%s/%d", s.URL(), version%4), filter,
			retries-version%2, []string{"PT0.05S", "PT0.1S"}[version%2], sink)
	}
	return b.String()
}
