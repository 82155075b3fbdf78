package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// complainEvery is the pace of log lines while spans are lost.
	complainEvery = time.Minute
	// lastTry is what a stop grants a collector that did not answer before.
	lastTry = 500 * time.Millisecond
)

// sink is the exporter with a log that stays readable and exact counts. Its
// errors end here: the library would print each of them.
type sink struct {
	exporter sdktrace.SpanExporter
	logger   *slog.Logger
	now      func() time.Time

	stop    context.Context // ends when nothing may be waited for any longer
	stopNow context.CancelFunc

	ended, exported prometheus.Counter

	mu         sync.Mutex // guards what follows
	failed     bool       // the last export did
	lost       int        // spans since the last line
	said       time.Time  // when that was
	complained time.Time  // the last line of complain
}

func newSink(cfg *Config) (*sink, error) {
	s := &sink{
		logger: cfg.Logger,
		now:    time.Now,
		ended: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kurier_tracing_spans_total", Help: "Spans that ended and were sampled.",
		}),
		exported: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kurier_tracing_exported_spans_total", Help: "Spans that the collector took; the others wait or are lost.",
		}),
	}
	s.stop, s.stopNow = context.WithCancel(context.Background())
	if cfg.Registerer == nil {
		return s, nil
	}
	for _, c := range []prometheus.Collector{s.ended, s.exported} {
		if err := cfg.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("otlp: register metrics: %w", err)
		}
	}
	return s, nil
}

// ExportSpans implements sdktrace.SpanExporter. It never fails.
func (s *sink) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stop, cancel)()
	err := s.exporter.ExportSpans(ctx, spans)
	if err == nil {
		s.exported.Add(float64(len(spans)))
		s.works()
		return nil
	}
	s.fails(err, len(spans))
	return nil
}

// Shutdown implements sdktrace.SpanExporter.
func (s *sink) Shutdown(ctx context.Context) error {
	defer s.stopNow()
	if err := s.exporter.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the exporter: %w", err)
	}
	return nil
}

// cut ends an export that is under way, and those that would follow.
func (s *sink) cut() { s.stopNow() }

func (s *sink) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *sink) works() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed {
		s.failed = false
		s.logger.Info("spans reach the collector again", "lost", s.lost)
		s.lost = 0
	}
}

// fails logs at most one line in complainEvery.
func (s *sink) fails(err error, spans int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	s.lost += spans
	if now := s.now(); s.said.IsZero() || now.Sub(s.said) >= complainEvery {
		s.logger.Warn("spans do not reach the collector; events are not affected", "lost", s.lost, "error", err)
		s.said, s.lost = now, 0
	}
}

// complain logs what the library has to say beyond failed exports, at the same
// pace.
func (s *sink) complain(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.complained.IsZero() || now.Sub(s.complained) >= complainEvery {
		s.logger.Warn("OpenTelemetry's library complains; events are not affected", "error", err)
		s.complained = now
	}
}

// counting counts the spans that are to be exported, before the queue which may
// have no room for them.
type counting struct{ s *sink }

// OnStart implements sdktrace.SpanProcessor.
func (counting) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (c counting) OnEnd(span sdktrace.ReadOnlySpan) {
	if span.SpanContext().IsSampled() {
		c.s.ended.Inc()
	}
}

// Shutdown implements sdktrace.SpanProcessor.
func (counting) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (counting) ForceFlush(context.Context) error { return nil }
