package compose

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

const pingSource = "/apis/v1/namespaces/default/pingsources/ping-every-10-seconds"

// TestCompose is `docker compose up --wait --scale dispatcher=2` and what the README says
// one does then. Kafka is started last.
func TestCompose(t *testing.T) {
	needBoxes(t)
	if _, err := kafkatest.Libraries(t.Context()); err != nil {
		kafkatest.SkipOrFail(t, err.Error())
	}
	s := newStack(t)
	services := map[string]string{"dispatcher-1": "dispatcher", "dispatcher-2": "dispatcher", "receiver-1": "receiver"}
	for n := range 4 {
		services[fmt.Sprintf("event-display%d-1", n+1)] = fmt.Sprint("event-display", n+1)
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s.start(t, s.create(t, services[name], name))
	}
	kafka := s.create(t, "kafka", "kafka-1")
	for _, name := range []string{"receiver-1", "dispatcher-1", "dispatcher-2"} {
		s.boxes[name].awaitOutput(t, "kafka:9092") // it waits, and says for what
	}
	s.start(t, kafka)
	for _, name := range slices.Sorted(maps.Keys(s.boxes)) {
		s.healthy(t, s.boxes[name])
	}
	t.Run("environment", func(t *testing.T) { checkEnvironment(t, s) })
	t.Run("addresses", func(t *testing.T) { checkAddresses(t, s) })
	t.Run("every display has every event", func(t *testing.T) { checkTutorial(t, s) })
	t.Run("dead letter", func(t *testing.T) { checkDeadLetter(t, s) })
	t.Run("a display stops and starts", func(t *testing.T) { checkStoppedDisplay(t, s) })
	t.Run("commands inside", func(t *testing.T) { checkCommands(t, s) })
	t.Run("each ping once", func(t *testing.T) { checkPings(t, s) })
	t.Run("Kafka restarts", func(t *testing.T) { checkKafkaRestart(t, s, kafka) })
	for _, name := range slices.Sorted(maps.Keys(s.boxes)) {
		if name != "kafka-1" {
			s.stop(t, s.boxes[name])
		}
	}
	s.stop(t, kafka)
}

// awaitOutput waits for a line that contains all the words.
func (c *container) awaitOutput(t *testing.T, words ...string) {
	t.Helper()
	harness.Eventually(t, harness.Wait, fmt.Sprintf("%s to write %q", c.name, words), func() error {
		if len(c.output.Lines(words...)) == 0 {
			return fmt.Errorf("no such line")
		}
		return nil
	})
}

// checkEnvironment: each process has the variables of the file, those of the image, and
// what every container engine sets; nothing was changed or added to make it work.
func checkEnvironment(t *testing.T, s *stack) {
	for name, c := range s.boxes {
		got, err := c.running.Environment()
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]string{}
		for _, entry := range got {
			key, value, _ := strings.Cut(entry, "=")
			have[key] = value
		}
		for key, want := range variables(c.service) {
			if have[key] != want {
				t.Errorf("%s: %s=%q, the file says %q", name, key, have[key], want)
			}
			delete(have, key)
		}
		for _, entry := range append(c.image.env, "HOSTNAME=", "HOME=", "PWD=", "SHLVL=", "OLDPWD=", "_=") {
			key, _, _ := strings.Cut(entry, "=")
			delete(have, key)
		}
		if len(have) > 0 {
			t.Errorf("%s has variables that are not in the file: %v", name, have)
		}
	}
}

// checkAddresses: each service answers on its own address and port, and on nobody else's.
func checkAddresses(t *testing.T, s *stack) {
	open := map[string][]string{
		"kafka": {"9092", "29092"}, "receiver": {"8080", "9090"}, "dispatcher": {"9090"},
		"event-display1": {"8080"}, "event-display2": {"8080"}, "event-display3": {"8080"}, "event-display4": {"8080"},
	}
	for name, c := range s.boxes {
		for _, port := range []string{"8080", "9090", "9092", "9093", "29092"} {
			conn, err := s.network.Dial(t.Context(), "tcp", c.address+":"+port)
			if err == nil {
				conn.Close()
			}
			if want := slices.Contains(open[c.service.Name], port); (err == nil) != want {
				t.Errorf("%s, port %s: open %v, want %v", name, port, err == nil, want)
			}
		}
	}
}

// send posts an event from the host, to the port that the file publishes.
func (s *stack) send(t *testing.T, path, id, eventType string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://localhost:8080"+path, bytes.NewReader([]byte(`{"hello":"compose"}`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"id": id, "type": eventType, "source": "/test", "specversion": "1.0"} {
		req.Header.Set("Ce-"+name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("event %s to %s: status %d: %s", id, path, resp.StatusCode, body)
	}
}

// printed are the events that a display printed.
func (s *stack) printed(display string) []harness.Printed {
	return harness.ParsePrinted(s.boxes[display+"-1"].output.String())
}

// awaitPrinted waits until a display has printed an event, and fails when it did so twice.
func (s *stack) awaitPrinted(t *testing.T, display, id string) harness.Printed {
	t.Helper()
	var found []harness.Printed
	harness.Eventually(t, harness.Wait, display+" to print "+id, func() error {
		found = slices.DeleteFunc(s.printed(display), func(p harness.Printed) bool { return p.Attribute("id") != id })
		if len(found) == 0 {
			return fmt.Errorf("it has not")
		}
		return nil
	})
	if len(found) > 1 {
		t.Errorf("%s printed %s %d times", display, id, len(found))
	}
	return found[0]
}

