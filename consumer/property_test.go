package consumer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"

	"kurier.dev/kurier/offsets"
)

// TestEngineProperties drives the engine at random (outcomes, waits, commits
// that succeed, fail and whose answer is lost, rebalances, crashes, changes of
// settings) and holds it against a plain model of what was settled:
//
//   - a call begins only when the order allows it, within the concurrency, and
//     with its attempt written ahead;
//   - what is committed never passes, and its map never claims, an unsettled
//     record;
//   - in the end everything is settled and committed.
func TestEngineProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			m := newModel(t)
			defer m.close()
			t.Repeat(map[string]func(*rapid.T){
				"":          m.check,
				"feed":      m.feedSome,
				"answer":    m.answerOne,
				"commit":    m.commitAll,
				"rebalance": m.rebalance,
				"time":      func(*rapid.T) { pass(1500 * time.Millisecond) },
				"wake":      func(*rapid.T) { m.engine.wake(); synctest.Wait() },
				"order": func(t *rapid.T) {
					m.engine.setOrder(Order(rapid.IntRange(0, 2).Draw(t, "order")))
					synctest.Wait()
				},
				"flood": func(t *rapid.T) { m.flood(t) },
				"limit": func(t *rapid.T) {
					m.engine.setLimit(rapid.IntRange(1, 6).Draw(t, "limit"))
					synctest.Wait()
				},
			})
			m.finish()
		})
	})
}

// noDeadline hides what may not be asked for in a bubble.
type noDeadline struct{ rapid.TB }

// model is a bench that knows the truth.
type model struct {
	*bench
	rt    *rapid.T
	parts map[int32]*modelPart
	bad   []string
}

type modelPart struct {
	part    *partition
	log     []*sarama.ConsumerMessage
	settled map[int64]bool
	stored  offsets.Position
}

func newModel(t *rapid.T) *model {
	m := &model{rt: t, parts: map[int32]*modelPart{}}
	m.bench = &bench{t: t, buffer: NewBuffer(1 << 20)}
	m.parent, m.cut = context.WithCancel(context.Background())
	m.engine = newEngine(m.handle, Order(rapid.IntRange(0, 2).Draw(t, "order")), 3, slog.New(slog.DiscardHandler), func() {})
	m.engine.account = m.buffer.open(func() {})
	for id := range int32(2) {
		p := &modelPart{settled: map[int64]bool{}}
		m.parts[id] = p
		p.part = m.open(id, 0)
	}
	return m
}

// handle checks that the call may begin, then waits for its answer.
func (m *model) handle(ctx context.Context, d *Delivery) error {
	p := m.parts[d.Record.Partition]
	m.mu.Lock()
	if n := len(m.hands); n >= m.engine.limit {
		m.bad = append(m.bad, "more calls than the concurrency")
	}
	for _, rec := range p.log {
		if rec.Offset >= d.Record.Offset || p.settled[rec.Offset] || !m.before(rec, d.Record) {
			continue
		}
		m.bad = append(m.bad, at(d.Record)+" before "+at(rec))
	}
	if d.Attempts > 0 && d.State == nil && p.knows(d.Record.Offset) <= d.Attempts {
		m.bad = append(m.bad, at(d.Record)+" without its attempt written ahead")
	}
	m.mu.Unlock()
	d.State = nil
	return m.bench.handle(ctx, d)
}

// before says whether the order wants a settled before b begins.
func (m *model) before(a, b *sarama.ConsumerMessage) bool {
	switch m.engine.order {
	case Ordered:
		return true
	case OrderedByKey:
		return b.Key != nil && string(a.Key) == string(b.Key)
	case Unordered:
	}
	return false
}

// knows is how many attempts the stored commit tells of.
func (p *modelPart) knows(offset int64) int {
	t, _ := offsets.Decode(p.stored.Offset, p.stored.Metadata, 0)
	for _, rec := range p.log {
		if rec.Offset >= p.stored.Offset {
			t.Track(rec.Offset, rec.Key)
		}
	}
	return t.Attempts(offset)
}

// feedSome lets records arrive, with gaps.
func (m *model) feedSome(t *rapid.T) {
	p := m.parts[int32(rapid.IntRange(0, 1).Draw(t, "partition"))]
	next := int64(0)
	if n := len(p.log); n > 0 {
		next = p.log[n-1].Offset + 1
	}
	next += rapid.SampledFrom([]int64{0, 0, 0, 1, 50}).Draw(t, "gap")
	var recs []*sarama.ConsumerMessage
	for i := range rapid.IntRange(1, 6).Draw(t, "records") {
		rec := &sarama.ConsumerMessage{Topic: "t", Partition: p.part.id, Offset: next + int64(i)}
		if k := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "key"); k != "" {
			rec.Key = []byte(k)
		}
		recs = append(recs, rec)
	}
	p.log = append(p.log, recs...)
	m.arrive(p, recs)
}

