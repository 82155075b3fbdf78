package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
)

// patience is how long a test waits for what must happen, on a machine that may
// be busy with others.
const patience = 90 * time.Second

// rig is a Kafka in this process with one topic.
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster // nil: a real Kafka
	brokers []string
	topic   string
	group   string
	base    *sarama.Config
	admin   sarama.Client
	commits sarama.Client
	output  sarama.SyncProducer
}

func newRig(t *testing.T, partitions int32, opts ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{t: t, topic: "events", group: "g"}
	var err error
	r.cluster, err = kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, r.topic)}, opts...)...)
	r.must(err)
	t.Cleanup(r.cluster.Close)
	r.brokers = r.cluster.ListenAddrs()
	r.connect()
	return r
}

// newAnyRig uses the Kafka that KURIER_TEST_KAFKA names (host:port), and the one
// in this process without it.
func newAnyRig(t *testing.T, partitions int32) *rig {
	t.Helper()
	broker := os.Getenv("KURIER_TEST_KAFKA")
	if broker == "" {
		return newRig(t, partitions)
	}
	name := fmt.Sprintf("consumer-%d", time.Now().UnixNano())
	r := &rig{t: t, topic: name, group: name, brokers: []string{broker}}
	r.connect()
	full := *r.base
	full.Metadata.Full = true // the controller is only known with it
	admin, err := sarama.NewClusterAdmin(r.brokers, &full)
	r.must(err)
	defer func() { _ = admin.Close() }()
	r.must(admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	r.eventually("the topic is known", func() bool {
		ps, err := r.admin.Partitions(name)
		return err == nil && len(ps) == int(partitions) && r.admin.RefreshMetadata(name) == nil
	})
	return r
}

// connect makes the clients.
func (r *rig) connect() {
	var err error
	r.base = sarama.NewConfig()
	r.base.Version = sarama.V3_0_0_0
	r.base.Metadata.Full = false
	r.base.Metadata.AllowAutoTopicCreation = false
	r.base.Consumer.MaxWaitTime = 100 * time.Millisecond
	r.base.Consumer.Retry.Backoff = 100 * time.Millisecond
	r.base.Net.DialTimeout, r.base.Net.ReadTimeout = 2*time.Second, 10*time.Second
	r.base.Producer.Return.Successes = true
	r.base.Producer.Partitioner = sarama.NewManualPartitioner
	r.commits = r.client()
	r.admin = r.client()
	r.output, err = sarama.NewSyncProducerFromClient(r.client())
	r.must(err)
	r.t.Cleanup(func() { _ = r.output.Close() })
}

func (r *rig) client() sarama.Client {
	c, err := sarama.NewClient(r.brokers, r.base)
	r.must(err)
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// produce writes n records to a partition; the key is chosen by their number.
func (r *rig) produce(partition int32, n int, key func(i int) string) {
	r.t.Helper()
	msgs := make([]*sarama.ProducerMessage, n)
	for i := range msgs {
		msgs[i] = &sarama.ProducerMessage{Topic: r.topic, Partition: partition, Value: sarama.StringEncoder(fmt.Sprint(i))}
		if key != nil {
			msgs[i].Key = sarama.StringEncoder(key(i))
		}
	}
	r.must(r.output.SendMessages(msgs))
}

// commit sets a group's position from outside, as pinning does.
func (r *rig) commit(group string, partition int32, offset int64, metadata string) {
	r.t.Helper()
	co, err := r.admin.Coordinator(group)
	r.must(err)
	req := &sarama.OffsetCommitRequest{Version: 7, ConsumerGroup: group, ConsumerGroupGeneration: -1}
	req.AddBlockWithLeaderEpoch(r.topic, partition, offset, -1, 0, metadata)
	resp, err := co.CommitOffset(req)
	r.must(err)
	if kerr := resp.Errors[r.topic][partition]; kerr != sarama.ErrNoError {
		r.t.Fatal(kerr)
	}
}

// committed is a group's position of a partition and its metadata, -1 for none.
func (r *rig) committed(group string, partition int32) (int64, string) {
	r.t.Helper()
	co := coordinator{clients: func() (sarama.Client, error) { return r.admin, nil }, group: group, topic: r.topic}
	offset, metadata, err := co.committed(partition)
	if err != nil {
		co.refresh()
		return -1, ""
	}
	return offset, metadata
}

// eventually waits until ok.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	eventually(r.t, what, ok)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("did not happen in %s: %s", patience, what)
		}
	}
}

// config is that of a consumer of the group.
func (r *rig) config(group string, order Order) Config {
	level := slog.LevelError + 1
	if os.Getenv("KURIER_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return Config{
		Brokers: r.brokers, Sarama: r.base, Group: group, Topic: r.topic, Order: order,
		Commits:      func() (sarama.Client, error) { return r.commits, nil },
		DrainTimeout: 500 * time.Millisecond,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
}

// running is a Consumer whose Run was called.
type running struct {
	*Consumer
	end  context.CancelFunc
	done chan error
}

// start runs a consumer until stop, or the end of the test.
func (r *rig) start(cfg Config, h Handler) *running {
	r.t.Helper()
	c, err := New(cfg, h)
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{c, cancel, make(chan error, 1)}
	go func() { run.done <- c.Run(ctx) }()
	r.t.Cleanup(run.kill)
	return run
}

// stop ends Run and returns what it said. In-flight calls may finish.
func (c *running) stop() error {
	c.end()
	err := <-c.done
	c.done <- err
	return err
}

// kill stops without waiting for calls in flight.
func (c *running) kill() {
	c.Cut()
	_ = c.stop()
}

// log records calls and settled records over several consumers.
type callLog struct {
	mu      sync.Mutex
	calls   map[string]int // "partition/offset"
	settled map[string]int
	order   []string // of settling
	lanes   map[string]string
	overlap []string
	now     atomic.Int64
	most    atomic.Int64
}

func newCallLog() *callLog {
	return &callLog{calls: map[string]int{}, settled: map[string]int{}, lanes: map[string]string{}}
}

func at(rec *sarama.ConsumerMessage) string { return fmt.Sprintf("%d/%d", rec.Partition, rec.Offset) }

// handler records calls of inner; lane names what may not overlap ("" for
// anything).
func (l *callLog) handler(lane func(*sarama.ConsumerMessage) string, inner Handler) Handler {
	return func(ctx context.Context, d *Delivery) error {
		name := ""
		if lane != nil {
			name = lane(d.Record)
		}
		l.mu.Lock()
		l.calls[at(d.Record)]++
		if other := l.lanes[name]; name != "" && other != "" {
			l.overlap = append(l.overlap, other+" and "+at(d.Record))
		}
		l.lanes[name] = at(d.Record)
		l.mu.Unlock()
		l.most.Store(max(l.most.Load(), l.now.Add(1)))
		err := inner(ctx, d)
		l.now.Add(-1)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lanes[name] = ""
		if err == nil {
			l.settled[at(d.Record)]++
			l.order = append(l.order, at(d.Record))
		}
		return err
	}
}

func (l *callLog) count() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.settled) }

func (l *callLog) callsOf(partition int32, offset int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[fmt.Sprintf("%d/%d", partition, offset)]
}

func byPartition(rec *sarama.ConsumerMessage) string { return fmt.Sprint(rec.Partition) }
func byKey(rec *sarama.ConsumerMessage) string {
	return fmt.Sprintf("%d %s", rec.Partition, rec.Key)
}

func settle(context.Context, *Delivery) error { return nil }
