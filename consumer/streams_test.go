package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (r *rig) streams() *Streams {
	s := NewStreams(r.brokers, r.base, nil)
	r.t.Cleanup(s.Close)
	return s
}

// Many groups of one process read a topic with one stream for each partition,
// once they are at the same place, and each gets everything.
func TestConsumersShareStreams(t *testing.T) {
	t.Parallel()
	const groups, records = 9, 200
	r := newAnyRig(t, 2)
	r.produce(0, records, nil)
	r.produce(1, records, nil)
	streams := r.streams()
	var settled [groups]atomic.Int64
	for g := range groups {
		cfg := r.config(fmt.Sprintf("%s-%d", r.group, g), Order(g%3))
		cfg.Streams = streams
		r.start(cfg, func(context.Context, *Delivery) error { settled[g].Add(1); return nil })
	}
	all := func(n int64) bool {
		for g := range settled {
			if settled[g].Load() != n {
				return false
			}
		}
		return true
	}
	r.eventually("each group has everything", func() bool { return all(2 * records) })
	for n := int64(1); ; n++ { // streams meet when records come
		r.produce(0, 1, nil)
		r.produce(1, 1, nil)
		r.eventually("each group has the new records", func() bool { return all(2 * (records + n)) })
		if streams.open.Load() == 2 {
			return
		}
		if n == 20 {
			t.Fatalf("%d streams read two partitions, want one each", streams.open.Load())
		}
	}
}

// A consumer that does not settle anything takes nobody's records away, and
// misses none when it goes on.
func TestAStuckConsumerLeavesTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	streams := r.streams()
	release := make(chan struct{})
	var stuck, free callCount
	cfg := r.config("stuck", Ordered)
	cfg.Streams, cfg.Buffer = streams, NewBuffer(0) // the least: it pauses soon
	r.start(cfg, func(ctx context.Context, d *Delivery) error {
		select {
		case <-release:
			return stuck.add(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	cfg = r.config("free", Ordered)
	cfg.Streams = streams
	r.start(cfg, func(_ context.Context, d *Delivery) error { return free.add(d) })
	const n = 4096 // more than the stuck one reads ahead
	r.produce(0, n, nil)
	r.eventually("the free one has everything", func() bool { return free.count() == n })
	close(release)
	r.eventually("the stuck one has everything", func() bool { return stuck.count() == n })
	for _, c := range []*callCount{&stuck, &free} {
		if c.wrong != "" {
			t.Error(c.wrong)
		}
	}
}

// callCount counts records of one partition that come in order, once each.
type callCount struct {
	mu    sync.Mutex
	next  int64
	wrong string
}

func (c *callCount) add(d *Delivery) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.Record.Offset != c.next && c.wrong == "" {
		c.wrong = fmt.Sprintf("got %d, want %d", d.Record.Offset, c.next)
	}
	c.next = d.Record.Offset + 1
	return nil
}

func (c *callCount) count() int { c.mu.Lock(); defer c.mu.Unlock(); return int(c.next) }

// Whatever riders do (pause, go on, take their time, jump), each sees every
// record from its place on, in order, once.
func TestRidersMissNothing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := newRig(t, 1)
	streams := r.streams()
	const riders, total = 8, 6000
	r.produce(0, total/3, nil)
	var wg sync.WaitGroup
	failed := make(chan string, riders)
	for i := range riders {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			if wrong := rideAlong(r, streams, rng, total); wrong != "" {
				failed <- fmt.Sprintf("rider %d: %s", i, wrong)
			}
		})
	}
	for range 2 * total / 3 / 50 {
		r.produce(0, 50, nil)
	}
	wg.Wait()
	close(failed)
	for wrong := range failed {
		t.Error(wrong)
	}
	r.eventually("no stream is left", func() bool { return streams.open.Load() == 0 })
}

// rideAlong is one rider's life, up to the record before total.
func rideAlong(r *rig, s *Streams, rng *rand.Rand, total int64) (wrong string) {
	next := rng.Int64N(total / 4)
	ride := s.ride(r.topic, 0, next, func(error) {})
	defer ride.close()
	ride.Resume()
	jumps := 3
	for next < total {
		select {
		case records := <-ride.batches:
			for _, rec := range records {
				if rec.Offset < next {
					continue // handed out before a jump
				}
				if rec.Offset != next {
					return fmt.Sprintf("got %d, want %d", rec.Offset, next)
				}
				next++
			}
			switch rng.IntN(6) {
			case 0:
				ride.Pause()
				ride.Resume()
			case 1:
				ride.Pause()
				for range rng.IntN(2000) {
					_ = ride.HighWaterMarkOffset() // the others get ahead
				}
				ride.Resume()
			case 2:
				if jumps > 0 && next < total-100 {
					jumps--
					for len(ride.batches) > 0 {
						<-ride.batches
					}
					ride.Pause()
					for len(ride.batches) > 0 {
						<-ride.batches
					}
					next = min(next, total-100) / 2
					ride.moveTo(next)
					ride.Resume()
				}
			}
			ride.taken()
		case <-ride.lost:
			return "lost"
		}
	}
	return ""
}

