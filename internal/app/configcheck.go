package app

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"kurier.dev/kurier/internal/resources"
)

// check returns what is wrong with values that could be read.
func (c *Config) check() []string {
	var problems []string
	refuse := func(name string, value any, want string) {
		problems = append(problems, fmt.Sprintf("%s=%q: %s", name, fmt.Sprint(value), want))
	}
	for _, server := range c.KafkaBootstrapServers {
		if _, port, err := net.SplitHostPort(strings.TrimSpace(server)); err != nil || port == "" {
			refuse("KAFKA_BOOTSTRAP_SERVERS", server, "allowed: host:port, comma-separated, for example kafka:9092")
		}
	}
	checkPort := func(name string, port int) {
		if port < 0 || port > 65535 {
			refuse(name, port, "allowed: 0 to 65535 (0: any free port)")
		}
	}
	checkPort("INGRESS_PORT", c.IngressPort)
	checkPort("ADMIN_PORT", c.AdminPort)
	checkURL := func(name, raw string) {
		if raw == "" {
			return
		}
		if u, err := url.Parse(raw); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			refuse(name, raw, "allowed: an http or https URL with a host, for example http://receiver:8080")
		}
	}
	checkURL("INGRESS_URL", c.IngressURL)
	checkURL("ADMIN_URL", c.AdminURL)
	problems = append(problems, c.checkNumbers()...)
	problems = append(problems, c.checkTracing()...)
	if err := resources.CheckDefaultDelivery(c.DefaultDelivery); err != nil {
		refuse("DEFAULT_DELIVERY", c.DefaultDelivery, strings.ReplaceAll(err.Error(), "\n", ", "))
	}
	if err := resources.CheckDeadLetterTopicTemplate(c.DeadLetterTopicTemplate); err != nil {
		refuse("DEAD_LETTER_TOPIC_TEMPLATE", c.DeadLetterTopicTemplate, fmt.Sprintf("allowed: a Go template over .ConsumerGroup, .Namespace and .Name (%v)", err))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		refuse("LOG_FORMAT", c.LogFormat, "allowed: text, json")
	}
	if !strings.Contains(c.ServiceURLTemplate, "://") {
		refuse("SERVICE_URL_TEMPLATE", c.ServiceURLTemplate, "allowed: a URL with {name} and, if needed, {namespace}, for example http://{name}:8080")
	}
	return problems
}

func (c *Config) checkNumbers() []string {
	var problems []string
	atLeast := func(name string, value, least int64) {
		if value < least {
			problems = append(problems, fmt.Sprintf("%s=%q: allowed: at least %d", name, fmt.Sprint(value), least))
		}
	}
	positive := func(name string, d Duration) {
		if d <= 0 {
			problems = append(problems, fmt.Sprintf("%s=%q: allowed: more than PT0S", name, d))
		}
	}
	atLeast("MAX_EVENT_BYTES", int64(c.MaxEventBytes), 8192)
	atLeast("MAX_BATCH_BYTES", int64(c.MaxBatchBytes), 8192)
	atLeast("MAX_INFLIGHT_REQUESTS", int64(c.MaxInflightRequests), 1)
	atLeast("MAX_INFLIGHT_BYTES", c.MaxInflightBytes, int64(c.MaxEventBytes))
	atLeast("BROKER_TTL", int64(c.BrokerTTL), 1)
	atLeast("DELIVERY_CONCURRENCY", int64(c.DeliveryConcurrency), 1)
	atLeast("DELIVERY_BUFFER_BYTES", c.DeliveryBufferBytes, 1<<20)
	atLeast("DATA_MAX_BYTES", c.DataMaxBytes, 16<<20)
	positive("PRODUCE_TIMEOUT", c.ProduceTimeout)
	positive("DELIVERY_TIMEOUT", c.DeliveryTimeout)
	positive("RETRY_BACKOFF_MAX", c.RetryBackoffMax)
	positive("DRAIN_TIMEOUT", c.DrainTimeout)
	positive("SHUTDOWN_TIMEOUT", c.ShutdownTimeout)
	if c.RetryJitter < 0 || c.RetryJitter > 1 {
		problems = append(problems, fmt.Sprintf("RETRY_JITTER=%q: allowed: 0 to 1", fmt.Sprint(c.RetryJitter)))
	}
	return problems
}
