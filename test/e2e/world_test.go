package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// world is one scenario's namespace: manifests that it writes, subscribers that it has.
type world struct {
	t    *testing.T
	s    *harness.System
	ns   string
	docs []string
	refs []string // what must be Ready
}

func newWorld(t *testing.T, s *harness.System) *world {
	t.Helper()
	return &world{t: t, s: s, ns: harness.Namespace(t)}
}

// add adds an object. spec and annotations are YAML in flow style or JSON.
func (w *world) add(apiVersion, kind, name, spec, annotations string) {
	if annotations == "" {
		annotations = "{}"
	}
	w.docs = append(w.docs, fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s, annotations: %s}\nspec: %s\n",
		apiVersion, kind, name, w.ns, annotations, spec))
	w.refs = append(w.refs, fmt.Sprintf("%s/%s/%s", strings.ToLower(kind), w.ns, name))
}

// broker adds a Broker. delivery is a DeliverySpec in flow style, empty for none at all.
func (w *world) broker(name string, partitions int, delivery string) {
	w.docs = append(w.docs, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s-config, namespace: %s}\n"+
		"data: {default.topic.partitions: %q, default.topic.replication.factor: \"1\"}\n", name, w.ns, fmt.Sprint(partitions)))
	spec := fmt.Sprintf("{config: {apiVersion: v1, kind: ConfigMap, name: %s-config}", name)
	if delivery != "" {
		spec += ", delivery: " + delivery
	}
	w.add("eventing.knative.dev/v1", "Broker", name, spec+"}", "")
}

// consumer is what a Trigger or Subscription says beyond its names.
type consumer struct {
	filter      string // Trigger: `filter: {...}` or `filters: [...]`
	delivery    string // a DeliverySpec in flow style
	reply       string // Subscription: a URI
	order       string
	annotations string // further ones, `key: value`, separated by commas
}

func (c consumer) notes(w *world) string {
	var all []string
	if c.order != "" {
		all = append(all, "kafka.eventing.knative.dev/delivery.order: "+c.order)
	}
	if c.annotations != "" {
		all = append(all, c.annotations)
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// trigger adds a Trigger that delivers to a URI.
func (w *world) trigger(name, broker, uri string, c consumer) {
	spec := fmt.Sprintf("{broker: %s, subscriber: {uri: %q}", broker, uri)
	if c.filter != "" {
		spec += ", " + c.filter
	}
	if c.delivery != "" {
		spec += ", delivery: " + c.delivery
	}
	w.add("eventing.knative.dev/v1", "Trigger", name, spec+"}", c.notes(w))
}

// channel adds an InMemoryChannel.
func (w *world) channel(name, delivery string) {
	spec := "{}"
	if delivery != "" {
		spec = "{delivery: " + delivery + "}"
	}
	w.add("messaging.knative.dev/v1", "InMemoryChannel", name, spec, "")
}

// subscription adds a Subscription of an InMemoryChannel that delivers to a URI.
func (w *world) subscription(name, channel, uri string, c consumer) {
	spec := fmt.Sprintf("{channel: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: %s}, subscriber: {uri: %q}", channel, uri)
	if c.reply != "" {
		spec += fmt.Sprintf(", reply: {uri: %q}", c.reply)
	}
	if c.delivery != "" {
		spec += ", delivery: " + c.delivery
	}
	w.add("messaging.knative.dev/v1", "Subscription", name, spec+"}", c.notes(w))
}

func (w *world) file() string { return w.ns + ".yaml" }

// write writes the manifests of this namespace without waiting for anything.
func (w *world) write() {
	w.t.Helper()
	w.s.Write(w.t, w.file(), strings.Join(w.docs, "---\n"), nil)
}

// apply writes the manifests and waits until every object is Ready.
func (w *world) apply() {
	w.t.Helper()
	w.write()
	w.s.AwaitObjects(w.t, w.refs...)
}

// edit replaces pieces of the manifests, which must be there, and writes them again once:
// fromTo are pairs of an old and a new text.
func (w *world) edit(fromTo ...string) {
	w.t.Helper()
	whole := strings.Join(w.docs, "---\n")
	for i := 0; i < len(fromTo); i += 2 {
		if !strings.Contains(whole, fromTo[i]) {
			w.t.Fatalf("the manifests do not contain %q:\n%s", fromTo[i], whole)
		}
	}
	w.docs = []string{strings.NewReplacer(fromTo...).Replace(whole)}
	w.write()
}

// send sends events to a Broker of this namespace.
func (w *world) send(broker string, events ...harness.Event) {
	w.t.Helper()
	for _, e := range events {
		w.s.Send(w.t, w.s.Broker(w.ns, broker), e)
	}
}

// sendTo sends events to a channel of this namespace.
func (w *world) sendTo(channel string, events ...harness.Event) {
	w.t.Helper()
	for _, e := range events {
		w.s.Send(w.t, w.s.Channel(w.ns, channel), e)
	}
}

// statusAge is how old the figures of a status may be, with a margin: an answer that is
// younger than this may tell of the time before the last event was sent.
const statusAge = time.Second

// settled waits until a consumer has settled every event of its topic.
func (w *world) settled(refs ...string) {
	w.t.Helper()
	asked := time.Now()
	for _, ref := range refs {
		w.s.AwaitStatus(w.t, ref, "without lag", func(o *harness.Object) bool {
			d := o.Status.Delivery
			return time.Since(asked) > statusAge && d.Lag != nil && *d.Lag == 0 && d.InFlight+d.Waiting+d.Held == 0
		})
	}
}

// pattern waits until a subscriber has answered as wanted ("FFT"); more than that fails.
func (w *world) pattern(what string, sub *harness.Subscriber, want string) {
	w.t.Helper()
	err := harness.Until(harness.Wait, func() error {
		if got := sub.Pattern(); got != want && len(got) <= len(want) {
			return fmt.Errorf("%s answered %s, want %s", what, got, want)
		}
		return nil
	})
	if err == nil && sub.Pattern() != want {
		err = fmt.Errorf("%s answered %s, want %s", what, sub.Pattern(), want)
	}
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) ref(kind, name string) string { return kind + "/" + w.ns + "/" + name }

// tail reads the first n events of an object with `kurier tail`, as CloudEvents in JSON.
func (w *world) tail(n int, args ...string) []map[string]any {
	w.t.Helper()
	args = append([]string{"tail", "--output", "json", "--from", "oldest", "--max", fmt.Sprint(n)}, args...)
	stdout, stderr, code := harness.Run(w.t, w.s.Env(), args...)
	if code != 0 {
		w.t.Fatalf("kurier %s: status %d\n%s", strings.Join(args, " "), code, stderr)
	}
	var events []map[string]any
	for line := range strings.Lines(stdout) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("kurier tail printed %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}
