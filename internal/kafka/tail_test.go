package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// tailing runs Tail in the background and gives its records.
func tailing(t *testing.T, c *Cluster, topic string, from TailFrom) (<-chan *sarama.ConsumerMessage, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	records, ended := make(chan *sarama.ConsumerMessage, 1000), make(chan error, 1)
	go func() {
		ended <- c.Tail(ctx, topic, from, func(rec *sarama.ConsumerMessage) error {
			records <- rec
			return nil
		})
	}()
	return records, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("tail ended with %v", err)
		}
	}
}

func next(t *testing.T, records <-chan *sarama.ConsumerMessage) *sarama.ConsumerMessage {
	t.Helper()
	select {
	case rec := <-records:
		return rec
	case <-testContext(t).Done():
		t.Fatal("no record")
		return nil
	}
}

func TestTailOldestAndLast(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 3)
		begin := time.Now().Add(-time.Hour)
		for i := range 30 {
			rec := record(topic, "", fmt.Sprint(i))
			rec.Timestamp = begin.Add(time.Duration(i) * time.Second)
			if err := c.Produce(testContext(t), rec, nil); err != nil {
				t.Fatal(err)
			}
		}
		records, stop := tailing(t, c, topic, TailFrom{Kind: TailOldest})
		seen := map[string]bool{}
		offsets := map[int32]int64{}
		for range 30 {
			rec := next(t, records)
			seen[string(rec.Value)] = true
			if rec.Offset != offsets[rec.Partition] {
				t.Errorf("partition %d: offset %d, want %d", rec.Partition, rec.Offset, offsets[rec.Partition])
			}
			offsets[rec.Partition]++
		}
		if len(seen) != 30 {
			t.Errorf("%d different records", len(seen))
		}
		mustProduce(t, c, topic, 30, 1)
		if rec := next(t, records); string(rec.Value) != "30" {
			t.Errorf("then %q", rec.Value)
		}
		stop()
		records, stop = tailing(t, c, topic, TailFrom{Kind: TailLast, N: 4})
		var last []string
		for range 4 {
			last = append(last, string(next(t, records).Value))
		}
		if !slices.Equal(last, []string{"27", "28", "29", "30"}) {
			t.Errorf("the last four are %v", last)
		}
		mustProduce(t, c, topic, 31, 1)
		if rec := next(t, records); string(rec.Value) != "31" {
			t.Errorf("then %q", rec.Value)
		}
		stop()
	})
}

func TestTailNewestJoinsNoGroup(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 1)
		mustProduce(t, c, topic, 0, 5)
		records, stop := tailing(t, c, topic, TailFrom{})
		defer stop()
		// The tail begins at some moment: produce until it shows something.
		var rec *sarama.ConsumerMessage
		eventually(t, "a new record is shown", func() bool {
			mustProduce(t, c, topic, 100, 1)
			select {
			case rec = <-records:
				return true
			default:
				return false
			}
		})
		if string(rec.Value) != "100" || rec.Offset < 5 {
			t.Errorf("shown first: %q at %d", rec.Value, rec.Offset)
		}
		if state := mustState(t, c, topic, topic); len(state.Members) != 0 || state.State != "Dead" {
			t.Errorf("the tail left traces: %+v", state)
		}
	})
}

func TestTailStopsWithFn(t *testing.T) {
	t.Parallel()
	tg := onEmbedded(t)
	c := tg.open(t)
	topic := mustTopic(t, c, 1)
	mustProduce(t, c, topic, 0, 10)
	enough := errors.New("enough")
	n := 0
	err := c.Tail(testContext(t), topic, TailFrom{Kind: TailOldest}, func(*sarama.ConsumerMessage) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 3 {
		t.Errorf("%v after %d records", err, n)
	}
	if err := c.Tail(testContext(t), "missing", TailFrom{}, nil); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("a missing topic: %v", err)
	}
}

// Deleted records and a topic made anew: the tail goes on at the beginning.
func TestTailAfterTheLogMoved(t *testing.T) {
	t.Parallel()
	tg := onEmbedded(t)
	c := tg.open(t)
	topic := mustTopic(t, c, 1)
	mustProduce(t, c, topic, 0, 10)
	records, stop := tailing(t, c, topic, TailFrom{Kind: TailOldest})
	defer stop()
	for range 10 {
		next(t, records)
	}
	deleteTopic(t, c, topic)
	if _, err := c.EnsureTopic(testContext(t), TopicSpec{Name: topic, Partitions: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new topic takes records", func() bool {
		return c.Produce(testContext(t), record(topic, "", "anew"), nil) == nil
	})
	if rec := next(t, records); string(rec.Value) != "anew" || rec.Offset != 0 {
		t.Errorf("then %q at %d", rec.Value, rec.Offset)
	}
}
