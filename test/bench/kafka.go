package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/kafkatest"
)

// broker is the Kafka of a run.
type broker struct {
	Kind    string // for the reader: which Kafka this is
	Address string
	pids    []int // its processes, when they are ours
	admin   sarama.ClusterAdmin
	close   func()
}

// startBroker starts a real Kafka, or the embedded broker where that is not possible or
// not wanted; an address of an existing Kafka wins.
func startBroker(existing string, embeddedOnly bool, dir string) (*broker, error) {
	b, err := chooseBroker(existing, embeddedOnly, dir)
	if err != nil {
		return nil, err
	}
	settings := clientSettings()
	settings.Metadata.Full = true
	b.admin, err = sarama.NewClusterAdmin([]string{b.Address}, settings)
	if err != nil {
		b.close()
		return nil, fmt.Errorf("connect to Kafka at %s: %w", b.Address, err)
	}
	stop := b.close
	b.close = func() {
		_ = b.admin.Close() // it only read and deleted
		stop()
	}
	return b, nil
}

func chooseBroker(existing string, embeddedOnly bool, dir string) (*broker, error) {
	if existing != "" {
		return &broker{Kind: "an existing Kafka at " + existing, Address: existing, close: func() {}}, nil
	}
	if embeddedOnly {
		return embeddedBroker(dir, "as asked for")
	}
	b, err := realKafka()
	if err != nil {
		return embeddedBroker(dir, err.Error())
	}
	return b, nil
}

// embeddedBroker runs as a process of its own, so that its work counts for nobody else.
func embeddedBroker(dir, why string) (*broker, error) {
	ports, err := kafkatest.FreePorts(1)
	if err != nil {
		return nil, err
	}
	c, err := startChild("embedded", embeddedConfig{Dir: filepath.Join(dir, "broker"), Port: ports[0]})
	if err != nil {
		return nil, err
	}
	return &broker{
		Kind: "embedded broker (" + why + ")", Address: fmt.Sprintf("127.0.0.1:%d", ports[0]),
		pids: []int{c.pid()}, close: c.stop,
	}, nil
}

// realKafka starts Apache Kafka as a server that is meant to last: its own choice of
// collector, long-term compilation on.
func realKafka() (b *broker, err error) {
	testing.Init() // kafkatest asks whether tests run in their short form
	if !flag.Parsed() {
		if err := flag.CommandLine.Parse(nil); err != nil {
			return nil, err
		}
	}
	t := &starter{}
	defer func() {
		if r := recover(); r != nil {
			reason, ok := r.(refusal)
			if !ok {
				panic(r)
			}
			t.cleanup()
			err = reason
		}
	}()
	before := childrenNamed("java")
	cluster := kafkatest.Start(t, kafkatest.Options{JavaOptions: []string{"-Xmx1g"}})
	var pids []int
	for _, pid := range childrenNamed("java") {
		if len(before) == 0 || pid != before[0] {
			pids = append(pids, pid)
		}
	}
	return &broker{Kind: "Apache Kafka " + kafkatest.Version, Address: cluster.Bootstrap(), pids: pids, close: t.cleanup}, nil
}

// starter stands in for the test that kafkatest wants. What would end or skip a test
// becomes an error here.
type starter struct {
	testing.TB // nil: only what is below is called
	cleanups   []func()
}

// refusal is why a test would have ended.
type refusal string

func (r refusal) Error() string { return string(r) }

func (s *starter) Helper()                      {}
func (s *starter) Cleanup(f func())             { s.cleanups = append(s.cleanups, f) }
func (s *starter) Skip(args ...any)             { panic(refusal(strings.TrimSpace(fmt.Sprintln(args...)))) }
func (s *starter) Fatal(args ...any)            { s.Skip(args...) }
func (s *starter) Logf(string, ...any)          {}
func (s *starter) Fatalf(f string, args ...any) { panic(refusal(fmt.Sprintf(f, args...))) }

func (s *starter) cleanup() {
	for _, f := range s.cleanups {
		f()
	}
	s.cleanups = nil
}

// topic creates a topic as Kurier would.
func (b *broker) topic(name string, partitions int32) error {
	err := b.admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{"max.message.bytes": ptr("4194304")}}, false)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return nil
}

func ptr(s string) *string { return &s }

// forget removes a topic and with it the disk space of its events.
func (b *broker) forget(name string) { _ = b.admin.DeleteTopic(name) }

// fill stores events in a topic as a receiver does.
func (b *broker) fill(topic string, size, keys int, count int64) error {
	c, err := startChild("sarama-send", produceConfig{Brokers: []string{b.Address}, Topic: topic, Size: size, InFlight: 1000, Count: count, Keys: keys})
	if err != nil {
		return err
	}
	defer c.stop()
	r, err := c.await(count, longest)
	if err == nil && r.Count < count {
		err = fmt.Errorf("filled only %d of %d events into %s", r.Count, count, topic)
	}
	return err
}

// warmKafka lets Kafka compile what it will run: its first minute would otherwise be part
// of what is compared.
func (b *bench) warmKafka() error {
	const topic = "kurier-bench-warm-up"
	if err := b.broker.topic(topic, 10); err != nil {
		return err
	}
	defer b.broker.forget(topic)
	if err := b.broker.fill(topic, kib, 0, b.count(300_000)); err != nil {
		return err
	}
	_, err := b.consume("warm-up", topic, b.count(300_000), 1)
	b.result.Figures = nil
	return err
}

// buildKurier builds the binary as `make build` does.
func buildKurier(dir string) (string, error) {
	path := filepath.Join(dir, "kurier")
	return path, run("go", "build", "-trimpath", "-o", path, "kurier.dev/kurier/cmd/kurier")
}
