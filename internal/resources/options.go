package resources

import (
	"reflect"
	"time"
)

// Options is what the environment decides about manifests.
type Options struct {
	IngressURL              string            // where dispatchers reach the receiver, without a final slash; empty: nobody said (IngressURLNotSet)
	ServiceURLTemplate      string            // URL of a Service, with {name} and {namespace}; empty: http://{name}
	ServiceURLs             map[string]string // "namespace/name" -> URL
	Strict                  bool              // an unknown apiVersion or kind is an error, not a warning
	DefaultBrokerClass      string            // class of a Broker without the annotation; empty: Kafka
	DefaultDelivery         string            // YAML of spec.delivery for parents without one; empty: the documented default; "none": no default
	DeliveryTimeout         time.Duration     // of an attempt when no delivery says; 0: 10 minutes
	RetryBackoffMax         time.Duration     // longest wait when no delivery says; 0: 10 minutes
	RetryAfterMax           time.Duration     // longest Retry-After when no delivery says; 0: the header is ignored
	Concurrency             int               // requests in flight per consumer when no annotation says; 0: 100
	DeadLetterTopicTemplate string            // empty: {{.ConsumerGroup}}.dead-letter
	Bootstrap               string            // KAFKA_BOOTSTRAP_SERVERS, comma-separated: objects that name the same servers share the environment's cluster
}

// equal tells whether two Options ask for the same.
func (o Options) equal(other Options) bool { return reflect.DeepEqual(o, other) }
