package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"kurier.dev/kurier/internal/tracing/otlp"
)

// flushTime bounds what a stop waits for the collector.
const flushTime = 2 * time.Second

// openTracing makes the tracer when a collector is named. It stops behind all
// that makes spans.
func (p *process) openTracing(ctx context.Context, stop *stopper) error {
	if !p.config.traces() {
		return nil
	}
	provider, err := otlp.New(ctx, otlp.Config{
		URL:     p.config.tracesURL(),
		Sampler: p.config.TracesSampler, SamplerArg: p.config.TracesSamplerArg,
		ServiceName: p.config.ServiceName, Instance: p.config.InstanceName, Attributes: p.config.ResourceAttributes,
		Logger: p.logger, Registerer: p.registry,
	})
	if err != nil {
		return fmt.Errorf("tracing cannot be started: %w", err)
	}
	p.tracer = provider.Tracer()
	stop.add(func(hard context.Context) error {
		ctx, cancel := within(hard, min(flushTime, p.config.ShutdownTimeout.Std()))
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			p.logger.Warn("the last spans did not reach the collector", "reason", err)
		}
		return nil
	})
	return nil
}

// traces tells whether spans are wanted.
func (c *Config) traces() bool {
	return c.OTLPEndpoint+c.OTLPTracesEndpoint != "" && !strings.EqualFold(c.TracingDisabled, "true") && c.TracesExporter != "none"
}

// tracesURL is where spans are sent.
func (c *Config) tracesURL() string {
	if c.OTLPTracesEndpoint != "" {
		return c.OTLPTracesEndpoint
	}
	return strings.TrimSuffix(c.OTLPEndpoint, "/") + "/v1/traces"
}

// checkTracing returns what is wrong with the variables of tracing. Those that
// nobody uses may be anything: they are often set for all processes of a host.
func (c *Config) checkTracing() []string {
	var problems []string
	refuse := func(name, value, want string) {
		problems = append(problems, fmt.Sprintf("%s=%q: %s", name, value, want))
	}
	if v := c.TracingDisabled; v != "" && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
		refuse("OTEL_SDK_DISABLED", v, "allowed: true, false")
	}
	if !c.traces() {
		return problems
	}
	if c.TracesExporter != "" && c.TracesExporter != "otlp" {
		refuse("OTEL_TRACES_EXPORTER", c.TracesExporter, "allowed: otlp, none")
	}
	for _, v := range [][2]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", c.OTLPEndpoint}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.OTLPTracesEndpoint},
	} {
		if v[1] != "" && !isCollector(v[1]) {
			refuse(v[0], v[1], "allowed: an http or https URL with a host and without user, for example http://collector:4318 "+
				"(a password belongs into OTEL_EXPORTER_OTLP_HEADERS)")
		}
	}
	for _, v := range [][2]string{
		{"OTEL_EXPORTER_OTLP_PROTOCOL", c.OTLPProtocol}, {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", c.OTLPTracesProtocol},
	} {
		if v[1] != "" && v[1] != "http/protobuf" && v[1] != "http/json" {
			refuse(v[0], v[1], "allowed: http/protobuf, http/json (a collector takes them on port 4318)")
		}
	}
	if _, err := otlp.NewSampler(c.TracesSampler, c.TracesSamplerArg); errors.Is(err, otlp.ErrRatio) {
		refuse("OTEL_TRACES_SAMPLER_ARG", c.TracesSamplerArg, err.Error())
	} else if err != nil {
		refuse("OTEL_TRACES_SAMPLER", c.TracesSampler, err.Error())
	}
	if _, err := otlp.ParseAttributes(c.ResourceAttributes); err != nil {
		refuse("OTEL_RESOURCE_ATTRIBUTES", c.ResourceAttributes, err.Error())
	}
	return problems
}

func isCollector(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Hostname() != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https")
}
