package consumer

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// BenchmarkEngine is one record through the engine, from its arrival until it is
// settled, with a Handler that does nothing and a commit every 10 ms.
func BenchmarkEngine(b *testing.B) {
	for _, order := range []Order{Unordered, Ordered, OrderedByKey} {
		b.Run(order.String(), func(b *testing.B) {
			bench := newBench(b, order, 100)
			bench.engine.handler = func(context.Context, *Delivery) error { return nil }
			defer bench.close()
			p := bench.open(0, 0)
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						t := bench.engine.takeBatch(nil)
						bench.engine.acked(t, time.Now(), func(*partition) bool { return true })
					case <-stop:
						return
					}
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			pour(bench.engine, p, b.N)
			b.StopTimer()
			close(stop)
			<-stopped
		})
	}
}

// pour lets n records of 1 KiB arrive as an assignment does, not further ahead
// than reading would go.
func pour(e *engine, p *partition, n int) {
	value := make([]byte, 1024)
	for done := 0; done < n; {
		records := make([]*Record, 0, batchRecords)
		for len(records) < batchRecords && done < n {
			records = append(records, newRecord(&sarama.ConsumerMessage{Partition: p.id, Offset: int64(done), Key: fmt.Append(nil, done%50), Value: value}))
			done++
		}
		e.arrive(p, records)
		for e.settled.Load() < int64(done-10_000) {
			runtime.Gosched()
		}
	}
	for e.settled.Load() < int64(n) {
		runtime.Gosched()
	}
}
