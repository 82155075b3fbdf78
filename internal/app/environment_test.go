package app

import (
	"reflect"
	"testing"

	"kurier.dev/kurier/test/altered"
)

// TestEnvironmentDefaults is the table of section 12 of the behaviour reference: each
// variable is there and has this default. Empty: none, or one that depends on the
// machine or the command.
func TestEnvironmentDefaults(t *testing.T) {
	declared := map[string]string{}
	for i := range reflect.TypeFor[Config]().NumField() {
		if tag := reflect.TypeFor[Config]().Field(i).Tag; tag.Get("envconfig") != "" {
			declared[tag.Get("envconfig")] = tag.Get("default")
		}
	}
	for variable, want := range map[string]string{
		"KAFKA_BOOTSTRAP_SERVERS": "", "INGRESS_URL": "", "ADMIN_PORT": "9090", "SERVICE_URL_TEMPLATE": "http://{name}", "SERVICE_URLS": "",
		"STRICT_MANIFESTS": "false", "DEFAULT_BROKER_CLASS": "Kafka",
		"DEFAULT_DELIVERY":  "{retry: 10, backoffPolicy: exponential, backoffDelay: PT0.2S}",
		"DELIVERY_TIMEOUT":  "PT10M",
		"RETRY_BACKOFF_MAX": "PT10M", "RETRY_JITTER": "0", "RETRY_MIN_BACKOFF": "PT0S", "RETRY_AFTER_MAX": "PT5M",
		"INGRESS_PORT": "8080", "MANIFESTS": "manifests", "DATA_DIR": ".kurier", "DRAIN_TIMEOUT": "PT3S", "DEAD_LETTER_RETENTION": "-1",
		"ADMIN_URL": "http://localhost:9090", "DEAD_LETTER_TOPIC_TEMPLATE": "{{.ConsumerGroup}}.dead-letter", "BROKER_TTL": "255",
		"ADD_KAFKA_POSITION": "true", "MAX_EVENT_BYTES": "1048576", "MAX_BATCH_BYTES": "4194304", "MAX_INFLIGHT_REQUESTS": "4096",
		"MAX_INFLIGHT_BYTES": "134217728", "PRODUCE_TIMEOUT": "PT30S", "STRICT_REPLIES": "false", "WEBHOOK_ALLOWED_ORIGINS": "",
		"WEBHOOK_ALLOWED_RATE": "*", "DELIVERY_CONCURRENCY": "100", "SHUTDOWN_TIMEOUT": "PT25S", "LOG_LEVEL": "info", "LOG_FORMAT": "text",
		"DELIVERY_BUFFER_BYTES": "268435456", "DATA_MAX_BYTES": "1073741824", "INSTANCE_NAME": "",
	} {
		t.Run("12/"+variable, func(t *testing.T) {
			got, ok := declared[variable]
			if want := altered.Want(want); !ok || got != want {
				t.Errorf("default %q (%v), want %q", got, ok, want)
			}
		})
	}
}
