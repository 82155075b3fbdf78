package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// world is one part's namespace: the manifests it writes, the subscribers it has.
type world struct {
	t    *testing.T
	s    *system
	ns   string
	docs []string
	refs []string // what must be Ready

	mu   sync.Mutex
	subs []*harness.Subscriber
}

func newWorld(t *testing.T, s *system) *world {
	t.Helper()
	w := &world{t: t, s: s, ns: harness.Namespace(t)}
	t.Cleanup(w.leave)
	return w
}

// leave takes the manifests away, so that what works or is held by itself does not take from
// the parts that still run. A part that failed shows what Kurier said of its consumers.
func (w *world) leave() {
	if err := os.Remove(filepath.Join(w.s.Manifests, w.ns+".yaml")); err != nil && !os.IsNotExist(err) {
		w.t.Error(err)
	}
	if w.t.Failed() {
		for _, line := range w.s.Command.Stderr.Lines("namespace="+w.ns, "group") {
			if !strings.HasSuffix(line, " generation=1") { // a rebalance may repeat events
				w.t.Log(line)
			}
		}
	}
}

// subscriber starts a recording subscriber, nil answering 202 to everything.
func (w *world) subscriber(b harness.Behaviour) *harness.Subscriber {
	w.t.Helper()
	return w.watch(harness.NewSubscriber(w.t, b))
}

// watch makes settle wait for a subscriber's requests, too.
func (w *world) watch(s *harness.Subscriber) *harness.Subscriber {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subs = append(w.subs, s)
	return s
}

// document adds manifests as they are, which nobody waits for.
func (w *world) document(format string, args ...any) {
	w.docs = append(w.docs, fmt.Sprintf(format, args...)+"\n")
}

// add adds an object that must become Ready. spec and notes are YAML in flow style.
func (w *world) add(apiVersion, kind, name, spec, notes string) {
	w.document("apiVersion: %s\nkind: %s\nmetadata: {name: %s, namespace: %s, annotations: {%s}}\nspec: %s",
		apiVersion, kind, name, w.ns, notes, spec)
	w.refs = append(w.refs, w.ref(kind, name))
}

func (w *world) ref(kind, name string) string { return strings.ToLower(kind) + "/" + w.ns + "/" + name }

// broker adds a Broker. delivery is a DeliverySpec in flow style, empty for none at all;
// config are further settings of its ConfigMap.
func (w *world) broker(name string, partitions int, delivery string, config ...string) {
	data := append([]string{fmt.Sprintf("default.topic.partitions: %q", fmt.Sprint(partitions)), `default.topic.replication.factor: "1"`}, config...)
	w.document("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s-config, namespace: %s}\ndata: {%s}", name, w.ns, strings.Join(data, ", "))
	spec := fmt.Sprintf("{config: {apiVersion: v1, kind: ConfigMap, name: %s-config}", name)
	if delivery != "" {
		spec += ", delivery: " + delivery
	}
	w.add("eventing.knative.dev/v1", "Broker", name, spec+"}", "")
}

// consumer is what a Trigger or Subscription says beyond names and subscriber.
type consumer struct {
	filter   string // Trigger: `filter: {...}` or `filters: [...]`
	delivery string // a DeliverySpec in flow style
	reply    string // Subscription: a URI
	order    string
	notes    string // further annotations, `key: value`, separated by commas
}

func (c consumer) annotations() string {
	var all []string
	if c.order != "" {
		all = append(all, "kafka.eventing.knative.dev/delivery.order: "+c.order)
	}
	if c.notes != "" {
		all = append(all, c.notes)
	}
	return strings.Join(all, ", ")
}

func (c consumer) spec(begin string) string {
	if c.filter != "" {
		begin += ", " + c.filter
	}
	if c.reply != "" {
		begin += fmt.Sprintf(", reply: {uri: %q}", c.reply)
	}
	if c.delivery != "" {
		begin += ", delivery: " + c.delivery
	}
	return begin + "}"
}

// trigger adds a Trigger that delivers to a URI.
func (w *world) trigger(name, broker, uri string, c consumer) {
	w.add("eventing.knative.dev/v1", "Trigger", name, c.spec(fmt.Sprintf("{broker: %s, subscriber: {uri: %q}", broker, uri)), c.annotations())
}

// channel adds a KafkaChannel of one partition.
func (w *world) channel(name, delivery string) { w.channelOf(name, 1, delivery) }

func (w *world) channelOf(name string, partitions int, delivery string) {
	spec := fmt.Sprintf("{numPartitions: %d, replicationFactor: 1", partitions)
	if delivery != "" {
		spec += ", delivery: " + delivery
	}
	w.add("messaging.knative.dev/v1beta1", "KafkaChannel", name, spec+"}", "")
}

