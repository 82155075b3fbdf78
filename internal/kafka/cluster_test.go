package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"go.uber.org/goleak"

	"kurier.dev/kurier/internal/kafka/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// target is where the integration tests run: the embedded broker here, a real
// Kafka elsewhere.
type target struct {
	brokers  []string
	dial     DialFunc
	embedded *embedded.Broker // nil on a real Kafka
}

func startTarget(t *testing.T) target {
	t.Helper()
	b, err := embedded.Start(embedded.Options{Logger: slog.New(slog.DiscardHandler)})
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustTopic(t *testing.T, c *Cluster, name string, partitions int32) TopicInfo {
	t.Helper()
	info, err := c.EnsureTopic(testContext(t), TopicSpec{Name: name, Partitions: partitions, Replication: 1, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func record(topic, key, value string) *sarama.ProducerMessage {
	rec := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)}
	if key != "" {
		rec.Key = sarama.StringEncoder(key)
	}
	return rec
}

func mustProduce(t *testing.T, c *Cluster, topic string, values ...string) {
	t.Helper()
	for _, value := range values {
		if err := c.Produce(testContext(t), record(topic, "", value), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSmoke(t *testing.T) {
	c := startTarget(t).open(t)
	ctx := testContext(t)
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	info := mustTopic(t, c, "smoke", 3)
	if info.Partitions != 3 || info.Replication != 1 || info.MaxMessageBytes == 0 || info.Retention != 7*24*time.Hour || !info.Created || info.ID == [16]byte{} {
		t.Fatalf("topic is %+v", info)
	}
	if err := c.Pin(ctx, "g", "smoke", Initial{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { mustProduce(t, c, "smoke", fmt.Sprint(i)) })
	}
	wg.Wait()
	states, err := c.Groups(ctx, []GroupTopic{{"g", "smoke"}})
	if err != nil {
		t.Fatal(err)
	}
	state := states[GroupTopic{"g", "smoke"}]
	if state.Lag != 100 || !state.Pinned() || state.State != "Empty" {
		t.Fatalf("state %+v", state)
	}
	n := 0
	stop := errors.New("enough")
	err = c.Tail(ctx, "smoke", TailFrom{Kind: TailOldest}, func(*sarama.ConsumerMessage) error {
		if n++; n == 100 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	_ = strings.TrimSpace
	_ = net.Dial
}
