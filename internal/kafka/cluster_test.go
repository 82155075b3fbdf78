package kafka

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/kafka/embedded"
	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(kafkatest.Main(m),
		// A breaker that opened inside the Kafka client sleeps its 10 s out.
		goleak.IgnoreAnyFunction("github.com/eapache/go-resiliency/breaker.(*Breaker).timer"))
}

// target is a Kafka that integration tests run against.
type target struct {
	brokers  []string
	dial     DialFunc
	embedded *embedded.Broker // nil on a real Kafka
}

// onBoth runs the test against the embedded broker and against a real Kafka.
func onBoth(t *testing.T, test func(t *testing.T, tg target)) {
	t.Run("embedded", func(t *testing.T) { test(t, onEmbedded(t)) })
	t.Run("kafka", func(t *testing.T) {
		test(t, target{brokers: kafkatest.Shared(t).Brokers()})
	})
}

func onEmbedded(t *testing.T) target {
	t.Helper()
	b, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return target{brokers: b.Brokers(), dial: b.Dial, embedded: b}
}

func (tg target) open(t *testing.T, change ...func(*Options)) *Cluster {
	t.Helper()
	o := Options{Brokers: tg.brokers, Dial: tg.dial, ClientID: "test"}
	for _, f := range change {
		f(&o)
	}
	c := Open(o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustTopic(t *testing.T, c *Cluster, partitions int32) string {
	t.Helper()
	name := kafkatest.Name(t)
	if _, err := c.EnsureTopic(testContext(t), TopicSpec{Name: name, Partitions: partitions, Replication: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return name
}

func record(topic, key, value string) *sarama.ProducerMessage {
	rec := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}
	if key != "" {
		rec.Key = sarama.StringEncoder(key)
	}
	return rec
}

// mustProduce sends n records, one after the other, with their number as value.
func mustProduce(t *testing.T, c *Cluster, topic string, from, n int) {
	t.Helper()
	for i := range n {
		if err := c.Produce(testContext(t), record(topic, "", fmt.Sprint(from+i)), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func mustState(t *testing.T, c *Cluster, group, topic string) GroupState {
	t.Helper()
	key := GroupTopic{Group: group, Topic: topic}
	states, err := c.Groups(testContext(t), []GroupTopic{key})
	if err != nil {
		t.Fatal(err)
	}
	if err := states[key].Err; err != nil {
		t.Fatal(err)
	}
	return states[key]
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	harness.Holds(t, 15*time.Second, what, holds)
}

func committedOf(state GroupState) []int64 {
	var list []int64
	for _, p := range state.Partitions {
		list = append(list, p.Committed)
	}
	return slices.Clip(list)
}
