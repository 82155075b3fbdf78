package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/test/kafkatest"
)

func TestProduceReturnsAfterTheAck(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 3)
		var done atomic.Int32
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				rec := record(topic, fmt.Sprint("key", i%7), fmt.Sprint(i))
				if err := c.Produce(testContext(t), rec, func() { done.Add(1) }); err != nil {
					t.Error(err)
				}
				if rec.Metadata != nil {
					t.Error("the record still carries our slot")
				}
			})
		}
		all.Wait()
		if done.Load() != 500 {
			t.Errorf("done ran %d times for 500 records", done.Load())
		}
		if err := c.Pin(testContext(t), topic, topic, Initial{Kind: Earliest}); err != nil {
			t.Fatal(err)
		}
		if lag := mustState(t, c, topic, topic).Lag; lag != 500 {
			t.Errorf("%d records stored", lag)
		}
	})
}

// JW-8: one topic's trouble does not delay another topic's records.
func TestJW8MissingTopicDelaysNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		good := mustTopic(t, c, 3)
		mustProduce(t, c, good, 0, 10)
		missing := kafkatest.Name(t) + "-missing"
		ctx, cancel := context.WithTimeout(testContext(t), 2*time.Second)
		defer cancel()
		var done atomic.Int32
		var flood sync.WaitGroup
		for i := range 2000 {
			flood.Go(func() {
				err := c.Produce(ctx, record(missing, "", fmt.Sprint(i)), func() { done.Add(1) })
				if !errors.Is(err, ErrTopicUnavailable) || !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
					t.Errorf("missing topic: %v", err)
				}
			})
		}
		var worst time.Duration
		for range 50 {
			begin := time.Now()
			mustProduce(t, c, good, 0, 1)
			worst = max(worst, time.Since(begin))
		}
		flood.Wait()
		if worst > 500*time.Millisecond {
			t.Errorf("a good topic's ack took %v, wanted < 100 ms", worst)
		}
		t.Logf("worst ack of the good topic: %v", worst)
		if done.Load() != 2000 {
			t.Errorf("done ran %d times for 2000 records", done.Load())
		}
	})
}

// A topic that vanishes while its records are in the producer, and comes back.
func TestTopicDeletedAndCreatedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t, func(o *Options) { o.UnavailableFor = 50 * time.Millisecond })
		good, topic := mustTopic(t, c, 1), mustTopic(t, c, 4)
		mustProduce(t, c, topic, 0, 20)
		mustProduce(t, c, good, 0, 1)
		deleteTopic(t, c, topic)
		var flood sync.WaitGroup
		for range 300 {
			flood.Go(func() {
				ctx, cancel := context.WithTimeout(testContext(t), 10*time.Second)
				defer cancel()
				_ = c.Produce(ctx, record(topic, "", "x"), nil)
			})
		}
		var worst time.Duration
		for range 50 {
			begin := time.Now()
			mustProduce(t, c, good, 0, 1)
			worst = max(worst, time.Since(begin))
		}
		t.Logf("worst ack of the good topic: %v", worst)
		if worst > 500*time.Millisecond {
			t.Errorf("a good topic's ack took %v, wanted < 100 ms", worst)
		}
		flood.Wait()
		if _, err := c.EnsureTopic(testContext(t), TopicSpec{Name: topic, Partitions: 4, Create: true}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "records are taken again", func() bool {
			return c.Produce(testContext(t), record(topic, "", "y"), nil) == nil
		})
	})
}

func deleteTopic(t *testing.T, c *Cluster, topic string) {
	t.Helper()
	_, err := ask(testContext(t), c, func(a *adminConn) (none struct{}, err error) { return none, a.DeleteTopic(topic) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestTooLargeIsRecognisable(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := mustTopic(t, c, 1)
		for _, size := range []int{2 << 20, maxRecordBytes + 1} {
			err := c.Produce(testContext(t), record(topic, "", strings.Repeat("x", size)), nil)
			if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		mustProduce(t, c, topic, 0, 1)
	})
}

// A batch above max.message.bytes would be refused whole, although each record
// in it is small enough.
func TestLargeRecordsTogetherAreTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		topic := kafkatest.Name(t)
		spec := TopicSpec{Name: topic, Partitions: 1, Create: true, Config: map[string]string{"max.message.bytes": "300000"}}
		if _, err := c.EnsureTopic(testContext(t), spec); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 60 {
			size := []int{1000, 50_000, 120_000, 299_000}[i%4]
			all.Go(func() {
				if err := c.Produce(testContext(t), record(topic, "k", strings.Repeat("x", size)), nil); err != nil {
					t.Errorf("%d bytes: %v", size, err)
				}
			})
		}
		all.Wait()
	})
}

