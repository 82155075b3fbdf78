package kafka

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

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

// BenchmarkProduce stores 1 KiB records in the embedded broker, each sender waiting for
// its acknowledgement. The broker's work counts too.
func BenchmarkProduce(b *testing.B) {
	for _, senders := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) { benchmarkProduce(b, senders) })
	}
}

func benchmarkProduce(b *testing.B, senders int) {
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
	var requests atomic.Int64
	broker.Kfake().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.Kfake().KeepControl()
		requests.Add(1)
		return nil, nil, false
	})
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := c.Produce(b.Context(), benchRecord(), nil); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/float64(requests.Load()), "records/request")
}

var benchValue = sarama.ByteEncoder(strings.Repeat("x", 1024))

func benchRecord() *sarama.ProducerMessage {
	rec := &sarama.ProducerMessage{Topic: "t", Value: &benchValue}
	for _, name := range []string{"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"} {
		rec.Headers = append(rec.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte("com.example.order")})
	}
	return rec
}
