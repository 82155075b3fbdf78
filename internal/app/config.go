package app

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"kurier.dev/kurier/internal/resources"
)

// Config is everything the environment decides, and the reference page of it:
// each field names its variable, its default and its meaning.
type Config struct {
	KafkaBootstrapServers []string `envconfig:"KAFKA_BOOTSTRAP_SERVERS" desc:"Kafka's addresses, host:port, comma-separated; required by run, receiver and dispatcher"`
	Manifests             string   `envconfig:"MANIFESTS" default:"manifests" desc:"folder of the manifests (or one file), watched for changes; kurier dev uses DATA_DIR/manifests when it is not set"`
	StrictManifests       bool     `envconfig:"STRICT_MANIFESTS" default:"false" desc:"an unknown apiVersion or kind is an error instead of a warning"`
	InstanceName          string   `envconfig:"INSTANCE_NAME" desc:"name of this process in status and logs; default: the host's name"`

	IngressPort int    `envconfig:"INGRESS_PORT" default:"8080" desc:"port that takes events"`
	IngressURL  string `envconfig:"INGRESS_URL" desc:"where dispatchers reach the receiver; default http://localhost:INGRESS_PORT for dev and run, none for dispatcher"`
	AdminPort   int    `envconfig:"ADMIN_PORT" default:"9090" desc:"port of probes, metrics, status and tail"`
	AdminPprof  bool   `envconfig:"ADMIN_PPROF" default:"false" desc:"serve Go's profiles on the admin port under /debug/pprof/"`
	AdminURL    string `envconfig:"ADMIN_URL" default:"http://localhost:9090" desc:"where the commands status, tail and health reach a running Kurier"`

	MaxEventBytes         int      `envconfig:"MAX_EVENT_BYTES" default:"1048576" desc:"largest event accepted, as a Kafka record, in bytes"`
	MaxBatchBytes         int      `envconfig:"MAX_BATCH_BYTES" default:"4194304" desc:"largest body of a batch, in bytes"`
	MaxInflightRequests   int      `envconfig:"MAX_INFLIGHT_REQUESTS" default:"4096" desc:"requests that may wait for Kafka at once; more are answered 429"`
	MaxInflightBytes      int64    `envconfig:"MAX_INFLIGHT_BYTES" default:"134217728" desc:"bytes of events that may wait for Kafka at once; more are answered 429"`
	ProduceTimeout        Duration `envconfig:"PRODUCE_TIMEOUT" default:"PT30S" desc:"longest wait for Kafka's acknowledgement before the answer 503"`
	BrokerTTL             int      `envconfig:"BROKER_TTL" default:"255" desc:"hops an event may make through Brokers (knativebrokerttl)"`
	WebhookAllowedOrigins []string `envconfig:"WEBHOOK_ALLOWED_ORIGINS" desc:"origins granted by OPTIONS, comma-separated; empty: all"`
	WebhookAllowedRate    string   `envconfig:"WEBHOOK_ALLOWED_RATE" default:"*" desc:"WebHook-Allowed-Rate granted by OPTIONS: requests per minute, or *"`

	ServiceURLTemplate      string    `envconfig:"SERVICE_URL_TEMPLATE" default:"http://{name}" desc:"URL of a Service that SERVICE_URLS does not name; {name} and {namespace} are filled in"`
	ServiceURLs             URLMap    `envconfig:"SERVICE_URLS" desc:"URLs of single Services: namespace/name=URL, comma-separated"`
	DefaultBrokerClass      string    `envconfig:"DEFAULT_BROKER_CLASS" default:"Kafka" desc:"class of a Broker without the annotation eventing.knative.dev/broker.class"`
	DefaultDelivery         string    `envconfig:"DEFAULT_DELIVERY" default:"{retry: 10, backoffPolicy: exponential, backoffDelay: PT0.2S}" desc:"spec.delivery of Brokers and channels that have none (YAML), or none"`
	DeliveryConcurrency     int       `envconfig:"DELIVERY_CONCURRENCY" default:"100" desc:"requests in flight at most per Trigger or Subscription and process"`
	DeliveryTimeout         Duration  `envconfig:"DELIVERY_TIMEOUT" default:"PT10M" desc:"longest attempt, from connecting to the last byte of the answer"`
	DeliveryBufferBytes     int64     `envconfig:"DELIVERY_BUFFER_BYTES" default:"268435456" desc:"bytes of events in memory for delivery, all triggers together"`
	RetryBackoffMax         Duration  `envconfig:"RETRY_BACKOFF_MAX" default:"PT10M" desc:"longest wait before a retry"`
	RetryMinBackoff         Duration  `envconfig:"RETRY_MIN_BACKOFF" default:"PT0S" desc:"shortest wait before a retry"`
	RetryJitter             float64   `envconfig:"RETRY_JITTER" default:"0" desc:"random addition to each wait, as a share of it: 0.2 adds up to 20 %"`
	RetryAfterMax           Duration  `envconfig:"RETRY_AFTER_MAX" default:"PT5M" desc:"longest Retry-After that is honoured; PT0S ignores the header"`
	StrictReplies           bool      `envconfig:"STRICT_REPLIES" default:"false" desc:"a 2xx answer with a body that is no CloudEvent fails the attempt"`
	AddKafkaPosition        bool      `envconfig:"ADD_KAFKA_POSITION" default:"true" desc:"set knativekafkapartition and knativekafkaoffset on delivered events"`
	DeadLetterTopicTemplate string    `envconfig:"DEAD_LETTER_TOPIC_TEMPLATE" default:"{{.ConsumerGroup}}.dead-letter" desc:"name of the topic for events that no dead letter sink takes"`
	DeadLetterRetention     Retention `envconfig:"DEAD_LETTER_RETENTION" default:"-1" desc:"how long a dead letter topic keeps its records; -1: for ever"`

	DrainTimeout    Duration `envconfig:"DRAIN_TIMEOUT" default:"PT3S" desc:"how long requests in flight may finish when a partition moves to another process"`
	ShutdownTimeout Duration `envconfig:"SHUTDOWN_TIMEOUT" default:"PT25S" desc:"how long requests in flight may finish when the process stops"`
	DataDir         string   `envconfig:"DATA_DIR" default:".kurier" desc:"kurier dev: folder of the embedded broker's data"`
	DataMaxBytes    int64    `envconfig:"DATA_MAX_BYTES" default:"1073741824" desc:"kurier dev: bound of the embedded broker's data; settled events go first, then ingress answers 503"`
	LogLevel        LogLevel `envconfig:"LOG_LEVEL" default:"info" desc:"debug, info, warn or error"`
	LogFormat       string   `envconfig:"LOG_FORMAT" default:"text" desc:"text or json"`

	OTLPEndpoint       string `envconfig:"OTEL_EXPORTER_OTLP_ENDPOINT" desc:"OpenTelemetry collector that takes spans over HTTP, for example http://collector:4318; empty: no spans"`
	OTLPTracesEndpoint string `envconfig:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" desc:"the same with its whole path, for example http://collector:4318/v1/traces; comes before OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPProtocol       string `envconfig:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" desc:"http/protobuf or http/json; gRPC is not spoken"`
	OTLPTracesProtocol string `envconfig:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" desc:"the same for spans alone"`
	TracesExporter     string `envconfig:"OTEL_TRACES_EXPORTER" default:"otlp" desc:"otlp, or none: no spans"`
	TracingDisabled    string `envconfig:"OTEL_SDK_DISABLED" default:"false" desc:"true: no spans, whatever else is set"`
	TracesSampler      string `envconfig:"OTEL_TRACES_SAMPLER" default:"parentbased_always_on" desc:"which traces are recorded: always_on, always_off, traceidratio, or parentbased_ before one of them"`
	TracesSamplerArg   string `envconfig:"OTEL_TRACES_SAMPLER_ARG" desc:"share of the traces for traceidratio, 0 to 1; empty: 1"`
	ServiceName        string `envconfig:"OTEL_SERVICE_NAME" desc:"service.name of the spans; default: that of OTEL_RESOURCE_ATTRIBUTES, else kurier"`
	ResourceAttributes string `envconfig:"OTEL_RESOURCE_ATTRIBUTES" desc:"further attributes of this process in its spans: key=value, comma-separated, percent-encoded"`
}

