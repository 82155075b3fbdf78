package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kurier.dev/kurier/test/kafkatest"
)

// longest is how long anything may take that is not measured by its duration.
const longest = 3 * time.Minute

// kurier is one running `kurier run` with a folder of manifests.
type kurier struct {
	proc           *kafkatest.Process
	binary         string
	log            *os.File
	manifests      string
	ingress, admin string // host:port
	started        time.Time
	client         *http.Client
}

// startKurier starts the binary with manifests and waits until it is ready.
func startKurier(binary, dir, bootstrap string, env map[string]string, manifests map[string]string) (*kurier, error) {
	ports, err := kafkatest.FreePorts(2)
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp(dir, "kurier-")
	if err != nil {
		return nil, err
	}
	k := &kurier{
		binary: binary, manifests: filepath.Join(home, "manifests"), ingress: fmt.Sprintf("127.0.0.1:%d", ports[0]),
		admin: fmt.Sprintf("127.0.0.1:%d", ports[1]), client: &http.Client{Timeout: longest},
	}
	if err := os.Mkdir(k.manifests, 0o755); err != nil {
		return nil, err
	}
	for file, text := range manifests {
		if err := k.write(file, text); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(binary, "run")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KAFKA_BOOTSTRAP_SERVERS=" + bootstrap, "MANIFESTS=" + k.manifests,
		fmt.Sprintf("INGRESS_PORT=%d", ports[0]), fmt.Sprintf("ADMIN_PORT=%d", ports[1])}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if k.log, err = os.Create(filepath.Join(home, "log")); err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = k.log, k.log
	k.started = time.Now()
	if k.proc, err = kafkatest.StartProcess(cmd); err != nil {
		return nil, err
	}
	if err := k.await("/readyz"); err != nil {
		k.stop()
		return nil, err
	}
	return k, nil
}

// await waits until the admin port answers a path with 200.
func (k *kurier) await(path string) error {
	var last error
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); pause(5 * time.Millisecond) {
		select {
		case <-k.proc.Done():
			return fmt.Errorf("kurier ended with status %d:\n%s", k.proc.ExitCode(), k.logTail())
		default:
		}
		if _, last = k.get(path); last == nil {
			return nil
		}
	}
	return fmt.Errorf("kurier did not answer %s: %w\n%s", path, last, k.logTail())
}

func (k *kurier) logTail() string {
	text, _ := os.ReadFile(k.log.Name())
	return string(text[max(0, len(text)-4000):])
}

func (k *kurier) get(path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+k.admin+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return body, err
}

// metric adds up all series of a metric whose labels hold a text.
func (k *kurier) metric(name, label string) (float64, error) {
	text, err := k.get("/metrics")
	if err != nil {
		return 0, err
	}
	sum := 0.0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") || !strings.Contains(line, label) {
			continue
		}
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, lines.Err()
}

// write puts a file of manifests in place, as an editor does that renames.
func (k *kurier) write(file, text string) error {
	temporary := filepath.Join(k.manifests, "."+file)
	if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(k.manifests, file))
}

func (k *kurier) remove(file string) error { return os.Remove(filepath.Join(k.manifests, file)) }

func (k *kurier) pid() int { return k.proc.PID() }

// stop ends the process. A nil kurier is stopped already.
func (k *kurier) stop() {
	if k == nil {
		return
	}
	k.proc.Stop(40 * time.Second)
	k.log.Close()
	k.client.CloseIdleConnections()
}

// brokerManifest is a Broker with a number of partitions.
func brokerManifest(name string, partitions int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s-config}
data: {default.topic.partitions: "%[2]d", default.topic.replication.factor: "1"}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: %[1]s}
spec:
  config: {apiVersion: v1, kind: ConfigMap, name: %[1]s-config}
`, name, partitions)
}

// trigger describes a Trigger.
type trigger struct {
	Name, Broker, Subscriber string
	Order                    string // empty: unordered
	Concurrency              int    // 0: the default
	Latest                   bool   // begin with what comes, not with what is there
	Filter                   string // YAML of spec.filters' only entry; empty: all
	Sink                     bool   // dead letters go to the subscriber too, so that no topic is made for them
}

func (t trigger) manifest() string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata:\n  name: %s\n  annotations:\n", t.Name)
	if !t.Latest {
		b.WriteString("    kurier.dev/initial-offset: earliest\n")
	}
	if t.Concurrency > 0 {
		fmt.Fprintf(&b, "    kurier.dev/concurrency: \"%d\"\n", t.Concurrency)
	}
	order := t.Order
	if order == "" {
		order = "unordered"
	}
	fmt.Fprintf(&b, "    kafka.eventing.knative.dev/delivery.order: %s\n", order)
	fmt.Fprintf(&b, "spec:\n  broker: %s\n", t.Broker)
	if t.Filter != "" {
		fmt.Fprintf(&b, "  filters:\n    - %s\n", t.Filter)
	}
	fmt.Fprintf(&b, "  subscriber: {uri: \"http://%s/\"}\n", t.Subscriber)
	if t.Sink {
		fmt.Fprintf(&b, "  delivery: {retry: 3, deadLetterSink: {uri: \"http://%s/\"}}\n", t.Subscriber)
	}
	b.WriteString("---\n")
	return b.String()
}

// assigned waits until all Triggers have their partitions, so that what comes now is seen.
func (k *kurier) assigned() error {
	cmd := exec.Command(k.binary, "status", "--wait", "--timeout", "PT3M")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ADMIN_URL=http://" + k.admin}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("wait until all is ready: %w\n%.2000s", err, out)
	}
	return nil
}

// topicOf is the topic of a Broker.
func topicOf(brokerName string) string { return "knative-broker-default-" + brokerName }
