package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// batchProducers bounds the records of one batch that wait for Kafka at once.
const batchProducers = 64

// storeBatch stores all events of a batch: 202 means that each is acknowledged.
// Nothing is produced unless every event is valid and small enough.
func (r *Receiver) storeBatch(e *entry, req *request, body []byte, l *lease) answer {
	batch, err := event.FromBatch(body)
	if err != nil {
		return rejected(err)
	}
	req.ingress.batchOf(len(batch))
	headers := event.PassThrough(req.headers)
	records := make([]*sarama.ProducerMessage, len(batch))
	for i, m := range batch {
		m.Headers = headers
		rec, a := r.record(e, m)
		if a.status != 0 {
			a.detail = fmt.Sprintf("event at index %d of the batch: %s", i, a.detail)
			return a
		}
		records[i] = rec
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.ProduceTimeout)
	defer cancel()
	start := time.Now()
	err = produceAll(ctx, e.producer(req), inOrder(records), l)
	e.metrics.produced(time.Since(start))
	a := r.stored(e, err)
	if a.status == 503 {
		a.detail += " (all events of the batch)"
	}
	return a
}

// inOrder splits a batch into runs that are each produced one record after the
// other: one per key, and one for each record without a key, whose order nobody
// can rely on.
func inOrder(records []*sarama.ProducerMessage) [][]*sarama.ProducerMessage {
	var runs [][]*sarama.ProducerMessage
	ofKey := map[string]int{}
	for i, rec := range records {
		if rec.Key == nil {
			runs = append(runs, records[i:i+1])
			continue
		}
		key, _ := rec.Key.Encode() // a ByteEncoder does not fail
		run, ok := ofKey[string(key)]
		if !ok {
			run = len(runs)
			ofKey[string(key)] = run
			runs = append(runs, nil)
		}
		runs[run] = append(runs[run], rec)
	}
	return runs
}

// produceAll returns after every produce has, with the first error. It starts
// no further record after one.
func produceAll(ctx context.Context, p Producer, runs [][]*sarama.ProducerMessage, l *lease) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan []*sarama.ProducerMessage)
	var workers sync.WaitGroup
	for range min(batchProducers, len(runs)) {
		workers.Go(func() {
			for run := range next {
				for _, rec := range run {
					if ctx.Err() != nil {
						break
					}
					l.hold()
					if err := p.Produce(ctx, rec, l.done); err != nil {
						stop(firstError{err})
					}
				}
			}
		})
	}
	for _, run := range runs {
		next <- run
	}
	close(next)
	workers.Wait()
	return batchError(ctx)
}

// firstError keeps the reason of a failed batch apart from the deadline that
// ended the others.
type firstError struct{ error }

func batchError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if first := (firstError{}); errors.As(cause, &first) {
		return first.error
	}
	return cause
}
