package dispatcher

import (
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
)

// stage is what an event needs next. It only goes forward, but for changed
// settings (see adopt).
type stage int

const (
	atSubscriber stage = iota
	atReply
	atDeadLetter
	settled
)

// progress is what is kept of an event between two calls of the handler, in
// consumer.Delivery.State. Lost at a restart, when the subscriber is called again.
type progress struct {
	settings *settings // of the latest call
	stage    stage
	tries    int // attempts made in this stage, subscriber excepted
	holds    int // attempts made since the dead letter is held; 0: not held
	failure  *failure
	reply    *reply
	trim     trim // what the dead letter has lost so far
}

// failure is why an event goes to the dead letters.
type failure struct {
	dest      string // the URL that failed
	code      int
	reason    Reason
	body      []byte
	headers   []event.Header // of the last response, as received
	retryable bool
	ofReply   bool  // the subscriber accepted, the reply did not reach its place
	err       error // for texts
}

// reply is an event that a subscriber answered, on its way.
type reply struct {
	event *event.Message
	size  int
	held  *atomic.Int64 // the budget that counts it, nil while it counts in none
	stop  runtime.Cleanup
}

// reserve counts a reply that has to wait against the process's budget, and
// reports whether there was room. A revoke forgets deliveries without a call, so
// the garbage collector gives back what release does not.
func (r *reply) reserve(budget *atomic.Int64) bool {
	if r.held != nil {
		return true
	}
	if budget.Add(-int64(r.size)) < 0 {
		budget.Add(int64(r.size))
		return false
	}
	r.held = budget
	r.stop = runtime.AddCleanup(r, func(size int) { budget.Add(int64(size)) }, r.size)
	return true
}

func (r *reply) release() {
	if r != nil && r.held != nil {
		r.stop.Stop()
		r.held.Add(int64(r.size))
		r.held = nil
	}
}

// delivery is one call's view of an event.
type delivery struct {
	*consumer.Delivery
	*progress
	event *event.Message // see view
	ttl   int
	hops  bool
	// outcome of this call, once the event is settled.
	outcome outcome
	err     error
	begun   time.Time // of this call
}

// open reads the record. first tells whether this process sees it for the first
// time.
func (p *pipeline) open(d *consumer.Delivery, s *settings) (v *delivery, first bool) {
	v = &delivery{Delivery: d, begun: time.Now()}
	kept, ok := d.State.(*progress)
	if !ok {
		kept, first = &progress{settings: s}, true
		d.State = kept
	}
	v.progress = kept
	read := p.view(d, s)
	v.event, v.ttl, v.hops = read.event, read.ttl, read.hops
	if read.err != nil {
		v.err, v.stage = read.err, atDeadLetter
	}
	return v, first
}

// view is a record's event as filters and subscribers see it. It is the same for
// all subscriptions and shared by them, so nobody changes it.
type view struct {
	event *event.Message // with position, without TTL; nil: not a CloudEvent
	ttl   int            // what the event had left, or the default for a Broker's
	hops  bool           // the event carried a TTL
	err   error          // why it is not a CloudEvent, a *event.NotCloudEventError
}

// view reads the record, once for all subscriptions that get it. Only what other
// programs wrote is read in a way of the subscription's own.
func (p *pipeline) view(d *consumer.Delivery, s *settings) *view {
	if d.Shared == nil || s.Records != nil {
		return p.readView(d.Record, s.read)
	}
	return p.sharedView(d.Shared)
}

// prepare reads a record's event ahead of the workers.
func (p *pipeline) prepare(rec *consumer.Record) {
	if p.settings.Load().Records == nil {
		p.sharedView(rec)
	}
}

func (p *pipeline) sharedView(rec *consumer.Record) *view {
	return rec.View(func(rec *sarama.ConsumerMessage) any { return p.readView(rec, event.FromRecord) }).(*view) //nolint:forcetypeassert // nobody else asks
}

func (p *pipeline) readView(rec *sarama.ConsumerMessage, read func(*sarama.ConsumerMessage) (*event.Message, error)) *view {
	m, err := read(rec)
	if err != nil {
		var not *event.NotCloudEventError
		if !errors.As(err, &not) {
			err = &event.NotCloudEventError{Err: err}
		}
		return &view{err: err}
	}
	v := &view{event: m}
	v.ttl, v.hops = p.takeTTL(m)
	if p.cfg.AddKafkaPosition {
		m.Set(event.KafkaPartition, strconv.Itoa(int(rec.Partition)))
		m.Set(event.KafkaOffset, strconv.FormatInt(rec.Offset, 10))
	}
	return v
}

// takeTTL removes the hop limit and returns it (DP-49): neither filter nor
// subscriber see it.
func (p *pipeline) takeTTL(m *event.Message) (ttl int, present bool) {
	text, present := m.Get(event.BrokerTTL)
	if !present {
		return p.cfg.BrokerTTL, false
	}
	m.Delete(event.BrokerTTL)
	ttl, err := strconv.Atoi(text)
	if err != nil {
		return p.cfg.BrokerTTL, false
	}
	return ttl, true
}

// source names the record for people: topic/partition/offset.
func source(rec *sarama.ConsumerMessage) string {
	return rec.Topic + "/" + strconv.Itoa(int(rec.Partition)) + "/" + strconv.FormatInt(rec.Offset, 10)
}
