package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/deploy"
	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

const (
	pingSeconds = "/apis/v1/namespaces/default/pingsources/ping-every-10-seconds"
	pingMinute  = "/apis/v1/namespaces/default/pingsources/ping-every-minute"
)

// displays asks what each display printed.
type displays func() map[string][]harness.Printed

// byLabel are the displays inside `kurier dev`.
func byLabel(c *harness.Command) displays {
	return func() map[string][]harness.Printed {
		all := map[string][]harness.Printed{}
		for _, p := range harness.ParsePrinted(c.Stdout.String()) {
			all[p.Label] = append(all[p.Label], p)
		}
		return all
	}
}

// ids are the ids of the events from a source that a display printed, in order.
func (d displays) ids(display, source string) []string {
	var all []string
	for _, p := range d()[display] {
		if p.Attribute("source") == source {
			all = append(all, p.Attribute("id"))
		}
	}
	return all
}

// awaitPrinted waits until a display printed an event with an id, n times at least.
func awaitPrinted(t *testing.T, d displays, display, id string, n int) harness.Printed {
	t.Helper()
	var found harness.Printed
	harness.Eventually(t, harness.Wait, fmt.Sprintf("%s to print event %s", display, id), func() error {
		count := 0
		for _, p := range d()[display] {
			if p.Attribute("id") == id {
				found = p
				count++
			}
		}
		if count < n {
			return fmt.Errorf("%d times so far", count)
		}
		return nil
	})
	return found
}

// exampleObjects are what must be Ready.
var exampleObjects = strings.Fields(`inmemorychannel/default/pingevents channel/default/pingevents-kafka broker/default/orders
	broker/default/handbook channel/default/handbook kafkasink/default/failed-orders subscription/default/subscriber-1
	subscription/default/subscriber-2 subscription/default/subscriber-3 subscription/default/kafka-subscriber-1
	subscription/default/kafka-subscriber-2 subscription/default/kafka-subscriber-3 trigger/default/orders
	trigger/default/orders-eu trigger/default/orders-by-customer trigger/default/fail-to-service
	trigger/default/fail-to-kafka trigger/default/fail-to-topic trigger/default/inherits-all
	trigger/default/inherits-some subscription/default/inherits-from-channel subscription/default/delivery-of-its-own
	pingsource/default/ping-every-minute pingsource/default/ping-every-10-seconds`)

// TestExamplesInDev: what a new user sees. `kurier dev` in an empty folder writes the
// examples, runs the displays, and every command that it prints works.
func TestExamplesInDev(t *testing.T) {
	t.Parallel()
	s := harness.NewDev(t, harness.Env{"STRICT_MANIFESTS": "true"})
	s.UnsetEnv("MANIFESTS")
	s.StartReady(t)
	sameAsExamples(t, filepath.Join(s.Env()["DATA_DIR"], "manifests"))
	s.AwaitObjects(t, exampleObjects...)
	if _, stderr, code := harness.Run(t, s.Env(), "status", "--wait", "--timeout", "PT90S"); code != 0 {
		t.Errorf("kurier status --wait: status %d\n%s", code, stderr)
	}
	d := byLabel(s.Command)
	tryExamples(t, s, d)
	eachPingOnce(t, d, pingSeconds, 2)
	eachPingOnce(t, d, pingMinute, 1)
	s.Command.Stop(t)
}

