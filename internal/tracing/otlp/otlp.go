// Package otlp makes the tracer whose spans go to an OpenTelemetry collector,
// over HTTP.
//
// It refuses to hold up events: a span that finds the queue full is lost, a
// collector that is away costs a line in the log now and then and nothing else.
// What it is not told it does not look up, but for the exporter's own variables
// (headers, certificates, compression, timeouts, sizes of queue and batch),
// which OpenTelemetry's library reads by itself.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/internal/tracing"
)

// DefaultServiceName is the service.name of a process that was given none.
const DefaultServiceName = "kurier"

// Config of a Provider.
type Config struct {
	// URL takes the spans: http or https, with its path. Required.
	URL string
	// Sampler and SamplerArg are OTEL_TRACES_SAMPLER and its argument; empty:
	// parentbased_always_on.
	Sampler, SamplerArg string
	// ServiceName, Instance and Attributes (key=value, comma-separated,
	// percent-encoded) tell whose spans these are. A ServiceName given here
	// counts more than one among the Attributes.
	ServiceName, Instance, Attributes string

	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
}

// Provider makes spans and sends them. Shut it down.
type Provider struct {
	sdk   *sdktrace.TracerProvider
	queue sdktrace.SpanProcessor
	sink  *sink
}

// New returns a Provider; it does not ask whether the collector is there. The
// error names the field of cfg that is wrong.
func New(ctx context.Context, cfg Config) (*Provider, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sampler, err := NewSampler(cfg.Sampler, cfg.SamplerArg)
	if err != nil {
		return nil, fmt.Errorf("otlp: Config.Sampler: %w", err)
	}
	attributes, err := ParseAttributes(cfg.Attributes)
	if err != nil {
		return nil, fmt.Errorf("otlp: Config.Attributes: %w", err)
	}
	whose, err := whoseSpans(ctx, &cfg, attributes)
	if err != nil {
		return nil, err
	}
	sink, err := newSink(&cfg)
	if err != nil {
		return nil, err
	}
	quieten(sink)
	if sink.exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.URL)); err != nil {
		return nil, fmt.Errorf("otlp: make the exporter: %w", err)
	}
	queue := sdktrace.NewBatchSpanProcessor(sink)
	return &Provider{sink: sink, queue: queue, sdk: sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sampler), sdktrace.WithResource(whose),
		sdktrace.WithSpanProcessor(counting{sink}), sdktrace.WithSpanProcessor(queue),
	)}, nil
}

// whoseSpans is the resource. What stands later counts more.
func whoseSpans(ctx context.Context, cfg *Config, attributes []attribute.KeyValue) (*resource.Resource, error) {
	named := []attribute.KeyValue{semconv.ServiceName(DefaultServiceName)}
	if cfg.Instance != "" {
		named = append(named, semconv.ServiceInstanceID(cfg.Instance))
	}
	named = append(named, attributes...)
	if cfg.ServiceName != "" {
		named = append(named, semconv.ServiceName(cfg.ServiceName))
	}
	whose, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(named...))
	if err != nil {
		return nil, fmt.Errorf("otlp: describe this process: %w", err)
	}
	return whose, nil
}

// quieten turns what OpenTelemetry's library would print itself into lines of
// the sink, which are few. The library has one place for it per process.
func quieten(s *sink) {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(s.complain))
	otel.SetLogger(logr.FromSlogHandler(s.logger.Handler()))
}

// Tracer makes Kurier's spans.
func (p *Provider) Tracer() trace.Tracer { return p.sdk.Tracer(tracing.Scope) }

// Shutdown sends what has ended, until ctx ends. Spans that end later are lost.
// A collector that was not there a moment ago is not waited for.
func (p *Provider) Shutdown(ctx context.Context) error {
	if p.sink.failing() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lastTry)
		defer cancel()
	}
	// The queue is told itself: the SDK leaves it running when ctx has ended.
	err := p.queue.Shutdown(ctx)
	p.sink.cut()
	if err = errors.Join(err, p.sdk.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	return nil
}
