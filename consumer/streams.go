package consumer

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const (
	// fetchWait is how long Kafka holds a fetch that finds nothing. A partition
	// that is new to a reader waits for the end of the fetch under way.
	fetchWait = 250 * time.Millisecond
	// fetchBytes and responseBytes bound one fetch, of one partition and in all.
	// Larger records arrive all the same.
	fetchBytes    = 256 << 10
	responseBytes = 1 << 20
	// recentBytes is the memory for records that were handed out a moment ago, all
	// partitions together, and the bounds of what one partition gets of it.
	recentBytes    = int64(16 << 20)
	minRecentBytes = int64(16 << 10)
	maxRecentBytes = int64(512 << 10)
	// readerRest is how long a reader without partitions keeps its connections.
	readerRest = 10 * time.Second
)

var errStreamsClosed = errors.New("consumer: the Streams are closed")

// Streams reads partitions of one Kafka cluster for all consumers of a process:
// those that are at the same place of a partition share one fetch, one decoding
// and the memory of the records. Nobody waits for anybody: a consumer that takes
// its records more slowly leaves the stream and goes on with one of its own, and
// whoever catches up with another stream joins it.
//
//	Kafka -> reader -> stream -> rider -> engine
//	        (client)  (a place   (an assignment)
//	                   in a log)
//
// It knows no groups: offsets, order and isolation are the riders'. Safe for
// concurrent use.
type Streams struct {
	brokers []string
	config  *sarama.Config
	conns   *conns
	log     *slog.Logger

	open    atomic.Int64 // streams
	running sync.WaitGroup

	mu      sync.Mutex
	logs    map[topicPartition]*partitionLog
	readers []*reader
	closed  bool
}

type topicPartition struct {
	topic     string
	partition int32
}

// NewStreams makes Streams for the cluster with these bootstrap addresses, without
// any I/O. base is cloned. logger may be nil. Close it.
func NewStreams(brokers []string, base *sarama.Config, logger *slog.Logger) *Streams {
	cfg := *base
	cfg.Consumer.MaxProcessingTime = maxProcessingTime
	cfg.Consumer.MaxWaitTime = min(cfg.Consumer.MaxWaitTime, fetchWait)
	cfg.Consumer.Return.Errors = true
	cfg.Consumer.Fetch.Default = min(cfg.Consumer.Fetch.Default, fetchBytes)
	cfg.Consumer.Fetch.MaxBytes = min(cfg.Consumer.Fetch.MaxBytes, responseBytes)
	cfg.ChannelBufferSize = batchRecords
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Streams{brokers: brokers, config: &cfg, log: logger, logs: map[topicPartition]*partitionLog{}}
	s.conns = trackConns(&cfg)
	return s
}

// Close ends all reading, whatever Kafka does. Riders get nothing more.
func (s *Streams) Close() {
	s.mu.Lock()
	s.closed = true
	logs := s.logs
	readers := s.readers
	s.readers = nil
	for _, r := range readers {
		if r.idle != nil {
			r.idle.Stop()
		}
	}
	s.mu.Unlock()
	for _, l := range logs {
		l.mu.Lock()
		for _, st := range slices.Clone(l.streams) {
			st.stop()
		}
		l.mu.Unlock()
	}
	s.conns.close()
	s.running.Wait()
	for _, r := range readers {
		r.close() // again, for those that a stream has closed: no harm
	}
}

// ride begins to read a partition at an offset, once Resume is called. failed is
// told of errors, from any goroutine; it must not block.
func (s *Streams) ride(topic string, partition int32, from int64, failed func(error)) *rider {
	at := topicPartition{topic, partition}
	s.mu.Lock()
	l := s.logs[at]
	if l == nil {
		l = &partitionLog{streamsOf: s, at: at}
		s.logs[at] = l
	}
	l.users.Add(1)
	s.mu.Unlock()
	return &rider{
		log: l, next: from, failed: failed,
		batches: make(chan []*Record, riderBatches), lost: make(chan struct{}, 1), passed: make(chan struct{}, 1),
	}
}

// leave is the end of a rider's use of a log.
func (s *Streams) leave(l *partitionLog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users.Add(-1) == 0 {
		delete(s.logs, l.at)
	}
}

// begin counts a stream that is about to run; false when all is closed.
func (s *Streams) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open.Add(1)
	s.running.Add(1)
	return true
}

func (s *Streams) end() {
	s.open.Add(-1)
	s.running.Done()
}

// recentShare is how much a stream may keep for others to join it.
func (s *Streams) recentShare() int64 {
	return max(min(recentBytes/max(s.open.Load(), 1), maxRecentBytes), minRecentBytes)
}

// reader is one client with its connections. A client reads a partition at one
// place at a time, so a second stream of a partition needs another reader.
type reader struct {
	reads map[topicPartition]bool // guarded by Streams.mu
	idle  *time.Timer

	once     sync.Once
	client   sarama.Client
	consumer sarama.Consumer
	err      error
}

// acquire finds a reader that does not read this partition, or makes one. Its
// connection is made by connect.
func (s *Streams) acquire(at topicPartition) (*reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errStreamsClosed
	}
	for _, r := range s.readers {
		if !r.reads[at] {
			r.reads[at] = true
			if r.idle != nil {
				r.idle.Stop()
				r.idle = nil
			}
			return r, nil
		}
	}
	r := &reader{reads: map[topicPartition]bool{at: true}}
	s.readers = append(s.readers, r)
	return r, nil
}

// release gives a reader back. One that is broken is not used for anything new.
func (s *Streams) release(r *reader, at topicPartition, broken bool) {
	s.mu.Lock()
	delete(r.reads, at)
	if broken {
		s.drop(r)
	}
	unused := len(r.reads) == 0
	rests := unused && slices.Contains(s.readers, r)
	if rests {
		r.idle = time.AfterFunc(readerRest, func() { s.expire(r) })
	}
	s.mu.Unlock()
	if unused && !rests {
		r.close()
	}
}

// expire closes a reader that nobody needed for a while.
func (s *Streams) expire(r *reader) {
	s.mu.Lock()
	rested := len(r.reads) == 0 && r.idle != nil && s.drop(r)
	s.mu.Unlock()
	if rested {
		r.close()
	}
}

// drop takes a reader out of the list and says whether it was there; locked.
func (s *Streams) drop(r *reader) bool {
	n := len(s.readers)
	s.readers = slices.DeleteFunc(s.readers, func(o *reader) bool { return o == r })
	return len(s.readers) < n
}

// connect makes the client at its first use; the error stays, and the reader is
// broken then.
func (r *reader) connect(s *Streams) error {
	r.once.Do(func() {
		if r.client, r.err = sarama.NewClient(s.brokers, s.config); r.err != nil {
			return
		}
		if r.consumer, r.err = sarama.NewConsumerFromClient(r.client); r.err != nil {
			_ = r.client.Close() // it has not been used
			r.client = nil
		}
	})
	return r.err
}

func (r *reader) close() {
	r.once.Do(func() { r.err = errStreamsClosed })
	if r.client != nil && !r.client.Closed() {
		_ = r.consumer.Close() // it reads nothing any more
		_ = r.client.Close()   // what it says is about connections that nobody uses
	}
}
