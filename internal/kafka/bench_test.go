package kafka

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/kafka/embedded"
)

// BenchmarkGate is what stands before the client for each record of a topic
// that is known.
func BenchmarkGate(b *testing.B) {
	g := &gate{topic: "t", permits: make(chan struct{}, 1024), known: true}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := g.enter(ctx); err != nil {
			b.Fatal(err)
		}
		if g.maxMessageBytes() != 0 {
			b.Fatal("a limit that nobody told")
		}
		g.learn(nil)
		g.leave()
	}
}

// BenchmarkPartitioner chooses the partition of a record with six headers.
func BenchmarkPartitioner(b *testing.B) {
	for name, key := range map[string]sarama.Encoder{"null": nil, "keyed": sarama.ByteEncoder("customer-17")} {
		b.Run(name, func(b *testing.B) {
			p := newPartitioner("t")
			rec := benchRecord()
			rec.Key = key
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Partition(rec, 10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkProduce stores 1 KiB records in the embedded broker, each waiting
// for its acknowledgement, 64 goroutines per processor. The broker's work counts too.
func BenchmarkProduce(b *testing.B) {
	broker, err := embedded.Start(embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	c := Open(Options{Brokers: broker.Brokers(), Dial: broker.Dial, ClientID: "bench"})
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
		broker.Close()
	})
	if _, err := c.EnsureTopic(b.Context(), TopicSpec{Name: "t", Partitions: 10, Replication: 1, Create: true}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Produce(b.Context(), benchRecord(), nil); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

var benchValue = sarama.ByteEncoder(strings.Repeat("x", 1024))

func benchRecord() *sarama.ProducerMessage {
	rec := &sarama.ProducerMessage{Topic: "t", Value: &benchValue}
	for _, name := range []string{"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"} {
		rec.Headers = append(rec.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte("com.example.order")})
	}
	return rec
}