// A stream whose only rider stays away ends, and goes on at the same place when
// it comes back.
func TestAPausedStreamEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	streams := r.streams()
	r.produce(0, 10, nil)
	ride := streams.ride(r.topic, 0, 0, func(error) {})
	defer ride.close()
	ride.Resume()
	got := int64(0)
	take := func(want int64) {
		t.Helper()
		for got < want {
			for _, rec := range <-ride.batches {
				if rec.Offset != got {
					t.Fatalf("got %d, want %d", rec.Offset, got)
				}
				got++
			}
			ride.taken()
		}
	}
	take(10)
	ride.Pause()
	r.eventually("the stream has ended", func() bool { return streams.open.Load() == 0 })
	r.produce(0, 10, nil)
	ride.Resume()
	take(20)
}

// Out of range is told to every rider, and each can go on elsewhere.
func TestRidersAreToldThatTheyAreLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	streams := r.streams()
	r.produce(0, 10, nil)
	r.must(r.cluster.DeleteRecords(r.topic, 0, 5))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			ride := streams.ride(r.topic, 0, 2, func(error) {})
			defer ride.close()
			ride.Resume()
			<-ride.lost
			ride.moveTo(5)
			if records := <-ride.batches; records[0].Offset != 5 {
				t.Errorf("got %d, want 5", records[0].Offset)
			}
		})
	}
	wg.Wait()
}

// While Kafka is silent, closing does not wait for it.
func TestStreamsCloseUnderASilentBroker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	streams := NewStreams(r.brokers, r.base, nil)
	held := make(chan struct{})
	quiet := make(chan struct{})
	var once sync.Once
	r.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.SleepControl(func() { once.Do(func() { close(held) }); <-quiet })
		return nil, nil, false
	})
	defer close(quiet)
	ride := streams.ride(r.topic, 0, 0, func(error) {})
	ride.Resume()
	<-held
	ride.close()
	done := make(chan struct{})
	go func() { defer close(done); streams.Close() }()
	r.eventually("closed", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}

// What the Handler need not see is settled in its turn, and committed.
func TestRecordsThatNobodyWants(t *testing.T) {
	for _, order := range []Order{Unordered, Ordered, OrderedByKey} {
		t.Run(order.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, kfake.SleepOutOfOrder())
			const n = 1000
			r.produce(0, n, func(i int) string { return fmt.Sprint(i % 7) })
			log := newCallLog()
			cfg := r.config("g", order)
			cfg.Wants = func(rec *Record) bool { return rec.Offset%100 == 0 }
			c := r.start(cfg, log.handler(nil, settle))
			r.eventually("all is committed", func() bool { offset, _ := r.committed("g", 0); return offset == n })
			if s := c.Stats(); log.count() != n/100 || s.Settled != n || s.BufferedBytes != 0 {
				t.Errorf("%d handled, %d settled, %d bytes left, want %d, %d, 0", log.count(), s.Settled, s.BufferedBytes, n/100, n)
			}
		})
	}
}

// Prepare has seen a record before any of those who share it does, once for all.
func TestRecordsArePreparedBeforeAnybodyGetsThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	streams := NewStreams(r.brokers, r.base, nil)
	defer streams.Close()
	const n = 300
	var prepared atomic.Int64
	view := func(m *sarama.ConsumerMessage) any { return m.Offset }
	rides := []*rider{streams.ride(r.topic, 0, 0, func(error) {}), streams.ride(r.topic, 0, 0, func(error) {})}
	for _, ride := range rides {
		defer ride.close()
		ride.prepare = func(rec *Record) { prepared.Add(1); rec.View(view) }
		ride.Resume()
	}
	r.produce(0, n, func(int) string { return "" })
	for _, ride := range rides {
		for got := 0; got < n; ride.taken() {
			for _, rec := range <-ride.batches {
				if rec.view != any(rec.Offset) {
					t.Fatalf("offset %d is handed out unprepared", rec.Offset)
				}
				got++
			}
		}
	}
	if got := prepared.Load(); got != n {
		t.Errorf("%d records prepared, want each of %d once", got, n)
	}
}

// What cannot be prepared is handled all the same, and so is what comes behind it.
func TestAPanicWhilePreparingKeepsNothingBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	const n = 300
	r.produce(0, n, func(int) string { return "" })
	var panicked atomic.Int64
	log := newCallLog()
	cfg := r.config("g", Unordered)
	cfg.Prepare = func(rec *Record) {
		if rec.Offset%100 == 7 {
			panicked.Add(1)
			panic("poison")
		}
	}
	c := r.start(cfg, log.handler(nil, settle))
	r.eventually("all is committed", func() bool { offset, _ := r.committed("g", 0); return offset == n })
	if s := c.Stats(); log.count() != n || s.Settled != n || panicked.Load() == 0 {
		t.Errorf("%d handled, %d settled, %d panics, want %d, %d, some", log.count(), s.Settled, panicked.Load(), n, n)
	}
}

// All who ask for a record's view get the one that the first of them made.
func TestViewIsMadeOnce(t *testing.T) {
	rec := newRecord(&sarama.ConsumerMessage{Value: []byte("x")})
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := rec.View(func(m *sarama.ConsumerMessage) any { made.Add(1); return string(m.Value) }); got != "x" {
				t.Errorf("got %v", got)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}