// flood lets many records of few keys arrive, so that some are parked.
func (m *model) flood(t *rapid.T) {
	p := m.parts[int32(rapid.IntRange(0, 1).Draw(t, "partition"))]
	if len(p.log) > 2000 {
		t.Skip("enough")
	}
	next := int64(0)
	if n := len(p.log); n > 0 {
		next = p.log[n-1].Offset + 1
	}
	keys := rapid.SampledFrom([][]string{{"a"}, {"a", "b"}, {"a", "a", "c"}}).Draw(t, "keys")
	var recs []*sarama.ConsumerMessage
	for i := range parkBehind * 3 {
		recs = append(recs, &sarama.ConsumerMessage{
			Topic: "t", Partition: p.part.id, Offset: next + int64(i), Key: []byte(keys[i%len(keys)]),
		})
	}
	p.log = append(p.log, recs...)
	m.arrive(p, recs)
}

// arrive hands records to the engine as an assignment does.
func (m *model) arrive(p *modelPart, recs []*sarama.ConsumerMessage) {
	records := make([]*Record, len(recs))
	for i, rec := range recs {
		records[i] = newRecord(rec)
	}
	m.engine.arrive(p.part, records)
	synctest.Wait()
}

// answerOne ends one call, somehow.
func (m *model) answerOne(t *rapid.T) {
	m.mu.Lock()
	hands := slices.Clone(m.hands)
	m.mu.Unlock()
	if len(hands) == 0 {
		t.Skip("nothing in hand")
	}
	slices.SortFunc(hands, func(a, b *hand) int { return int(a.part-b.part)*1000 + int(a.offset-b.offset) })
	h := rapid.SampledFrom(hands).Draw(t, "hand")
	m.reply(h, rapid.SampledFrom([]string{"ok", "ok", "ok", "now", "soon", "late", "resume", "held", "free", "error"}).Draw(t, "answer"))
}

func (m *model) reply(h *hand, how string) {
	h.d.Attempts++
	var err error
	switch how {
	case "ok":
		m.parts[h.part].settled[h.offset] = true
	case "now":
		err = &Later{}
	case "soon":
		err = &Later{After: time.Second}
	case "late":
		err = &Later{After: time.Hour}
	case "resume":
		h.d.State = "goes on"
		err = &Later{Resume: true, After: time.Millisecond}
	case "held":
		h.d.State = "goes on"
		err = &Later{Held: true, After: time.Second}
	case "free": // an attempt that does not count
		h.d.Attempts--
		err = &Later{After: time.Second}
	case "error":
		err = errors.New("broken")
	}
	h.answer <- err
	synctest.Wait()
}

// commitAll makes one commit, which Kafka takes, refuses, or takes without its
// answer arriving.
func (m *model) commitAll(t *rapid.T) {
	b := m.engine.takeBatch(nil)
	fate := rapid.SampledFrom([]string{"ok", "ok", "refused", "lost"}).Draw(t, "commit")
	if fate != "refused" {
		m.store(b)
	}
	if fate == "ok" {
		m.engine.acked(b, time.Now(), func(*partition) bool { return true })
	} else {
		m.engine.failed(b)
	}
	synctest.Wait()
}

func (m *model) store(b batch) {
	for _, t := range b.told {
		m.parts[t.part.id].stored = t.position
	}
}

// rebalance takes a partition away, or lets the process crash for it, and gives
// it back from what is stored.
func (m *model) rebalance(t *rapid.T) {
	p := m.parts[int32(rapid.IntRange(0, 1).Draw(t, "partition"))]
	m.engine.stop(p.part)
	p.part.cancel()
	<-p.part.drained
	if rapid.Bool().Draw(t, "flushed") {
		m.store(m.engine.takeBatch(p.part))
	}
	m.engine.release(p.part)
	tr, err := offsets.Decode(p.stored.Offset, p.stored.Metadata, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.part = m.openWith(p.part.id, tr)
	m.arrive(p, slices.Clone(p.log))
}

// check holds what is stored against the truth.
func (m *model) check(t *rapid.T) {
	m.mu.Lock()
	bad := m.bad
	m.mu.Unlock()
	if len(bad) > 0 {
		t.Fatalf("%v", bad)
	}
	for id, p := range m.parts {
		known, err := offsets.Decode(p.stored.Offset, p.stored.Metadata, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range p.log {
			done := rec.Offset < p.stored.Offset || known.Track(rec.Offset, rec.Key) == offsets.Settled
			if done && !p.settled[rec.Offset] {
				t.Fatalf("partition %d: the commit %+v claims the unsettled record %d", id, p.stored, rec.Offset)
			}
		}
	}
}

// finish answers everything until nothing is left.
func (m *model) finish() {
	for range 10_000 {
		m.mu.Lock()
		hands := slices.Clone(m.hands)
		m.mu.Unlock()
		for _, h := range hands {
			m.reply(h, "ok")
		}
		b := m.engine.takeBatch(nil)
		m.store(b)
		m.engine.acked(b, time.Now(), func(*partition) bool { return true })
		m.engine.wake()
		synctest.Wait()
		if len(hands) == 0 && m.stats().Lag == 0 && m.engine.need() == (need{rest: m.engine.need().rest}) {
			break
		}
	}
	m.check(m.rt)
	for id, p := range m.parts {
		for _, rec := range p.log {
			if !p.settled[rec.Offset] {
				m.rt.Fatalf("partition %d: record %d was never settled", id, rec.Offset)
			}
		}
		if n := len(p.log); n > 0 && p.stored.Offset != p.log[n-1].Offset+1 {
			m.rt.Fatalf("partition %d: committed at %d, want %d", id, p.stored.Offset, p.log[n-1].Offset+1)
		}
	}
}