// A full queue of one topic: its own callers wait, and say so; others go on.
func TestBusyTopic(t *testing.T) {
	tg := onEmbedded(t)
	c := tg.open(t, func(o *Options) { o.TopicQueueRecords = 10 })
	stuck, good := mustTopic(t, c, 1), kafkatest.Name(t)+"-good"
	if _, err := c.EnsureTopic(testContext(t), TopicSpec{Name: good, Partitions: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	mustProduce(t, c, stuck, 0, 1)
	mustProduce(t, c, good, 0, 1)
	fault := tg.embedded.Kfake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: stuck, Err: kerr.NotEnoughReplicas, Count: -1,
	})
	ctx, cancel := context.WithTimeout(testContext(t), 300*time.Millisecond)
	defer cancel()
	var busy, unanswered, done atomic.Int32
	var flood sync.WaitGroup
	for range 200 {
		flood.Go(func() {
			err := c.Produce(ctx, record(stuck, "", "x"), func() { done.Add(1) })
			switch {
			case errors.Is(err, ErrTopicBusy):
				busy.Add(1)
			case errors.Is(err, context.DeadlineExceeded):
				unanswered.Add(1)
			default:
				t.Errorf("stuck topic: %v", err)
			}
		})
	}
	for range 20 {
		begin := time.Now()
		mustProduce(t, c, good, 0, 1)
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("a good topic's ack took %v", took)
		}
	}
	flood.Wait()
	if busy.Load() != 190 || unanswered.Load() != 10 {
		t.Errorf("busy %d, unanswered %d; want 190 and 10", busy.Load(), unanswered.Load())
	}
	if done.Load() != 190 {
		t.Errorf("done ran %d times while 10 records are in the client", done.Load())
	}
	fault.Remove()
	eventually(t, "the client gives all records back", func() bool { return done.Load() == 200 })
	mustProduce(t, c, stuck, 0, 1)
}

func TestForbiddenTopic(t *testing.T) {
	tg := onEmbedded(t)
	c := tg.open(t, func(o *Options) { o.UnavailableFor = 20 * time.Millisecond })
	topic := mustTopic(t, c, 1)
	fault := tg.embedded.Kfake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1,
	})
	err := c.Produce(testContext(t), record(topic, "", "x"), nil)
	if !errors.Is(err, ErrTopicUnavailable) || !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		t.Errorf("forbidden topic: %v", err)
	}
	hits := fault.Hits()
	if err := c.Produce(testContext(t), record(topic, "", "x"), nil); !errors.Is(err, ErrTopicUnavailable) {
		t.Errorf("forbidden topic again: %v", err)
	}
	if fault.Hits() != hits {
		t.Error("Kafka was asked again at once")
	}
	fault.Remove()
	eventually(t, "the topic is tried again", func() bool {
		return c.Produce(testContext(t), record(topic, "", "x"), nil) == nil
	})
}

func TestStorageFullIsTyped(t *testing.T) {
	tg := onEmbedded(t)
	c := tg.open(t)
	topic := mustTopic(t, c, 1)
	tg.embedded.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.PolicyViolation})
	if err := c.Produce(testContext(t), record(topic, "", "x"), nil); !errors.Is(err, ErrStorageFull) {
		t.Errorf("refused by policy: %v", err)
	}
	mustProduce(t, c, topic, 0, 1)
}

// Kafka is not there, then it is, then it goes away and comes back.
func TestProduceFollowsKafkasComingsAndGoings(t *testing.T) {
	tg := onEmbedded(t)
	var up atomic.Bool
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !up.Load() {
			return nil, errors.New("connection refused")
		}
		conn, err := tg.dial(ctx, network, addr)
		if err == nil {
			mu.Lock()
			conns[conn] = true
			mu.Unlock()
		}
		return conn, err
	}
	admin := tg.open(t)
	topic := mustTopic(t, admin, 3)
	c := tg.open(t, func(o *Options) { o.Dial = dial })
	if err := c.Produce(testContext(t), record(topic, "", "x"), nil); err == nil {
		t.Fatal("produced without Kafka")
	}
	up.Store(true)
	taken := func() bool { return c.Produce(testContext(t), record(topic, "", "x"), nil) == nil }
	eventually(t, "produced when Kafka came", taken)
	for range 2 {
		up.Store(false)
		mu.Lock()
		for conn := range conns {
			conn.Close()
		}
		clear(conns)
		mu.Unlock()
		ctx, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
		if err := c.Produce(ctx, record(topic, "", "lost?"), nil); err == nil {
			t.Error("produced without Kafka")
		}
		cancel()
		up.Store(true)
		eventually(t, "produced when Kafka came back", taken)
	}
}

func TestCloseFlushesAndRefuses(t *testing.T) {
	tg := onEmbedded(t)
	c := tg.open(t)
	topic := mustTopic(t, c, 1)
	var done atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			err := c.Produce(testContext(t), record(topic, "", "x"), func() { done.Add(1) })
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if done.Load() != 50 {
		t.Errorf("done ran %d times for 50 records", done.Load())
	}
	if err := c.Produce(testContext(t), record(topic, "", "x"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("produce after close: %v", err)
	}
	if err := c.Ping(testContext(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("ping after close: %v", err)
	}
	if _, err := c.CommitClient(); !errors.Is(err, ErrClosed) {
		t.Errorf("commit client after close: %v", err)
	}
}

// A Kafka that takes connections and never answers: Produce ends with its
// context, and Close ends soon.
func TestBlackHole(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := Open(Options{Brokers: []string{ln.Addr().String()}})
	ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	var done atomic.Int32
	for range 100 {
		all.Go(func() {
			if err := c.Produce(ctx, record("t", "", "x"), func() { done.Add(1) }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("produce: %v", err)
			}
		})
		all.Go(func() {
			if err := c.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ping: %v", err)
			}
		})
	}
	all.Wait()
	if done.Load() != 100 {
		t.Errorf("done ran %d times", done.Load())
	}
	begin := time.Now()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 3*flushTime {
		t.Errorf("close took %v", took)
	}
}
