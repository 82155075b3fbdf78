// Package status holds what the admin API says about an object: Knative's
// shape, extended by the figures of delivery. The server fills these types and
// the command line reads them. The package decides one thing alone, whether an
// object is Ready; it reads no clock, no Kafka and no manifest.
package status

import (
	"slices"
	"strings"
	"time"
)

// Object is one object of the manifests and how it is doing.
type Object struct {
	APIVersion string         `json:"apiVersion" yaml:"apiVersion"`
	Kind       string         `json:"kind" yaml:"kind"`
	Metadata   Metadata       `json:"metadata" yaml:"metadata"`
	Spec       map[string]any `json:"spec,omitempty" yaml:"spec,omitempty"`
	Status     Status         `json:"status" yaml:"status"`

	// EffectiveDelivery is what holds after inheritance and defaults; nil for
	// objects that deliver nothing.
	EffectiveDelivery *EffectiveDelivery `json:"effectiveDelivery,omitempty" yaml:"effectiveDelivery,omitempty"`

	// Instance is the process that answered (INSTANCE_NAME).
	Instance string `json:"instance,omitempty" yaml:"instance,omitempty"`
}

// Metadata identifies an Object.
type Metadata struct {
	Name        string            `json:"name" yaml:"name"`
	Namespace   string            `json:"namespace" yaml:"namespace"`
	Generation  int64             `json:"generation,omitempty" yaml:"generation,omitempty"`
	UID         string            `json:"uid,omitempty" yaml:"uid,omitempty"`
	Labels      map[string]string `json:"labels,omitempty" yaml:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty" yaml:"annotations,omitempty"`
}

// Status is Knative's status, with Delivery and Firing as Kurier's additions.
type Status struct {
	ObservedGeneration   int64                 `json:"observedGeneration,omitempty" yaml:"observedGeneration,omitempty"`
	Conditions           []Condition           `json:"conditions" yaml:"conditions"`
	Address              *Address              `json:"address,omitempty" yaml:"address,omitempty"`
	Annotations          map[string]string     `json:"annotations,omitempty" yaml:"annotations,omitempty"`
	SubscriberURI        string                `json:"subscriberUri,omitempty" yaml:"subscriberUri,omitempty"`
	DeadLetterSinkURI    string                `json:"deadLetterSinkUri,omitempty" yaml:"deadLetterSinkUri,omitempty"`
	SinkURI              string                `json:"sinkUri,omitempty" yaml:"sinkUri,omitempty"`
	PhysicalSubscription *PhysicalSubscription `json:"physicalSubscription,omitempty" yaml:"physicalSubscription,omitempty"`
	Subscribers          []Subscriber          `json:"subscribers,omitempty" yaml:"subscribers,omitempty"`
	FlowStatus           `yaml:",inline"`
	Delivery             *Delivery `json:"delivery,omitempty" yaml:"delivery,omitempty"`
	Firing               *Firing   `json:"firing,omitempty" yaml:"firing,omitempty"`
}

// Address is where events for the object go.
type Address struct {
	URL string `json:"url" yaml:"url"`
}

// PhysicalSubscription are the resolved addresses of a Subscription.
type PhysicalSubscription struct {
	SubscriberURI     string `json:"subscriberUri,omitempty" yaml:"subscriberUri,omitempty"`
	ReplyURI          string `json:"replyUri,omitempty" yaml:"replyUri,omitempty"`
	DeadLetterSinkURI string `json:"deadLetterSinkUri,omitempty" yaml:"deadLetterSinkUri,omitempty"`
}

// Subscriber is one Subscription as its channel lists it.
type Subscriber struct {
	UID   string `json:"uid,omitempty" yaml:"uid,omitempty"`
	Name  string `json:"name,omitempty" yaml:"name,omitempty"`
	Ready string `json:"ready" yaml:"ready"` // True, False or Unknown
}

// EffectiveDelivery is the delivery of a Trigger or Subscription after
// inheritance and defaults. Durations are ISO 8601.
type EffectiveDelivery struct {
	Retry               int    `json:"retry" yaml:"retry"`
	Timeout             string `json:"timeout,omitempty" yaml:"timeout,omitempty"`
	BackoffPolicy       string `json:"backoffPolicy,omitempty" yaml:"backoffPolicy,omitempty"`
	BackoffDelay        string `json:"backoffDelay,omitempty" yaml:"backoffDelay,omitempty"`
	BackoffMax          string `json:"backoffMax,omitempty" yaml:"backoffMax,omitempty"`
	RetryAfterMax       string `json:"retryAfterMax,omitempty" yaml:"retryAfterMax,omitempty"`
	Format              string `json:"format,omitempty" yaml:"format,omitempty"`
	DeadLetterSink      string `json:"deadLetterSink,omitempty" yaml:"deadLetterSink,omitempty"`   // URI
	DeadLetterTopic     string `json:"deadLetterTopic,omitempty" yaml:"deadLetterTopic,omitempty"` // used without a sink, and for records that are no CloudEvents
	DeadLetter          string `json:"deadLetter,omitempty" yaml:"deadLetter,omitempty"`           // topic or drop
	OnDeadLetterFailure string `json:"onDeadLetterFailure,omitempty" yaml:"onDeadLetterFailure,omitempty"`
	Order               string `json:"order,omitempty" yaml:"order,omitempty"`
	Concurrency         int    `json:"concurrency,omitempty" yaml:"concurrency,omitempty"`
}

