package consumer

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const (
	// batchRecords and batchBytes bound what is handed on at once.
	batchRecords = 128
	batchBytes   = 256 << 10
	openBackoff  = 100 * time.Millisecond
	maxOpenWait  = 5 * time.Second
	// brokenAfter is how many failures in a row to open a partition make another
	// client worth a try.
	brokenAfter = 3
	// linger is how long a stream waits for its only rider, which has paused. In
	// that time it goes on without asking for its place in the log again.
	linger = 2 * time.Second
)

// partitionLog is one partition as this process reads it: its streams, each at
// its own place.
type partitionLog struct {
	streamsOf *Streams
	at        topicPartition
	users     atomic.Int32 // riders; changed under Streams.mu

	mu      sync.Mutex // after engine.mu, before Streams.mu
	streams []*stream
}

// stream reads a partition from one offset on and hands the records to its
// riders. Its fields are guarded by partitionLog.mu.
type stream struct {
	log     *partitionLog
	next    int64 // the offset after the last one handed out
	riders  []*rider
	recent  []recentBatch // what was handed out last, up to next
	kept    int64         // bytes of recent
	ended   bool
	blocked bool          // its only rider has no room: it waits for taken
	stopped chan struct{} // closed by stop
	wake    chan struct{} // a token: look whether somebody wants records
}

// recentBatch has every record from an offset up to the next batch.
type recentBatch struct {
	records []*Record
	from    int64
	bytes   int64
}

// reaches says whether a rider at this offset can take a seat without missing a
// record.
func (st *stream) reaches(offset int64) bool {
	if st.ended {
		return false
	}
	return offset == st.next || (len(st.recent) > 0 && st.recent[0].from <= offset && offset < st.next)
}

// seat gives a rider a place and what it lacks of the recent records.
func (st *stream) seat(r *rider) {
	r.on = st
	st.riders = append(st.riders, r)
	st.look()
	for i := range st.recent {
		records := st.recent[i].records
		for len(records) > 0 && records[0].Offset < r.next {
			records = records[1:]
		}
		if len(records) > 0 && !r.give(records) {
			r.leave() // and goes on when it has taken what it has
			return
		}
	}
	if r.next < st.next {
		r.pass(st.next)
	}
}

// sees tells the riders where the log ends, and its caller where the stream is.
func (st *stream) sees(end int64) (next int64) {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	for _, r := range st.riders {
		r.end.Store(end)
	}
	return st.next
}

// pass moves the stream over offsets that hold no record, unless it has moved
// meanwhile.
func (st *stream) pass(from, to int64) {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	if st.ended || st.next != from {
		return
	}
	st.next = to
	for _, r := range st.riders {
		r.pass(to)
	}
	st.merge()
}

// look makes run look at the riders.
func (st *stream) look() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// wanted says whether a rider wants records now.
func (st *stream) wanted() bool {
	return slices.ContainsFunc(st.riders, func(r *rider) bool { return r.wants })
}

// stop ends the stream; nobody boards it any more.
func (st *stream) stop() {
	if st.ended {
		return
	}
	st.ended = true
	st.recent = nil
	close(st.stopped)
	st.log.streams = slices.DeleteFunc(st.log.streams, func(o *stream) bool { return o == st })
}

// hand gives records to all riders that want any. When there is one rider, and
// it has no room, the records are to be handed again after a wake; of several,
// those without room leave.
func (st *stream) hand(records []*Record, end int64) (done bool) {
	share := st.log.streamsOf.recentShare()
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	for _, r := range st.riders {
		r.end.Store(end)
	}
	st.blocked = len(st.riders) == 1 && (!st.riders[0].wants || st.riders[0].full())
	if st.blocked {
		st.riders[0].short.Store(true)
		return false
	}
	for _, r := range slices.Clone(st.riders) {
		if !r.wants || !r.give(records) {
			r.leave()
		}
	}
	if st.ended {
		return true
	}
	from := st.next
	st.next = records[len(records)-1].Offset + 1
	for _, r := range st.riders {
		r.next = st.next
	}
	st.remember(recentBatch{records, from, sizeOf(records)}, share)
	st.merge()
	return true
}

// remember keeps records for riders that are a little behind, when there are
// others.
func (st *stream) remember(b recentBatch, share int64) {
	if st.log.users.Load() < 2 {
		st.recent, st.kept = nil, 0
		return
	}
	st.recent = append(st.recent, b)
	st.kept += b.bytes
	for len(st.recent) > 0 && st.kept > share {
		st.kept -= st.recent[0].bytes
		st.recent[0] = recentBatch{}
		st.recent = st.recent[1:]
	}
}

// merge ends this stream when another one is where it has come to.
func (st *stream) merge() {
	for _, other := range st.log.streams {
		if other == st || !other.reaches(st.next) {
			continue
		}
		riders := st.riders
		st.riders = nil
		st.stop()
		for _, r := range riders {
			other.seat(r)
		}
		return
	}
}

