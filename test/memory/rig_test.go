package memory

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// peak is the largest resident set that a process had, in MiB.
func peak(t *testing.T, s *harness.System) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Command.PID()))
	if err != nil {
		t.Fatalf("the process has ended: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return kib >> 10
		}
	}
	t.Fatal("no VmHWM in /proc")
	return 0
}

// within asserts a row of the table in docs/operations.md.
func within(t *testing.T, s *harness.System, row string, most int) {
	t.Helper()
	got := peak(t, s)
	t.Logf("peak resident memory: %d MiB, bound %d MiB: %s", got, most, row)
	if got > most {
		t.Errorf("peak resident memory is %d MiB, want at most %d", got, most)
	}
	text, err := os.ReadFile(harness.Root() + "/docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "| "+row+" |") || !strings.Contains(string(text), fmt.Sprintf("| %d MiB |", most)) {
		t.Errorf("docs/operations.md has no row %q with the bound %d MiB", row, most)
	}
}

// process is a `kurier` of a role, not started, without the race detector: it would
// multiply the memory.
func process(t *testing.T, kafka *kafkatest.Cluster, role string, env harness.Env) (s *harness.System, namespace string) {
	t.Helper()
	s = harness.NewSystem(t, harness.Env{"KAFKA_BOOTSTRAP_SERVERS": kafka.Bootstrap()}.With(env), role)
	s.Binary = harness.PlainBinary(t)
	return s, harness.Namespace(t)
}

// hundredHanging is the bound in MiB of TestAHundredHangingSubscribers.
const hundredHanging = 1536

const brokerManifest = `apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: {{.Namespace}}}
data: {default.topic.partitions: "{{.Partitions}}", default.topic.replication.factor: "1"}
---
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: b, namespace: {{.Namespace}}}
spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}
`

const triggerManifest = `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: {{.Name}}, namespace: {{.Namespace}}, annotations: {kurier.dev/initial-offset: earliest}}
spec: {broker: b, subscriber: {uri: "{{.URL}}"}, delivery: {{.Delivery}} }
`

type broker struct {
	Namespace  string
	Partitions int
}

func (b broker) topic() string { return "knative-broker-" + b.Namespace + "-b" }

type trigger struct{ Namespace, Name, URL, Delivery string }

// client produces to a Kafka.
func client(t *testing.T, kafka *kafkatest.Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(kafka.Brokers()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// backlog produces n events of that many bytes, one partition after the other.
func backlog(t *testing.T, kafka *kafkatest.Cluster, b broker, n, bytes int) {
	t.Helper()
	c := client(t, kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedBytes(64<<20), kgo.ProducerBatchMaxBytes(1<<20))
	value := []byte(strings.Repeat("x", bytes))
	var failed atomic.Pointer[error]
	for i := range n {
		c.Produce(t.Context(), &kgo.Record{
			Topic: b.topic(), Partition: int32(i % b.Partitions), Value: value,
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: fmt.Append(nil, i)},
				{Key: "ce_source", Value: []byte("/memory")}, {Key: "ce_type", Value: []byte("com.example.memory")},
			},
		}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
}

// subscriber counts requests by their path and answers as told; it keeps none of them.
type subscriber struct {
	*harness.Server
	mu     sync.Mutex
	counts map[string]int
}

func newSubscriber(t *testing.T, answer http.HandlerFunc) *subscriber {
	t.Helper()
	s := &subscriber{counts: map[string]int{}}
	s.Server = harness.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.counts[r.URL.Path]++
		s.mu.Unlock()
		answer(w, r)
	}))
	return s
}

// hang waits until the sender or the subscriber goes.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// count is the number of requests of a path.
func (s *subscriber) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[path]
}

// paths is how many paths had requests.
func (s *subscriber) paths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.counts)
}

// quiet waits until a figure has not grown for a while: what was to happen has.
func quiet(t *testing.T, what string, figure func() int64) {
	t.Helper()
	const samples = 20 // of 250 ms
	last, same := figure(), 0
	ticks := time.NewTicker(250 * time.Millisecond)
	defer ticks.Stop()
	for same < samples {
		select {
		case <-ticks.C:
		case <-t.Context().Done():
			t.Fatalf("waiting for %s", what)
		}
		if now := figure(); now != last {
			last, same = now, 0
		} else {
			same++
		}
	}
}

// metric is the sum of a metric's series.
func metric(t *testing.T, s *harness.System, name string) int64 {
	t.Helper()
	_, text, err := s.Get(s.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 2 && (fields[0] == name || strings.HasPrefix(fields[0], name+"{")) {
			v, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += v
		}
	}
	return int64(sum)
}
