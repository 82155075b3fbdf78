package receiver_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/kafka/embedded"
	"kurier.dev/kurier/receiver"
)

// The whole way into a broker that speaks Kafka's protocol: what was answered
// 202 is in the topic, once, and what was not accepted is not.
func TestIntoKafka_JW9(t *testing.T) {
	broker, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cluster := kafka.Open(kafka.Options{Brokers: broker.Brokers(), Dial: broker.Dial, ClientID: "test"})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := cluster.EnsureTopic(ctx, kafka.TopicSpec{Name: "orders", Partitions: 3, Replication: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{ProduceTimeout: 2 * time.Second, Registerer: reg})
	f.r.SetRoutes([]receiver.Route{
		{Kind: receiver.Broker, Namespace: "ns", Name: "orders", Path: "/ns/orders", Topic: "orders", Producer: cluster},
		{Kind: receiver.Broker, Namespace: "ns", Name: "gone", Path: "/ns/gone", Topic: "gone", Producer: cluster},
	})

	const clients, each = 16, 10
	var senders sync.WaitGroup
	for c := range clients {
		conn := f.dial()
		senders.Go(func() {
			for i := range each {
				body := fmt.Sprintf("%d/%d", c, i)
				key := fmt.Sprintf("Ce-Partitionkey: k%d\r\nContent-Length: %d\r\n\r\n%s", c, len(body), body)
				_, _ = io.WriteString(conn, strings.Replace(postLines, "/ns/name", "/ns/orders", 1)+key)
				if got := conn.answer(); got.code != 202 {
					t.Errorf("%d %s", got.code, got.detail)
				}
			}
		})
	}
	senders.Wait()
	batch := f.do("POST", "/ns/orders", "["+validJSON+","+validJSON+"]", "Content-Type", "application/cloudevents-batch+json")
	if batch.code != 202 {
		t.Errorf("batch: %d %s", batch.code, batch.detail)
	}

	next, stored := map[string]int{}, 0
	allRead := fmt.Errorf("all read")
	err = cluster.Tail(ctx, "orders", kafka.TailFrom{Kind: kafka.TailOldest}, func(rec *sarama.ConsumerMessage) error {
		if rec.Key != nil { // in order, each once
			key := string(rec.Key)
			if want := fmt.Sprintf("%s/%d", strings.TrimPrefix(key, "k"), next[key]); string(rec.Value) != want {
				t.Errorf("key %s: event %s, want %s", key, rec.Value, want)
			}
			next[key]++
		}
		if stored++; stored == clients*each+2 {
			return allRead
		}
		return nil
	})
	if err != allRead { //nolint:errorlint // the very error that was given
		t.Fatalf("read %d events: %v", stored, err)
	}

	if got := f.structured("/ns/gone", validJSON); got.code != 503 {
		t.Errorf("missing topic: %d %s", got.code, got.detail)
	}
	_ = broker.Close()
	began := time.Now()
	if got := f.structured("/ns/orders", validJSON); got.code != 503 || time.Since(began) > patience {
		t.Errorf("Kafka down: %d %s after %v", got.code, got.detail, time.Since(began))
	}
	if err := cluster.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "the budget is back", func() bool { return reg.value(t, "kurier_ingress_inflight_bytes") == 0 })
}