// Delivery is how far a Trigger or Subscription has come.
type Delivery struct {
	// Lag is the number of events not settled yet, all processes together; nil
	// while Kafka has not told.
	Lag *int64 `json:"lag,omitempty" yaml:"lag,omitempty"`

	// Instance is the process that the figures below belong to; empty when the
	// answering process does not deliver for this object.
	Instance string `json:"instance,omitempty" yaml:"instance,omitempty"`

	InFlight               int        `json:"inFlight" yaml:"inFlight"`                                                 // requests on the wire
	Waiting                int        `json:"waiting" yaml:"waiting"`                                                   // events waiting for a retry
	Held                   int        `json:"held" yaml:"held"`                                                         // dead letters that cannot be written
	OldestUnsettledSeconds float64    `json:"oldestUnsettledSeconds,omitempty" yaml:"oldestUnsettledSeconds,omitempty"` // its age
	LastSuccess            *time.Time `json:"lastSuccess,omitempty" yaml:"lastSuccess,omitempty"`
	LastFailure            *Failure   `json:"lastFailure,omitempty" yaml:"lastFailure,omitempty"`
}

// Firing is what the answering process does for a PingSource.
type Firing struct {
	Instance  string     `json:"instance" yaml:"instance"`
	State     string     `json:"state" yaml:"state"`                             // Owner (it fires), Standby (another process does) or Connecting
	LastTick  *time.Time `json:"lastTick,omitempty" yaml:"lastTick,omitempty"`   // that this process fired
	LastError string     `json:"lastError,omitempty" yaml:"lastError,omitempty"` // why it does not fire, or not yet
}

// Failure is one failed attempt.
type Failure struct {
	Time        time.Time `json:"time" yaml:"time"`
	EventID     string    `json:"eventId,omitempty" yaml:"eventId,omitempty"`
	EventSource string    `json:"eventSource,omitempty" yaml:"eventSource,omitempty"`
	Topic       string    `json:"topic,omitempty" yaml:"topic,omitempty"`
	Partition   int32     `json:"partition" yaml:"partition"`
	Offset      int64     `json:"offset" yaml:"offset"`
	Attempt     int       `json:"attempt,omitempty" yaml:"attempt,omitempty"` // from 1
	URL         string    `json:"url,omitempty" yaml:"url,omitempty"`
	Code        int       `json:"code,omitempty" yaml:"code,omitempty"` // 0: no answer
	Reason      string    `json:"reason,omitempty" yaml:"reason,omitempty"`
	Body        string    `json:"body,omitempty" yaml:"body,omitempty"` // its first 200 bytes
}

// List is what GET /status answers.
type List struct {
	APIVersion string   `json:"apiVersion" yaml:"apiVersion"` // v1
	Kind       string   `json:"kind" yaml:"kind"`             // List
	Items      []Object `json:"items" yaml:"items"`
}

// NewList wraps objects as kubectl's lists are wrapped.
func NewList(objects []Object) List {
	if objects == nil {
		objects = []Object{}
	}
	return List{APIVersion: "v1", Kind: "List", Items: objects}
}

// Ref names the object as the commands take it: trigger/default/orders.
func (o *Object) Ref() string {
	return strings.ToLower(o.Kind) + "/" + o.Metadata.Namespace + "/" + o.Metadata.Name
}

// Find returns the object that kind, namespace and name mean, nil when there is
// none. The kind's case does not matter; when no object has that very kind,
// channel means each of the channel kinds, sink a KafkaSink, ping a PingSource.
func Find(objects []Object, kind, namespace, name string) *Object {
	for _, kinds := range [][]string{{kind}, also(kind)} {
		for i := range objects {
			o := &objects[i]
			same := func(k string) bool { return strings.EqualFold(k, o.Kind) }
			if o.Metadata.Namespace == namespace && o.Metadata.Name == name && slices.ContainsFunc(kinds, same) {
				return o
			}
		}
	}
	return nil
}

// also lists the kinds that a short name stands for.
func also(kind string) []string {
	switch strings.ToLower(kind) {
	case "channel":
		return []string{"KafkaChannel", "InMemoryChannel"}
	case "sink":
		return []string{"KafkaSink"}
	case "ping":
		return []string{"PingSource"}
	}
	return nil
}

// URL is the object's own address, or the one it delivers to; empty when there
// is neither.
func (o *Object) URL() string {
	switch s := &o.Status; {
	case s.Address != nil:
		return s.Address.URL
	case s.PhysicalSubscription != nil && s.PhysicalSubscription.SubscriberURI != "":
		return s.PhysicalSubscription.SubscriberURI
	case s.SubscriberURI != "":
		return s.SubscriberURI
	default:
		return s.SinkURI
	}
}