func checkTutorial(t *testing.T, s *stack) {
	s.send(t, "/channels/default/pingevents", "hello", "greeting")
	s.send(t, "/default/orders", "an-order", "order.created")
	for n := range 3 {
		s.awaitPrinted(t, fmt.Sprint("event-display", n+1), "hello")
	}
	s.awaitPrinted(t, "event-display1", "an-order")
}

// checkDeadLetter: two of the three ways that the examples show are visible here.
func checkDeadLetter(t *testing.T, s *stack) {
	s.send(t, "/default/orders", "fails", "demo.fail")
	if dead := s.awaitPrinted(t, "event-display4", "fails"); dead.Attribute("knativeerrorcode") != "503" {
		t.Errorf("the dead letter is %+v", dead)
	}
	out, status := s.exec(t, s.boxes["receiver-1"], "kurier", "tail", "sink/default/failed-orders", "--from", "oldest", "--max", "1")
	if status != 0 || !strings.Contains(out, "fails") {
		t.Errorf("kurier tail: status %d\n%s", status, out)
	}
}

// checkStoppedDisplay: what was sent meanwhile arrives after the start.
func checkStoppedDisplay(t *testing.T, s *stack) {
	display := s.boxes["event-display1-1"]
	s.stop(t, display)
	var ids []string
	for n := range 5 {
		ids = append(ids, fmt.Sprint("missed-", n))
		s.send(t, "/channels/default/pingevents", ids[n], "greeting")
	}
	for _, id := range ids {
		s.awaitPrinted(t, "event-display2", id)
	}
	s.start(t, display)
	for _, id := range ids {
		s.awaitPrinted(t, "event-display1", id)
	}
}

// checkCommands: the binary is on the image's PATH and finds its process.
func checkCommands(t *testing.T, s *stack) {
	for _, args := range [][]string{{"kurier", "status", "--wait", "--timeout", "PT60S"}, {"kurier", "health"}, {"kurier", "version"}} {
		if out, status := s.exec(t, s.boxes["receiver-1"], args...); status != 0 {
			t.Errorf("%s: status %d\n%s", strings.Join(args, " "), status, out)
		}
	}
	resp, err := s.client(t).Get("http://localhost:9090/status/trigger/default/orders")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the admin port on the host answers %d", resp.StatusCode)
	}
}

// checkPings: with two dispatchers each ping is fired once, and printed once by each display.
func checkPings(t *testing.T, s *stack) {
	ids := func(display string) []string {
		var all []string
		for _, p := range s.printed(display) {
			if p.Attribute("source") == pingSource {
				all = append(all, p.Attribute("id"))
			}
		}
		return all
	}
	harness.Eventually(t, harness.Wait, "three pings at each display", func() error {
		for n := range 3 {
			if got := ids(fmt.Sprint("event-display", n+1)); len(got) < 3 {
				return fmt.Errorf("event-display%d has %d", n+1, len(got))
			}
		}
		return nil
	})
	for n := range 3 {
		all := ids(fmt.Sprint("event-display", n+1))
		slices.Sort(all)
		if len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("event-display%d printed a ping twice: %v", n+1, all)
		}
	}
}

// checkKafkaRestart: the broker is replaced over the same volume; nobody else restarts.
func checkKafkaRestart(t *testing.T, s *stack, kafka *container) {
	s.stop(t, kafka)
	s.start(t, kafka)
	s.healthy(t, kafka)
	s.healthy(t, s.boxes["receiver-1"])
	s.send(t, "/channels/default/pingevents", "after-restart", "greeting")
	for n := range 3 {
		s.awaitPrinted(t, fmt.Sprint("event-display", n+1), "after-restart")
	}
	for name, c := range s.boxes {
		select {
		case <-c.running.Done():
			t.Errorf("%s ended by itself", name)
		default:
		}
	}
}

// TestImage: the final image is what the Dockerfile copies, and no more; in that bare
// folder the binary speaks https and knows time zones.
func TestImage(t *testing.T) {
	needBoxes(t)
	server, roots := httpsServer(t)
	img := buildImage(t, roots)
	var files []string
	err := filepath.WalkDir(img.root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, img.root))
		}
		return err
	})
	want := []string{"/etc/passwd", "/etc/ssl/certs/ca-certificates.crt", "/usr/local/bin/kurier", "/usr/share/zoneinfo.zip"}
	if err != nil || !slices.Equal(files, want) {
		t.Fatalf("the image has %v, want %v (%v)", files, want, err)
	}
	if img.uid == 0 || img.gid == 0 {
		t.Errorf("the image runs as root: %d:%d", img.uid, img.gid)
	}
	out, status := runIn(t, img, "", "send", server.URL+"/default/b", "--type", "x", "--data", "{}")
	if status != 0 {
		t.Errorf("send over https: status %d\n%s", status, out)
	}
	const ping = "apiVersion: sources.knative.dev/v1\nkind: PingSource\nmetadata: {name: p}\n" +
		"spec: {schedule: '* * * * *', timezone: Europe/Paris, sink: {uri: 'http://x'}}\n"
	if out, status := runIn(t, img, ping, "validate", "/manifests"); status != 0 {
		t.Errorf("a time zone: status %d\n%s", status, out)
	}
	// The same without the files proves that the test sees the difference.
	for _, name := range want[1:2] {
		if err := os.Remove(filepath.Join(img.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(img.root, want[3])); err != nil {
		t.Fatal(err)
	}
	if out, status := runIn(t, img, "", "send", server.URL+"/default/b", "--type", "x"); status == 0 {
		t.Errorf("https without certificates works:\n%s", out)
	}
	if out, status := runIn(t, img, ping, "validate", "/manifests"); status == 0 {
		t.Errorf("a time zone without an archive is known:\n%s", out)
	}
}