// subscription adds a Subscription of a KafkaChannel that delivers to a URI.
func (w *world) subscription(name, channel, uri string, c consumer) {
	w.subscriptionOf("messaging.knative.dev/v1beta1", "KafkaChannel", name, channel, uri, c)
}

func (w *world) subscriptionOf(apiVersion, kind, name, channel, uri string, c consumer) {
	begin := fmt.Sprintf("{channel: {apiVersion: %s, kind: %s, name: %s}", apiVersion, kind, channel)
	if uri != "" {
		begin += fmt.Sprintf(", subscriber: {uri: %q}", uri)
	}
	w.add("messaging.knative.dev/v1", "Subscription", name, c.spec(begin), c.annotations())
}

// write writes the manifests of this namespace without waiting for anything.
func (w *world) write() {
	w.t.Helper()
	w.s.Write(w.t, w.ns+".yaml", strings.Join(w.docs, "---\n"), nil)
}

// apply writes the manifests and waits until every object is Ready and takes events.
func (w *world) apply() {
	w.t.Helper()
	w.write()
	w.ready()
}

func (w *world) ready() {
	w.t.Helper()
	w.await("every object is Ready", func(objects map[string]*harness.Object) error {
		for _, ref := range w.refs {
			o := objects[ref]
			if o == nil {
				return fmt.Errorf("%s is not known", ref)
			}
			if o.Condition("Ready").Status != "True" {
				return fmt.Errorf("%s: %s", ref, o.Unready())
			}
		}
		return nil
	})
}

// lookEvery is how often the status is read, for all parts together.
const lookEvery = 400 * time.Millisecond

// look returns the status of every object, from the last reading when that is fresh.
func (s *system) look() (look, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last.at) < lookEvery {
		return s.last, nil
	}
	at := time.Now()
	code, body, err := s.Get(s.Admin + "/status")
	if err != nil {
		return look{}, err
	}
	if code != http.StatusOK {
		return look{}, fmt.Errorf("status: %d: %s", code, body)
	}
	var list struct{ Items []harness.Object }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return look{}, err
	}
	s.last = look{at, list.Items}
	return s.last, nil
}

// await waits until the objects of this namespace, by reference, are as f wants them.
func (w *world) await(what string, f func(objects map[string]*harness.Object) error) {
	w.t.Helper()
	harness.Eventually(w.t, harness.Wait, what, func() error {
		l, err := w.s.look()
		if err != nil {
			return err
		}
		return f(w.mine(l))
	})
}

func (w *world) mine(l look) map[string]*harness.Object {
	objects := map[string]*harness.Object{}
	for i := range l.objects {
		if o := &l.objects[i]; o.Metadata.Namespace == w.ns {
			objects[w.ref(o.Kind, o.Metadata.Name)] = o
		}
	}
	return objects
}

// quiet is how long nothing may have moved: longer than a figure of the status is old.
const quiet = 1500 * time.Millisecond

// settle waits until every consumer of this namespace, but those in except, has settled all
// events of its topic, and no subscriber is called any more. Kurier's figures are not of one
// instant, and an event may go from one topic to the next: so all of this must hold
// without a break over several readings.
func (w *world) settle(except ...string) {
	w.t.Helper()
	since, called := time.Now(), -1
	w.await("everything is settled", func(objects map[string]*harness.Object) error {
		if n := w.called(); n != called {
			since, called = time.Now(), n
		}
		if err := w.unsettled(objects, except); err != nil {
			since = time.Now()
			return err
		}
		if time.Since(since) < quiet {
			return errors.New("not for long enough yet")
		}
		return nil
	})
}

func (w *world) called() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subs {
		n += len(s.Requests())
	}
	return n
}

func (w *world) unsettled(objects map[string]*harness.Object, except []string) error {
	for ref, o := range objects {
		if o.Kind != "Trigger" && o.Kind != "Subscription" || contains(except, ref) {
			continue
		}
		d := o.Status.Delivery
		if d.Lag == nil || *d.Lag != 0 || d.InFlight+d.Waiting+d.Held != 0 {
			return fmt.Errorf("%s: %+v", ref, d)
		}
	}
	return nil
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
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

// uri is a Destination of a URL.
func uri(url string) string { return fmt.Sprintf("{uri: %q}", url) }

// deadLetterSink is the entry of a DeliverySpec.
func deadLetterSink(url string) string { return "deadLetterSink: " + uri(url) }
