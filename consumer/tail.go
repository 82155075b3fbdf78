package consumer

import (
	"time"

	"github.com/IBM/sarama"
)

const (
	// tailEvery is how often a stream to which nothing comes looks at the end of its
	// log, and maxTailRest how many of these looks it leaves out when it found nothing
	// to learn.
	tailEvery   = 2 * time.Second
	maxTailRest = 16
)

// tail finds out that a log ends with offsets that hold no record: markers of
// transactions, and batches that compaction has emptied. The Kafka client passes
// over them and says nothing, so that a stream would stay before them, its riders
// would seem to lag, and their committed offset would not reach the end. When a
// stream is quiet although its log goes on, tail fetches what is there by itself,
// and the stream goes as far as Kafka shows that there is no record.
//
// Its methods are called by the stream's goroutine.
type tail struct {
	st      *stream
	reader  *reader
	ticks   *time.Ticker
	answers chan int64 // the offset up to which there is no record
	asking  bool
	from    int64 // the stream's place at the last look
	misses  int   // questions about it that told nothing
	rest    int   // looks to leave out
}

func newTail(st *stream, r *reader) *tail {
	return &tail{st: st, reader: r, ticks: time.NewTicker(tailEvery), answers: make(chan int64, 1), from: -1}
}

// close waits for an answer under way: its reader is then free for others.
func (t *tail) close() {
	t.ticks.Stop()
	if t.asking {
		<-t.answers
	}
}

// look asks what is between the stream and the log's end when nothing came since
// the last look.
func (t *tail) look(end int64) {
	next := t.st.sees(end)
	switch {
	case t.asking || end <= next:
	case next != t.from:
		t.from, t.misses, t.rest = next, 0, 0
	case t.rest > 0:
		t.rest--
	default:
		t.asking = true
		go func() { t.answers <- t.reader.emptyTo(t.st.log.at, next) }()
	}
}

// hear takes the answer.
func (t *tail) hear(to int64) {
	t.asking = false
	if to > t.from {
		t.st.pass(t.from, to)
		return
	}
	t.misses++
	t.rest = min(1<<min(t.misses, 10), maxTailRest)
}

// emptyTo fetches what is at an offset and tells up to where it holds no record: the
// same offset when there is one, or when it cannot be told.
func (r *reader) emptyTo(at topicPartition, from int64) int64 {
	broker, err := r.client.Leader(at.topic, at.partition)
	if err != nil {
		return from
	}
	req := &sarama.FetchRequest{
		Version: 11, MinBytes: 1, MaxBytes: responseBytes, SessionEpoch: -1,
		Isolation: r.client.Config().Consumer.IsolationLevel,
	}
	req.AddBlock(at.topic, at.partition, from, fetchBytes, -1)
	resp, err := broker.Fetch(req)
	if err != nil {
		return from
	}
	block := resp.GetBlock(at.topic, at.partition)
	if block == nil || block.Err != sarama.ErrNoError {
		return from
	}
	return noRecordUntil(block.RecordsSet, from)
}

// noRecordUntil is the first offset from one on that may hold a record. Only batches
// that Kafka sent whole tell something: they come without a gap, so what is between
// them holds none. An empty answer tells nothing, since some brokers answer so when
// they have no time; that Kafka's compaction keeps the last batch of a log, empty if
// need be, is what makes this enough.
func noRecordUntil(sets []*sarama.Records, from int64) int64 {
	for _, set := range sets {
		b := set.RecordBatch
		if b == nil || b.PartialTrailingRecord {
			return from
		}
		if !b.Control {
			for _, rec := range b.Records {
				if offset := b.FirstOffset + rec.OffsetDelta; offset >= from {
					return offset
				}
			}
		}
		from = max(from, b.LastOffset()+1)
	}
	return from
}
