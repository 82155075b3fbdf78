package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/offsets"
)

// bench is an engine without Kafka: the test is the source, the Handler and the
// committer. It belongs into a synctest bubble.
type bench struct {
	t      reporter
	engine *engine
	buffer *Buffer
	cut    context.CancelFunc
	parent context.Context

	mu    sync.Mutex
	hands []*hand
	kicks int
}

// reporter is what tests and property tests have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// hand is one call that the test has not answered yet.
type hand struct {
	part     int32
	offset   int64
	key      string
	attempts int
	d        *Delivery
	ctx      context.Context
	answer   chan error
}

// taps is a source that counts.
type taps struct {
	mu     sync.Mutex
	hwm    int64
	paused bool
}

func (s *taps) HighWaterMarkOffset() int64 { s.mu.Lock(); defer s.mu.Unlock(); return s.hwm }
func (s *taps) Pause()                     { s.mu.Lock(); defer s.mu.Unlock(); s.paused = true }
func (s *taps) Resume()                    { s.mu.Lock(); defer s.mu.Unlock(); s.paused = false }

func newBench(t reporter, order Order, limit int) *bench {
	b := &bench{t: t, buffer: NewBuffer(64 << 20)}
	b.parent, b.cut = context.WithCancel(context.Background())
	b.engine = newEngine(b.handle, order, limit, slog.New(slog.DiscardHandler), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.kicks++
	})
	b.engine.account = b.buffer.open(func() {})
	b.engine.acked(batch{}, time.Now(), func(*partition) bool { return true })
	return b
}

func (b *bench) kickCount() int { b.mu.Lock(); defer b.mu.Unlock(); return b.kicks }

// close stops everything; calls in hand are cut off.
func (b *bench) close() {
	for _, p := range b.parts() {
		b.engine.stop(p)
	}
	b.cut()
	for _, p := range b.parts() {
		<-p.drained
		b.engine.release(p)
	}
	b.engine.close()
	if n := b.engine.account.used.Load(); n != 0 {
		b.t.Errorf("%d bytes are still accounted for", n)
	}
}

func (b *bench) parts() (ps []*partition) {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	for _, p := range b.engine.parts {
		ps = append(ps, p)
	}
	return ps
}

// handle waits for the test's answer.
func (b *bench) handle(ctx context.Context, d *Delivery) error {
	h := &hand{d.Record.Partition, d.Record.Offset, string(d.Record.Key), d.Attempts, d, ctx, make(chan error, 1)}
	b.mu.Lock()
	b.hands = append(b.hands, h)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hands = slices.DeleteFunc(b.hands, func(o *hand) bool { return o == h })
	}()
	select {
	case err := <-h.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open begins an assignment at an offset.
func (b *bench) open(id int32, at int64) *partition {
	return b.openWith(id, offsets.New(at))
}

func (b *bench) openWith(id int32, t *offsets.Tracker) *partition {
	p := &partition{id: id, tracker: t, position: t.Next(), source: &taps{}}
	b.engine.open(b.parent, p)
	return p
}

// feed lets records arrive, with the keys given ("" is null), from an offset.
func (b *bench) feed(p *partition, from int64, keys ...string) {
	var records []*Record
	for i, k := range keys {
		rec := &sarama.ConsumerMessage{
			Topic: "t", Partition: p.id, Offset: from + int64(i), Value: []byte("value"),
			Timestamp: time.Unix(from+int64(i), 0),
		}
		if k != "" {
			rec.Key = []byte(k)
		}
		records = append(records, newRecord(rec))
	}
	s := p.source.(*taps)
	s.mu.Lock()
	s.hwm = max(s.hwm, from+int64(len(keys)))
	s.mu.Unlock()
	b.engine.arrive(p, records)
	synctest.Wait()
}

// fill lets n records without key arrive.
func (b *bench) fill(p *partition, from int64, n int) { b.feed(p, from, make([]string, n)...) }

// inHand are the records in the Handler's hands, "partition/offset", sorted.
func (b *bench) inHand() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []string{}
	for _, h := range b.hands {
		out = append(out, fmt.Sprintf("%d/%d", h.part, h.offset))
	}
	slices.Sort(out)
	return out
}

func (b *bench) want(offsets ...string) {
	b.t.Helper()
	synctest.Wait()
	if got := b.inHand(); !slices.Equal(got, offsets) {
		b.t.Fatalf("in the Handler's hands: %v, want %v", got, offsets)
	}
}

// hand is the call for a record.
func (b *bench) hand(part int32, offset int64) *hand {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.hands {
		if h.part == part && h.offset == offset {
			return h
		}
	}
	b.t.Fatalf("record %d/%d is not in the Handler's hands", part, offset)
	return nil
}

// answer ends a call.
func (b *bench) answer(part int32, offset int64, err error) {
	b.t.Helper()
	b.hand(part, offset).answer <- err
	synctest.Wait()
}

// fail ends a call as a counted attempt that is to be made again.
func (b *bench) fail(part int32, offset int64, after time.Duration) {
	b.t.Helper()
	h := b.hand(part, offset)
	h.d.Attempts++
	h.answer <- &Later{After: after}
	synctest.Wait()
}

// commit acknowledges everything there is to tell and returns it.
func (b *bench) commit() batch {
	t := b.engine.takeBatch(nil)
	b.engine.acked(t, time.Now(), func(*partition) bool { return true })
	synctest.Wait()
	return t
}

// stats of the engine.
func (b *bench) stats() Stats {
	var s Stats
	b.engine.stats(&s)
	return s
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
