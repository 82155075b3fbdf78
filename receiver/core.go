package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/event"
)

// request is what the core knows of an HTTP request. Its strings may be views
// that are valid only until the core has answered.
type request struct {
	method          string
	target          string // raw, as on the request line
	host            string
	contentType     string
	contentEncoding string
	origin          string // WebHook-Request-Origin
	headers         event.HeaderSeq
	length          int64     // declared, -1 when the body is chunked
	body            io.Reader // ends with io.EOF where the body does
	deadline        *deadline // of its connection
	ingress         *ingress  // nil: nobody wants spans
}

// Seconds that a refused client is asked to wait.
const (
	retryBusy  = 1 // room comes back with each acknowledgement
	retryKafka = 5
)

// handle decides the answer to a request. The order of its checks is part of
// the contract: method, route, budget, headers, body, event, Kafka.
func (r *Receiver) handle(req *request) answer {
	switch req.method {
	case "OPTIONS":
		return r.options(req)
	case "POST":
	default:
		return problem(405, fmt.Sprintf("method %s is not allowed, want POST", shorten(req.method)))
	}
	e, a := r.routes.Load().find(req.target, req.host)
	if e != nil {
		if r.cfg.Tracer == nil {
			a = r.store(e, req)
		} else {
			a = r.traced(e, req)
		}
		a.route = e
	}
	return a
}

// store reads the event or batch of a request and stores it.
func (r *Receiver) store(e *entry, req *request) answer {
	if r.draining.Load() {
		a := busy(503, retryBusy, "this instance is shutting down, send the event again")
		a.close = true
		return a
	}
	if e.Unavailable != "" {
		return busy(503, retryKafka, e.Unavailable)
	}
	mode, modeErr := event.ModeOf(req.contentType, req.headers)
	limit := r.bodyLimit(e, mode)
	l, ok := r.budget.take(headBytes + memoryOf(firstRoom(req.length, limit), mode))
	if !ok {
		return tooBusy
	}
	defer l.release()
	if enc := req.contentEncoding; enc != "" && !strings.EqualFold(enc, "identity") {
		return problem(415, fmt.Sprintf("Content-Encoding %q is not supported, want none or identity", shorten(enc)))
	}
	if modeErr != nil {
		return rejected(modeErr)
	}
	body, a := readBody(req, l, limit, mode)
	if a.status != 0 {
		return a
	}
	if mode == event.Batch {
		return r.storeBatch(e, req, body, l)
	}
	return r.storeOne(e, req, mode, body, l)
}

var tooBusy = busy(429, retryBusy, "too many events are waiting for Kafka, send the event again later")

// rejected answers what internal/event says is wrong with a request.
func rejected(err error) answer {
	if unsupported := (*event.UnsupportedError)(nil); errors.As(err, &unsupported) {
		return problem(415, err.Error())
	}
	return problem(400, err.Error())
}

func (r *Receiver) storeOne(e *entry, req *request, mode event.Mode, body []byte, l *lease) answer {
	m, err := parse(req, mode, body)
	if err != nil {
		return rejected(err)
	}
	rec, a := r.record(e, m)
	if a.status != 0 {
		return a
	}
	ctx := req.deadline.start(r.ctx, r.cfg.ProduceTimeout)
	defer req.deadline.stop()
	start := time.Now()
	l.hold()
	err = e.producer(req).Produce(ctx, rec, l.done)
	e.metrics.produced(time.Since(start))
	return r.stored(e, err)
}

func parse(req *request, mode event.Mode, body []byte) (*event.Message, error) {
	if mode == event.Binary {
		return event.FromBinary(req.headers, body)
	}
	m, err := event.FromStructured(body)
	if err != nil {
		return nil, err
	}
	m.Headers = event.PassThrough(req.headers)
	return m, nil
}

// record makes an event's record, with the attributes that a Broker adds. A
// non-zero answer says why it cannot be stored.
func (r *Receiver) record(e *entry, m *event.Message) (*sarama.ProducerMessage, answer) {
	if e.Kind == Broker {
		ttl, detail := hop(m, r.cfg.BrokerTTL)
		if detail != "" {
			return nil, problem(400, detail)
		}
		text := r.newTTL
		if ttl != r.cfg.BrokerTTL {
			text = strconv.Itoa(ttl)
		}
		m.Set(event.BrokerTTL, text)
		m.Set(event.ArrivalTime, r.cfg.Now().UTC().Format(time.RFC3339Nano))
	}
	rec, err := m.Record(e.Topic, e.Structured)
	if err != nil {
		return nil, rejected(err)
	}
	if size := event.RecordSize(rec); size > e.limit {
		return nil, problem(413, fmt.Sprintf("the event has %d bytes with its attributes, at most %d are allowed", size, e.limit))
	}
	return rec, answer{}
}

// hop is the number of Brokers that an event may still pass, this one counted.
// What is absent or no integer counts as new. A detail tells that it is used up.
func hop(m *event.Message, start int) (ttl int, detail string) {
	value, ok := m.Get(event.BrokerTTL)
	if !ok {
		return start, ""
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return start, ""
	}
	if n <= 1 {
		return 0, fmt.Sprintf("%s %q is used up: the event has passed too many Brokers, is there a loop of replies?", event.BrokerTTL, value)
	}
	return n - 1, ""
}

// stored is the answer to the outcome of a produce.
func (r *Receiver) stored(e *entry, err error) answer {
	switch {
	case err == nil:
		return answer{status: 202}
	case errors.Is(err, sarama.ErrMessageSizeTooLarge):
		return problem(413, fmt.Sprintf("Kafka refused the event as too large for topic %q", e.Topic))
	}
	r.warn(e, err)
	if errors.Is(err, context.DeadlineExceeded) {
		return busy(503, retryKafka, fmt.Sprintf("Kafka did not acknowledge the event within %v; "+
			"it may be stored or not, send it again", r.cfg.ProduceTimeout))
	}
	if errors.Is(err, context.Canceled) {
		a := busy(503, retryBusy, "this instance is shutting down; the event may be stored or not, send it again")
		a.close = true
		return a
	}
	return busy(503, retryKafka, fmt.Sprintf("Kafka did not take the event: %v; send it again", err))
}