// ManifestsFor is the folder of the manifests for a role: kurier dev has one of
// its own when MANIFESTS is not set, and owned is then true.
func (c *Config) ManifestsFor(role Role) (path string, owned bool) {
	if _, set := os.LookupEnv("MANIFESTS"); role == RoleDev && !set {
		return filepath.Join(c.DataDir, "manifests"), true
	}
	return c.Manifests, false
}

// ResourceOptions are the settings that decide what a manifest means.
// ingressURL is where dispatchers reach the receiver; empty: nobody said.
func (c *Config) ResourceOptions(ingressURL string) resources.Options {
	urls := maps.Clone(map[string]string(c.ServiceURLs))
	if urls == nil {
		urls = map[string]string{}
	}
	return resources.Options{
		IngressURL: strings.TrimSuffix(ingressURL, "/"), ServiceURLTemplate: c.ServiceURLTemplate, ServiceURLs: urls,
		Strict: c.StrictManifests, DefaultBrokerClass: c.DefaultBrokerClass, DefaultDelivery: c.DefaultDelivery,
		DeliveryTimeout: c.DeliveryTimeout.Std(), RetryBackoffMax: c.RetryBackoffMax.Std(), RetryAfterMax: c.RetryAfterMax.Std(),
		Concurrency: c.DeliveryConcurrency, DeadLetterTopicTemplate: c.DeadLetterTopicTemplate,
		Bootstrap: strings.Join(c.KafkaBootstrapServers, ","),
	}
}