// sameAsExamples checks that the folder holds the example files, unchanged.
func sameAsExamples(t *testing.T, folder string) {
	t.Helper()
	err := fs.WalkDir(deploy.Examples(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := fs.ReadFile(deploy.Examples(), name)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil && string(got) != string(want) {
			t.Errorf("%s is not the example", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// tryExamples sends an event to every example and looks where it arrives.
func tryExamples(t *testing.T, s *harness.System, d displays) {
	t.Helper()
	send := func(target, id, eventType string, more ...string) {
		t.Helper()
		args := append([]string{"send", target, "--id", id, "--type", eventType, "--data", `{"hello": "world"}`}, more...)
		if stdout, stderr, code := harness.Run(t, s.Env().With(harness.Env{"INGRESS_URL": s.Ingress}), args...); code != 0 {
			t.Fatalf("kurier %s: status %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	send("channel/default/pingevents", "to-channel", "greeting")
	send("channel/default/pingevents-kafka", "to-kafka-channel", "greeting")
	send("broker/default/orders", "to-broker", "order.created", "--extension", "region=eu", "--key", "customer-1")
	send("broker/default/orders", "not-eu", "order.created", "--extension", "region=us")
	send("broker/default/handbook", "to-handbook", "greeting")
	send("channel/default/handbook", "to-handbook-channel", "greeting")
	fails := kafkatest.Name(t) // an existing Kafka may hold dead letters of an earlier run
	send("broker/default/orders", fails, "demo.fail")
	for _, n := range []string{"1", "2", "3"} {
		awaitPrinted(t, d, "event-display"+n, "to-channel", 1)
		awaitPrinted(t, d, "event-display"+n, "to-kafka-channel", 1)
		awaitPrinted(t, d, "event-display"+n, "to-broker", 1)
	}
	awaitPrinted(t, d, "event-display1", "to-handbook", 1)
	awaitPrinted(t, d, "event-display2", "to-handbook", 1)
	awaitPrinted(t, d, "event-display2", "to-handbook-channel", 1)
	awaitPrinted(t, d, "event-display3", "to-handbook-channel", 1)
	dead := awaitPrinted(t, d, "event-display4", fails, 1)
	if dead.Attribute("knativeerrorcode") != "503" {
		t.Errorf("the dead letter at event-display4 is %+v", dead)
	}
	for _, tail := range [][]string{{"trigger/default/fail-to-topic", "--dead-letters"}, {"sink/default/failed-orders"}} {
		harness.Eventually(t, harness.Wait, "the dead letter in kurier tail "+tail[0], func() error {
			stdout, stderr, code := harness.Run(t, s.Env(), append([]string{"tail", "--from", "1", "--max", "1"}, tail...)...)
			if code != 0 || !strings.Contains(stdout, fails) || !strings.Contains(stdout, "knativeerrorcode") {
				return fmt.Errorf("status %d\n%s%s", code, stdout, stderr)
			}
			return nil
		})
	}
	for _, p := range d()["event-display2"] {
		if p.Attribute("id") == "not-eu" {
			t.Error("the Trigger orders-eu let an event of another region through")
		}
	}
}

// eachPingOnce waits for n pings of a source at the three displays, and checks that each
// display printed each ping once.
func eachPingOnce(t *testing.T, d displays, source string, n int) {
	t.Helper()
	names := []string{"event-display1", "event-display2", "event-display3"}
	var first []string
	harness.Eventually(t, harness.Wait, fmt.Sprintf("%d pings of %s at every display", n, source), func() error {
		first = d.ids(names[0], source)
		slices.Sort(first)
		for _, name := range names[1:] {
			got := d.ids(name, source)
			slices.Sort(got)
			if len(first) < n || !slices.Equal(first, got) {
				return fmt.Errorf("%s has %d, %s has %d", names[0], len(first), name, len(got))
			}
		}
		return nil
	})
	if len(slices.Compact(slices.Clone(first))) != len(first) {
		t.Errorf("a ping was printed twice: %v", first)
	}
}

// TestExamplesOnKafka: the same files, a receiver, three dispatchers and four displays as
// processes, on a real Kafka. One display is away for 30 seconds and then has everything.
func TestExamplesOnKafka(t *testing.T) {
	t.Parallel()
	kafka := kafkatest.Shared(t)
	s := harness.NewSystem(t, harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": kafka.Bootstrap(), "STRICT_MANIFESTS": "true",
	}, "receiver")
	if err := copyExamples(s.Manifests, kafka.Bootstrap()); err != nil {
		t.Fatal(err)
	}
	shown := startDisplays(t, s)
	s.StartReady(t)
	dispatchers := make([]*harness.System, 3)
	for i := range dispatchers {
		dispatchers[i] = s.Sibling(t, harness.Env{"INSTANCE_NAME": fmt.Sprint("dispatcher", i)}, "dispatcher")
		dispatchers[i].Start(t)
	}
	for _, dispatcher := range dispatchers {
		dispatcher.AwaitReady(t)
		dispatcher.AwaitObjects(t, exampleObjects...)
	}
	tryExamples(t, s, shown.printed)
	stoppedDisplay(t, s, shown)
	eachPingOnce(t, shown.printed, pingSeconds, 4)
	eachPingOnce(t, shown.printed, pingMinute, 1)
	for _, dispatcher := range dispatchers {
		dispatcher.Command.Stop(t)
	}
	s.Command.Stop(t)
}

// copyExamples copies the example files; a KafkaSink names its cluster, which here has
// another address than in Compose.
func copyExamples(folder, bootstrap string) error {
	return fs.WalkDir(deploy.Examples(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(deploy.Examples(), name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name), []byte(strings.ReplaceAll(string(text), "kafka:9092", bootstrap)), 0o644)
	})
}

// displaySet are the displays as processes.
type displaySet struct {
	running map[string]*harness.Command
	earlier map[string]string // what stopped ones printed
	ports   map[string]string
}

// startDisplays starts four displays and tells the system where they are.
func startDisplays(t *testing.T, s *harness.System) *displaySet {
	t.Helper()
	set := &displaySet{map[string]*harness.Command{}, map[string]string{}, map[string]string{}}
	ports, err := kafkatest.FreePorts(4)
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for i, port := range ports {
		name := fmt.Sprint("event-display", i+1)
		set.ports[name] = fmt.Sprint(port)
		set.start(t, name)
		urls = append(urls, fmt.Sprintf("default/%s=http://127.0.0.1:%d", name, port))
	}
	s.SetEnv("SERVICE_URLS", strings.Join(urls, ","))
	return set
}

func (set *displaySet) start(t *testing.T, name string) {
	t.Helper()
	set.running[name] = harness.Start(t, nil, "", "display", "--port", set.ports[name])
}

// stop stops a display and keeps what it printed.
func (set *displaySet) stop(t *testing.T, name string) {
	t.Helper()
	set.running[name].Stop(t)
	set.earlier[name] += set.running[name].Stdout.String()
}

func (set *displaySet) printed() map[string][]harness.Printed {
	all := map[string][]harness.Printed{}
	for name, c := range set.running {
		text := set.earlier[name]
		if !c.Exited() {
			text += c.Stdout.String()
		}
		all[name] = harness.ParsePrinted(text)
	}
	return all
}

// stoppedDisplay stops a display, sends events for half a minute, starts it, and waits for
// every one of them.
func stoppedDisplay(t *testing.T, s *harness.System, set *displaySet) {
	t.Helper()
	const away = 30 * time.Second
	set.stop(t, "event-display2")
	var sent []string
	began := time.Now()
	harness.Eventually(t, harness.Wait, "half a minute", func() error {
		if time.Since(began) >= away {
			return nil
		}
		if due := int(time.Since(began) / time.Second); len(sent) <= due {
			id := fmt.Sprint("away-", len(sent))
			s.Send(t, s.Channel("default", "pingevents"), harness.Event{ID: id, Type: "greeting"})
			sent = append(sent, id)
		}
		return fmt.Errorf("%s left", away-time.Since(began))
	})
	set.start(t, "event-display2")
	for _, id := range sent {
		awaitPrinted(t, set.printed, "event-display2", id, 1)
	}
	if len(sent) < 20 {
		t.Errorf("only %d events were sent", len(sent))
	}
}
