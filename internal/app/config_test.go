package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoadConfigDefaults(t *testing.T) {
	config, err := LoadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if config.IngressPort != 8080 || config.AdminPort != 9090 || config.BrokerTTL != 255 {
		t.Errorf("ports and hops: got %d, %d, %d", config.IngressPort, config.AdminPort, config.BrokerTTL)
	}
	if got := config.DeliveryTimeout.Std(); got != 10*time.Minute {
		t.Errorf("DELIVERY_TIMEOUT: got %s", got)
	}
	if config.DeadLetterRetention != Forever || config.DeadLetterRetention.Milliseconds() != "-1" {
		t.Errorf("DEAD_LETTER_RETENTION: got %s", config.DeadLetterRetention)
	}
	if config.InstanceName == "" {
		t.Error("INSTANCE_NAME: want the host's name")
	}
}

// Each variable is set wrong in turn; the error names it, its value and what
// is allowed.
func TestLoadConfigNamesTheBadVariable(t *testing.T) {
	for variable, bad := range map[string]struct{ value, want string }{
		"KAFKA_BOOTSTRAP_SERVERS":    {"kafka", "host:port"},
		"INGRESS_PORT":               {"eighty", "whole number"},
		"ADMIN_PORT":                 {"70000", "65535"},
		"INGRESS_URL":                {"receiver:8080", "http://receiver:8080"},
		"ADMIN_URL":                  {"9090", "http or https"},
		"STRICT_MANIFESTS":           {"perhaps", "true, false"},
		"SERVICE_URLS":               {"orders=http://o", "namespace/name=URL"},
		"SERVICE_URL_TEMPLATE":       {"{name}", "http://{name}:8080"},
		"DELIVERY_TIMEOUT":           {"30s", "PT30S"},
		"PRODUCE_TIMEOUT":            {"PT0S", "more than PT0S"},
		"DEAD_LETTER_RETENTION":      {"7d", "-1 for unlimited"},
		"RETRY_JITTER":               {"2", "0 to 1"},
		"MAX_EVENT_BYTES":            {"12", "at least 8192"},
		"MAX_INFLIGHT_BYTES":         {"1024", "at least 1048576"},
		"BROKER_TTL":                 {"0", "at least 1"},
		"DELIVERY_CONCURRENCY":       {"0", "at least 1"},
		"DEFAULT_DELIVERY":           {"{retry: -1}", "retry"},
		"DEAD_LETTER_TOPIC_TEMPLATE": {"{{.Nothing}}", "ConsumerGroup"},
		"LOG_LEVEL":                  {"loud", "debug, info, warn, error"},
		"LOG_FORMAT":                 {"xml", "text, json"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, bad.value)
			_, err := LoadConfig()
			var env *EnvError
			if !errors.As(err, &env) || env.ExitCode() != 2 {
				t.Fatalf("got %v, want an EnvError with exit status 2", err)
			}
			for _, part := range []string{variable, bad.value, bad.want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// What concerns tracing is checked when spans are wanted, and only then: these
// variables are often set for every process of a host.
func TestLoadConfigChecksTracing(t *testing.T) {
	for variable, bad := range map[string]struct{ value, want string }{
		"OTEL_EXPORTER_OTLP_ENDPOINT":        {"collector:4318", "http://collector:4318"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {"http://me:secret@collector", "OTEL_EXPORTER_OTLP_HEADERS"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":        {"grpc", "http/protobuf"},
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": {"thrift", "http/protobuf"},
		"OTEL_TRACES_EXPORTER":               {"zipkin", "otlp, none"},
		"OTEL_SDK_DISABLED":                  {"1", "true, false"},
		"OTEL_TRACES_SAMPLER":                {"sometimes", "parentbased_traceidratio"},
		"OTEL_TRACES_SAMPLER_ARG":            {"2", "0 to 1"},
		"OTEL_RESOURCE_ATTRIBUTES":           {"team", "key=value"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
			t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
			t.Setenv(variable, bad.value)
			_, err := LoadConfig()
			var env *EnvError
			if !errors.As(err, &env) || len(env.Problems) != 1 {
				t.Fatalf("got %v, want one problem", err)
			}
			for _, part := range []string{variable, bad.value, bad.want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if variable == "OTEL_SDK_DISABLED" {
				return
			}
			t.Setenv("OTEL_SDK_DISABLED", "TRUE")
			if _, err := LoadConfig(); err != nil {
				t.Errorf("with OTEL_SDK_DISABLED: %v", err)
			}
		})
	}
}

func TestTracesURL(t *testing.T) {
	for _, c := range []struct {
		config Config
		url    string // empty: no spans
	}{
		{Config{}, ""},
		{Config{OTLPEndpoint: "http://c:4318"}, "http://c:4318/v1/traces"},
		{Config{OTLPEndpoint: "http://c:4318/otlp/"}, "http://c:4318/otlp/v1/traces"},
		{Config{OTLPEndpoint: "http://c:4318", OTLPTracesEndpoint: "https://d/x"}, "https://d/x"},
		{Config{OTLPEndpoint: "http://c:4318", TracingDisabled: "false", TracesExporter: "otlp"}, "http://c:4318/v1/traces"},
		{Config{OTLPEndpoint: "http://c:4318", TracingDisabled: "True"}, ""},
		{Config{OTLPEndpoint: "http://c:4318", TracesExporter: "none"}, ""},
	} {
		url := ""
		if c.config.traces() {
			url = c.config.tracesURL()
		}
		if url != c.url {
			t.Errorf("%+v: %q, want %q", c.config, url, c.url)
		}
	}
}

func TestLoadConfigReportsAllAtOnce(t *testing.T) {
	t.Setenv("INGRESS_PORT", "x")
	t.Setenv("LOG_LEVEL", "x")
	t.Setenv("DELIVERY_TIMEOUT", "x")
	t.Setenv("ADMIN_PORT", "70000") // can be read, but not used
	_, err := LoadConfig()
	var env *EnvError
	if !errors.As(err, &env) || len(env.Problems) != 4 {
		t.Fatalf("want four problems, got %v", err)
	}
}

func TestEnvTableNamesEveryVariable(t *testing.T) {
	table := EnvTable()
	for _, variable := range []string{"KAFKA_BOOTSTRAP_SERVERS", "DEFAULT_DELIVERY", "SHUTDOWN_TIMEOUT", "DATA_MAX_BYTES"} {
		if !strings.Contains(table, "| `"+variable+"` |") {
			t.Errorf("%s is missing", variable)
		}
	}
}
