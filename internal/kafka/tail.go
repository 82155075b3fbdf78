package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const (
	// newPartitionsEvery is how often Tail looks for partitions that were added.
	newPartitionsEvery = 5 * time.Second
	tailRetry          = time.Second
	// quiet is how long TailLast waits for a record that may never come: control
	// records and compaction leave holes at a log's end.
	quiet = time.Second
)

// Tail calls fn with the topic's records, one at a time, in order within each
// partition, until ctx ends (nil) or fn fails (its error). It belongs to no
// group, commits nothing and has its own connection, so it disturbs nobody.
// Partitions that are added later are read from their beginning. It reconnects
// by itself; it returns an error when the topic cannot be read at the start.
func (c *Cluster) Tail(ctx context.Context, topic string, from TailFrom, fn func(*sarama.ConsumerMessage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	ended := make(chan error, 1)
	err := c.start(func() { ended <- c.tail(ctx, topic, from, fn) })
	if err != nil {
		return err
	}
	return <-ended
}

func (c *Cluster) tail(ctx context.Context, topic string, from TailFrom, fn func(*sarama.ConsumerMessage) error) error {
	client, err := sarama.NewClient(c.o.Brokers, NewConfig(c.own))
	if err != nil {
		return err
	}
	defer func() { _ = closeClient(client) }()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	t := &tail{topic: topic, client: client, consumer: consumer, records: make(chan *sarama.ConsumerMessage)}
	ctx, t.cancel = context.WithCancel(ctx)
	defer t.stop()
	starts, err := t.starts(from)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("topic %s cannot be read: %s: %w", topic, Describe(err), err)
	}
	t.readers.Go(func() { t.readAll(ctx, starts) })
	if from.Kind == TailLast {
		if err := t.last(ctx, from.N, starts, fn); err != nil {
			return err
		}
	}
	for {
		select {
		case rec := <-t.records:
			if err := fn(rec); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// tail is one call of Tail: a goroutine for each partition, all into records.
type tail struct {
	topic    string
	client   sarama.Client
	consumer sarama.Consumer
	records  chan *sarama.ConsumerMessage
	cancel   context.CancelFunc
	readers  sync.WaitGroup
}

func (t *tail) stop() {
	t.cancel()
	t.readers.Wait()
	_ = t.consumer.Close() // cannot fail: all partition consumers are closed
}

// span is where reading a partition begins, and where its log ended then.
type span struct{ start, end int64 }

func (t *tail) starts(from TailFrom) (map[int32]span, error) {
	partitions, err := t.client.Partitions(t.topic)
	if err != nil {
		return nil, err
	}
	spans := make(map[int32]span, len(partitions))
	for _, partition := range partitions {
		oldest, err := t.client.GetOffset(t.topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		newest, err := t.client.GetOffset(t.topic, partition, sarama.OffsetNewest)
		if err != nil {
			return nil, err
		}
		s := span{start: newest, end: newest}
		switch from.Kind {
		case TailOldest:
			s.start = oldest
		case TailLast:
			s.start = max(oldest, newest-int64(from.N))
		case TailNewest:
		}
		spans[partition] = s
	}
	return spans, nil
}

// readAll starts a reader for each partition, those that are added included.
func (t *tail) readAll(ctx context.Context, starts map[int32]span) {
	reading := map[int32]bool{}
	start := func(partition int32, offset int64) {
		reading[partition] = true
		t.readers.Go(func() { t.read(ctx, partition, offset) })
	}
	for partition, s := range starts {
		start(partition, s.start)
	}
	tick := time.NewTicker(newPartitionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if t.client.RefreshMetadata(t.topic) != nil {
			continue
		}
		partitions, _ := t.client.Partitions(t.topic)
		for _, partition := range partitions {
			if !reading[partition] {
				start(partition, sarama.OffsetOldest)
			}
		}
	}
}

// read reads one partition until ctx ends, from next on. When that offset is
// gone, or above a topic that was made anew, it begins at the oldest.
func (t *tail) read(ctx context.Context, partition int32, next int64) {
	for ctx.Err() == nil {
		pc, err := t.consumer.ConsumePartition(t.topic, partition, next)
		if err == nil {
			next, err = t.forward(ctx, pc, next)
		}
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			next = sarama.OffsetOldest
			continue
		}
		select {
		case <-time.After(tailRetry):
		case <-ctx.Done():
		}
	}
}

// forward hands on what the partition consumer reads. It returns the offset to
// go on from, and the last error.
func (t *tail) forward(ctx context.Context, pc sarama.PartitionConsumer, next int64) (int64, error) {
	var last error
	var drained sync.WaitGroup
	drained.Go(func() {
		for err := range pc.Errors() {
			last = err
		}
	})
	stop := context.AfterFunc(ctx, pc.AsyncClose)
	defer stop()
	for rec := range pc.Messages() {
		select {
		case t.records <- rec:
			next = rec.Offset + 1
		case <-ctx.Done():
		}
	}
	drained.Wait()
	return next, last
}

// last calls fn with the n newest of the records that were there at the start,
// oldest first.
func (t *tail) last(ctx context.Context, n int, spans map[int32]span, fn func(*sarama.ConsumerMessage) error) error {
	missing := map[int32]bool{}
	for partition, s := range spans {
		if s.start < s.end {
			missing[partition] = true
		}
	}
	var old, fresh []*sarama.ConsumerMessage
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for waiting := true; waiting && len(missing) > 0; {
		select {
		case rec := <-t.records:
			timer.Reset(quiet)
			end := spans[rec.Partition].end
			if rec.Offset >= end {
				fresh = append(fresh, rec)
			} else {
				old = append(old, rec)
			}
			if rec.Offset >= end-1 {
				delete(missing, rec.Partition)
			}
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			return nil
		}
	}
	slices.SortStableFunc(old, func(a, b *sarama.ConsumerMessage) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for _, rec := range append(old[max(len(old)-n, 0):], fresh...) {
		if err := fn(rec); err != nil {
			return err
		}
	}
	return nil
}