// LogLevel is a slog level by its name.
type LogLevel slog.Level

// Decode reads value for envconfig.
func (l *LogLevel) Decode(value string) error {
	switch value {
	case "debug", "info", "warn", "error":
		return (*slog.Level)(l).UnmarshalText([]byte(value))
	}
	return errors.New("allowed: debug, info, warn, error")
}

// String is the level's name as the environment takes it.
func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// URLMap maps namespace/name of a Service to its URL.
type URLMap map[string]string

// Decode reads value for envconfig.
func (m *URLMap) Decode(value string) error {
	*m = URLMap{}
	for entry := range strings.SplitSeq(value, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		service, url, ok := strings.Cut(entry, "=")
		if !ok || strings.Count(service, "/") != 1 || !strings.Contains(url, "://") {
			return fmt.Errorf("%q is not of the form namespace/name=URL, for example default/orders=http://orders:3000/events", entry)
		}
		(*m)[service] = url
	}
	return nil
}

// EnvError lists every variable that cannot be used. The process ends with
// status 2.
type EnvError struct{ Problems []string }

func (e *EnvError) Error() string {
	return "the environment cannot be used:\n  " + strings.Join(e.Problems, "\n  ")
}

// ExitCode is the process's exit status.
func (e *EnvError) ExitCode() int { return 2 }

// LoadConfig reads and checks the environment. The error is an *EnvError that
// names every bad variable, its value and what is allowed.
func LoadConfig() (Config, error) {
	var config Config
	var problems []string
	unread := map[string]bool{} // variables whose value in config is none
	value := reflect.ValueOf(&config).Elem()
	for i := range value.NumField() {
		if err := loadField(value.Type().Field(i), value.Field(i)); err != nil {
			problems = append(problems, err.Error())
			unread[value.Type().Field(i).Tag.Get("envconfig")] = true
		}
	}
	for _, problem := range config.check() {
		if name, _, _ := strings.Cut(problem, "="); !unread[name] {
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return Config{}, &EnvError{Problems: problems}
	}
	if config.InstanceName == "" {
		config.InstanceName, _ = os.Hostname()
	}
	return config, nil
}

// loadField reads one variable. envconfig stops at the first error of a
// struct, so each field is handed to it as a struct of its own.
func loadField(field reflect.StructField, into reflect.Value) error {
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	if err := envconfig.Process("", one.Interface()); err != nil {
		name := field.Tag.Get("envconfig")
		var parse *envconfig.ParseError
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return fmt.Errorf("%s=%q: %s", name, os.Getenv(name), allowed(field, err))
	}
	into.Set(one.Elem().Field(0))
	return nil
}

// allowed words a parse error by the kind of the field.
func allowed(field reflect.StructField, err error) string {
	switch field.Type.Kind() {
	case reflect.Bool:
		return "allowed: true, false"
	case reflect.Int, reflect.Int64:
		if field.Type.NumMethod() == 0 && reflect.PointerTo(field.Type).NumMethod() == 0 {
			return "allowed: a whole number"
		}
	case reflect.Float64:
		return "allowed: a number such as 0.2"
	default:
	}
	return err.Error()
}

// EnvTable is the environment as a Markdown table, a row per variable.
func EnvTable() string {
	var table strings.Builder
	table.WriteString("| Variable | Default | Meaning |\n|---|---|---|\n")
	for field := range reflect.TypeFor[Config]().Fields() {
		value := "–"
		if fallback, ok := field.Tag.Lookup("default"); ok {
			value = "`" + fallback + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", field.Tag.Get("envconfig"), value, field.Tag.Get("desc"))
	}
	return table.String()
}

// NonDefaults lists NAME=value of every variable whose value differs from its
// default, for the log line of a start.
func (c *Config) NonDefaults() []string {
	var settings []string
	value := reflect.ValueOf(c).Elem()
	for i := range value.NumField() {
		name := value.Type().Field(i).Tag.Get("envconfig")
		set, ok := os.LookupEnv(name)
		if ok && set != value.Type().Field(i).Tag.Get("default") {
			settings = append(settings, name+"="+set)
		}
	}
	return settings
}