// run reads until the stream is stopped.
func (st *stream) run() {
	defer st.log.streamsOf.end()
	for failures := 1; ; failures++ {
		again, err := st.read(failures)
		if !again {
			return
		}
		st.tell(err)
		select {
		case <-st.stopped:
			return
		case <-time.After(backoff(failures, openBackoff, maxOpenWait)):
		}
	}
}

// tell gives an error to all riders.
func (st *stream) tell(err error) {
	st.log.streamsOf.log.Debug("reading a partition failed", slog.String("topic", st.log.at.topic),
		slog.Int("partition", int(st.log.at.partition)), slog.Any("error", err))
	st.log.mu.Lock()
	riders := slices.Clone(st.riders)
	st.log.mu.Unlock()
	for _, r := range riders {
		r.failed(err)
	}
}

// read opens the partition and hands on what comes. again: it could not be
// opened.
func (st *stream) read(failures int) (again bool, err error) {
	s, at := st.log.streamsOf, st.log.at
	r, err := s.acquire(at)
	if err != nil {
		return false, err
	}
	if err := r.connect(s); err != nil {
		s.release(r, at, true)
		return true, err
	}
	st.log.mu.Lock()
	next := st.next
	st.log.mu.Unlock()
	pc, err := r.consumer.ConsumePartition(at.topic, at.partition, next)
	if errors.Is(err, sarama.ErrOffsetOutOfRange) {
		s.release(r, at, false)
		st.lose()
		return false, err
	}
	if err != nil {
		var answer sarama.KError
		s.release(r, at, failures >= brokenAfter && !errors.As(err, &answer))
		return true, err
	}
	if !st.pump(pc, r) {
		st.lose()
	}
	_ = pc.Close() // its errors have been told, or concern nobody
	s.release(r, at, false)
	return false, nil
}

// pump hands on records until the stream is stopped (true), or the client gives
// up because the next offset is not in the log (false).
func (st *stream) pump(pc sarama.PartitionConsumer, r *reader) (stopped bool) {
	var pending []*Record // wait for room
	messages := pc.Messages()
	idle := time.NewTimer(linger)
	idle.Stop()
	defer idle.Stop()
	tail := newTail(st, r)
	defer tail.close()
	for open := true; ; {
		select {
		case <-st.stopped:
			return true
		case err, ok := <-pc.Errors():
			if ok {
				st.tell(err)
			}
		case <-idle.C:
			st.abandon()
		case <-tail.ticks.C:
			if messages != nil && len(messages) == 0 {
				tail.look(pc.HighWaterMarkOffset())
			}
		case to := <-tail.answers:
			tail.hear(to)
		case <-st.wake:
			switch wanted := st.isWanted(); {
			case !wanted:
				pc.Pause()
				messages = nil
				idle.Reset(linger)
			case wanted && (pending == nil || st.hand(pending, pc.HighWaterMarkOffset())):
				if pending = nil; !open {
					return false
				}
				idle.Stop()
				pc.Resume()
				messages = pc.Messages()
			}
		case rec, ok := <-messages:
			if !ok {
				return false
			}
			pending, open = gather(rec, messages)
			st.prepare(pending)
			if st.hand(pending, pc.HighWaterMarkOffset()) {
				pending = nil
				if !open {
					return false
				}
				continue
			}
			messages = nil // until there is room
		}
	}
}

// isWanted is wanted for those who do not hold the lock.
func (st *stream) isWanted() bool {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	return st.wanted()
}

// abandon ends a stream for which nobody came back.
func (st *stream) abandon() {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	if st.wanted() {
		return
	}
	for _, r := range st.riders {
		r.on = nil
	}
	st.riders = nil
	st.stop()
}

// gather takes what is there.
func gather(first *sarama.ConsumerMessage, more <-chan *sarama.ConsumerMessage) (records []*Record, open bool) {
	rec := newRecord(first)
	records = append(make([]*Record, 0, min(1+len(more), batchRecords)), rec)
	for bytes := rec.size; len(records) < batchRecords && bytes < batchBytes; bytes += rec.size {
		select {
		case m, ok := <-more:
			if !ok {
				return records, false
			}
			rec = newRecord(m)
			records = append(records, rec)
		default:
			return records, true
		}
	}
	return records, true
}

// prepare does for all riders what one of them wants done with new records. A panic
// ends it early, not the process: what is not prepared is read when it is needed,
// within a call of the Handler.
func (st *stream) prepare(records []*Record) {
	st.log.mu.Lock()
	var prepare func(*Record)
	for _, r := range st.riders {
		if prepare = r.prepare; prepare != nil {
			break
		}
	}
	st.log.mu.Unlock()
	if prepare == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			st.log.streamsOf.log.Error("preparing a record panicked", slog.String("topic", st.log.at.topic),
				slog.Int("partition", int(st.log.at.partition)), slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
		}
	}()
	for _, rec := range records {
		prepare(rec)
	}
}

// lose tells the riders that their next offset is not in the log.
func (st *stream) lose() {
	st.log.mu.Lock()
	defer st.log.mu.Unlock()
	for _, r := range st.riders {
		r.on, r.astray = nil, true
		select {
		case r.lost <- struct{}{}:
		default:
		}
	}
	st.riders = nil
	st.stop()
}
