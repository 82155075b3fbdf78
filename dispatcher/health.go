package dispatcher

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"kurier.dev/kurier/internal/event"
)

const (
	// summaryEvery is the pace of log lines while a subscription fails.
	summaryEvery = 10 * time.Second
	// warnings per second for events that did not reach their subscriber.
	warnings = 10
	// shownBody is how much of a response's body a status shows.
	shownBody = 200
)

// health knows how a subscription does: for its status, and for a log that stays
// readable while everything fails. Safe for concurrent use.
type health struct {
	logger *slog.Logger

	lastSuccess atomic.Int64 // Unix nanoseconds
	failing     atomic.Bool  // read before mu is taken: success costs no lock

	mu          sync.Mutex
	lastFailure *Failure
	lastError   error
	since       time.Time // first failure after the last success
	failures    int       // since then
	summed      int       // failures since the last log line
	announced   bool      // the log knows that it fails
	first       *rate.Limiter
	timer       *time.Timer // runs while there is something to sum up
	closed      bool

	warned  *rate.Limiter
	leftOut int // warnings not logged since the last one

	sink *sinkTrouble // nil: healthy
}

// sinkTrouble is why dead letters are held.
type sinkTrouble struct {
	url   string
	code  int
	text  string
	since time.Time
}

// Failure is the latest attempt that failed, at the subscriber or at the reply's
// place.
type Failure struct {
	Time        time.Time
	EventID     string
	EventSource string
	Topic       string
	Partition   int32
	Offset      int64
	Attempt     int // from 1
	URL         string
	Code        int // 0: no response
	Reason      string
	Body        string // its first 200 bytes
}

func newHealth(logger *slog.Logger) *health {
	return &health{
		logger: logger,
		first:  rate.NewLimiter(rate.Every(summaryEvery), 1),
		warned: rate.NewLimiter(warnings, warnings),
	}
}

// failed notes a failed attempt: a line for the first one, then a sum.
func (h *health) failed(v *delivery, err error, attempt int) {
	f := newStatusFailure(v, err, attempt)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.failing.Load() {
		h.since, h.failures = f.Time, 0
		h.failing.Store(true)
	}
	h.lastFailure, h.lastError = f, err
	h.failures++
	if !h.announced && h.first.Allow() {
		h.announced = true
		h.logger.Warn("delivery fails", append(f.attrs(), slog.String("error", err.Error()))...)
	} else {
		h.summed++
	}
	h.arm()
}

// succeeded notes a delivered event.
func (h *health) succeeded() {
	h.lastSuccess.Store(time.Now().UnixNano())
	if !h.failing.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.failing.CompareAndSwap(true, false) {
		return
	}
	if h.announced {
		h.announced, h.summed = false, 0
		h.logger.Info("delivery works again", "failures", h.failures, "failedFor", time.Since(h.since))
	}
}

// arm starts the clock for the next summary. The lock is held.
func (h *health) arm() {
	if h.timer == nil && !h.closed {
		h.timer = time.AfterFunc(summaryEvery, h.tick)
	}
}

// tick logs what was not logged one by one, and goes on as long as there is any.
func (h *health) tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = nil
	if h.closed {
		return
	}
	again := h.failing.Load()
	if h.summed > 0 {
		f := h.lastFailure
		h.logger.Warn("delivery fails", append(f.attrs(),
			slog.Int("failures", h.summed), slog.Duration("within", summaryEvery),
			slog.String("error", h.lastError.Error()))...)
		h.summed, again = 0, true
		h.announced = h.failing.Load()
	}
	if h.leftOut > 0 {
		h.logger.Warn("more events did not reach their subscriber than are logged one by one", "leftOut", h.leftOut)
		h.leftOut, again = 0, true
	}
	if again {
		h.arm()
	}
}

// warn logs an event that did not reach its subscriber, at most ten a second.
func (h *health) warn(v *delivery, o outcome, err error, more ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.warned.Allow() {
		h.leftOut++
		h.arm()
		return
	}
	for _, attr := range v.line(o, err) {
		more = append(more, attr)
	}
	if h.leftOut > 0 {
		more = append(more, slog.Int("leftOut", h.leftOut))
		h.leftOut = 0
	}
	h.logger.Warn("an event did not reach its subscriber", more...)
}

// filterFailed: the event counts as one that does not match (FI-23).
func (h *health) filterFailed(v *delivery, err error) {
	h.warn(v, outcomeFiltered, err)
}

// sinkFails: dead letters are held because of it.
func (h *health) sinkFails(g grave, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	since := time.Now()
	if h.sink != nil {
		since = h.sink.since
	}
	h.sink = &sinkTrouble{url: g.to.URL, text: err.Error(), since: since}
	if attempt := asAttempt(err); attempt != nil {
		h.sink.code = attempt.Code
	}
}

func (h *health) sinkWorks() {
	h.mu.Lock()
	h.sink = nil
	h.mu.Unlock()
}

// close stops the clock.
func (h *health) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

func newStatusFailure(v *delivery, err error, attempt int) *Failure {
	f := &Failure{
		Time: time.Now(), Attempt: attempt,
		Topic: v.Record.Topic, Partition: v.Record.Partition, Offset: v.Record.Offset,
	}
	f.EventID, _ = v.event.Get(event.ID)
	f.EventSource, _ = v.event.Get(event.Source)
	f.Reason = string(ReasonConnection)
	if a := asAttempt(err); a != nil {
		f.URL, f.Code, f.Reason = a.URL, a.Code, string(a.Reason)
		f.Body = string(a.Body[:min(len(a.Body), shownBody)])
	}
	return f
}

func (f *Failure) attrs() []any {
	attrs := []any{
		slog.String("url", f.URL),
		slog.Int("attempt", f.Attempt),
		slog.String("eventId", f.EventID),
		slog.String("topic", f.Topic),
		slog.Int("partition", int(f.Partition)),
		slog.Int64("offset", f.Offset),
	}
	if f.Code != 0 {
		return append(attrs, slog.Int("code", f.Code))
	}
	return append(attrs, slog.String("reason", f.Reason))
}
