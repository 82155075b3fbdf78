package consumer

import (
	"sync"

	"github.com/IBM/sarama"
)

const (
	// recordOverhead is what a record costs in memory beside its bytes, with its view
	// and its place in the engine.
	recordOverhead = 1000
	// headerOverhead is what each of its headers costs beside its bytes.
	headerOverhead = 32
)

// Record is one record of Kafka, in memory of its own. All consumers of a
// process that read its partition at the same pace share it, so nobody may
// change it or write into its bytes.
type Record struct {
	*sarama.ConsumerMessage
	size int64 // bytes accounted to a Buffer

	once sync.Once
	view any
}

// newRecord moves the bytes of a fetched record to memory of their own. Records
// of one fetch share its response: without this, a hundred records in flight
// could keep a hundred responses alive, which no Buffer would know of.
func newRecord(rec *sarama.ConsumerMessage) *Record {
	n := len(rec.Key) + len(rec.Value)
	for _, h := range rec.Headers {
		n += len(h.Key) + len(h.Value)
	}
	buf := make([]byte, 0, n)
	move := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(buf)
		buf = append(buf, b...)
		return buf[start:len(buf):len(buf)]
	}
	rec.Key, rec.Value = move(rec.Key), move(rec.Value)
	for _, h := range rec.Headers {
		h.Key, h.Value = move(h.Key), move(h.Value)
	}
	return &Record{ConsumerMessage: rec, size: int64(n + recordOverhead + headerOverhead*len(rec.Headers))}
}

// View is what read makes of the record, made by the first who asks and shared
// by all: what is costly to read is read once, not once for each consumer of the
// partition. Everybody has to ask with a read that gives the same, and nobody
// may change the result. Safe for concurrent use.
func (r *Record) View(read func(*sarama.ConsumerMessage) any) any {
	r.once.Do(func() { r.view = read(r.ConsumerMessage) })
	return r.view
}

// recordQueue is a FIFO of records that were fetched and not yet admitted. It
// keeps them in the batches in which they came, which consumers share.
type recordQueue struct {
	batches [][]*Record // none is empty
	n       int
	bytes   int64
}

// push appends records, in offset order.
func (q *recordQueue) push(records []*Record, bytes int64) {
	q.batches = append(q.batches, records)
	q.n += len(records)
	q.bytes += bytes
}

// head is the first record, nil when there is none.
func (q *recordQueue) head() *Record {
	if q.n == 0 {
		return nil
	}
	return q.batches[0][0]
}

// pop removes the first record.
func (q *recordQueue) pop() *Record {
	first := q.batches[0]
	rec := first[0]
	if len(first) > 1 {
		q.batches[0] = first[1:]
	} else {
		q.batches[0] = nil
		q.batches = q.batches[1:]
	}
	q.n--
	q.bytes -= rec.size
	return rec
}

// sizeOf is the memory of some records.
func sizeOf(records []*Record) (bytes int64) {
	for _, rec := range records {
		bytes += rec.size
	}
	return bytes
}
