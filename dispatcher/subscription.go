package dispatcher

import (
	"fmt"
	"time"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/filter"
)

// Subscription is one Trigger, one Subscription or one topic of a KafkaSource as
// plain data, everything resolved and defaulted. Two Subscriptions that are
// deeply equal are the same settings. The dispatcher reads what it is given and
// never writes to it; the caller does not change it after Apply.
type Subscription struct {
	// Kind, Namespace and Name identify it; Kind is "Trigger",
	// "Subscription" or "KafkaSource".
	Kind, Namespace, Name string

	// Cluster names the Kafka cluster for Config.Clusters; Topic is read by
	// consumer group Group. Changing one of the three restarts the consumer,
	// anything else is changed while it runs.
	Cluster, Topic, Group string

	// Attributes is spec.filter.attributes, Filters spec.filters; both empty
	// pass everything (FI-1).
	Attributes map[string]string
	Filters    []filter.Spec

	// Records makes events of whatever the topic holds; nil: what is no
	// CloudEvent goes to the dead letter topic (DL-37).
	Records *Records

	Subscriber Destination
	Reply      Reply
	Delivery   Delivery
	DeadLetter DeadLetterPolicy

	Order       consumer.Order
	Concurrency int // requests in flight at most; 0 means 1
}

// Destination is where an event is sent: a URL, or a topic when it is a
// KafkaSink that is produced to directly. Topic non-empty decides.
type Destination struct {
	// URL exactly as resolved. For a KafkaSink it is its address, used in texts.
	URL string
	// CACerts are PEM certificates trusted beside the system's.
	CACerts string
	// Cluster and Topic of a KafkaSink, Structured its content mode.
	Cluster, Topic string
	Structured     bool
	// OwnBroker: the URL is the ingress of one of our own Brokers, so a dead
	// letter sent to it carries the hop limit on.
	OwnBroker bool
}

// ReplyKind says what becomes of an event in a subscriber's response.
type ReplyKind int

const (
	// ReplyNone discards replies and counts them (DL-30).
	ReplyNone ReplyKind = iota
	// ReplyURL sends them to Reply.Destination (a Subscription with a reply).
	ReplyURL
	// ReplyBroker stores them in the subscription's own topic (a Trigger).
	ReplyBroker
)

// Reply is where replies go.
type Reply struct {
	Kind        ReplyKind
	Destination Destination // of ReplyURL
	BrokerURL   string      // the Broker's address, for knativeerrordest and texts
}

// Policy is how the wait grows from retry to retry; empty: no wait.
type Policy string

// The values of spec.delivery.backoffPolicy.
const (
	Linear      Policy = "linear"
	Exponential Policy = "exponential"
)

// Format is how an event is written into a request; empty means binary.
type Format string

// The values of spec.delivery.format.
const (
	Binary Format = "binary"
	JSON   Format = "json"
)

// DefaultTimeout is the time of one attempt when nothing else is said (C12).
const DefaultTimeout = 10 * time.Minute

// DefaultBackoffMax caps waits when nothing else is said (section 12).
const DefaultBackoffMax = 10 * time.Minute

// Delivery holds the effective delivery settings: inherited, defaulted.
type Delivery struct {
	Retry          int           // attempts after the first, at most
	Timeout        time.Duration // of one attempt, connect to last body byte; 0 means DefaultTimeout
	Policy         Policy
	Delay          time.Duration // 0 means no wait
	BackoffMax     time.Duration // caps a computed wait; 0 means DefaultBackoffMax
	RetryAfterMax  time.Duration // caps a Retry-After; 0 ignores the header
	Format         Format
	DeadLetterSink *Destination // nil: the dead letter topic, or drop
}

func (d *Delivery) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return DefaultTimeout
}

// attempts is the number of attempts that one stage may make.
func (d *Delivery) attempts() int { return d.Retry + 1 }

// DeadLetterPolicy says what becomes of an event that failed for good.
type DeadLetterPolicy struct {
	// Topic is the dead letter topic, in the subscription's own cluster. It also
	// takes records that are no CloudEvents, dead letter sink or not.
	Topic string
	// Drop instead of the topic (kurier.dev/dead-letter: drop).
	Drop bool
	// OnFailureDrop drops a dead letter that cannot be written, instead of
	// holding it (kurier.dev/on-dead-letter-failure: drop).
	OnFailureDrop bool
}

// key identifies a subscription in this process.
type key struct{ kind, namespace, name string }

func (s *Subscription) key() key { return key{s.Kind, s.Namespace, s.Name} }

func (k key) String() string { return k.kind + " " + k.namespace + "/" + k.name }

// sameSource reports whether both read the same topic with the same group, so
// that one can become the other while its consumer runs.
func (s *Subscription) sameSource(o *Subscription) bool {
	return s.Cluster == o.Cluster && s.Topic == o.Topic && s.Group == o.Group
}

// check refuses what the dispatcher could not run; resources has validated the
// manifest itself.
func (s *Subscription) check() error {
	switch {
	case s.Kind == "" || s.Name == "":
		return fmt.Errorf("a subscription without kind or name: %q %q", s.Kind, s.Name)
	case s.Topic == "":
		return fmt.Errorf("%s: Topic is empty", s.key())
	case s.Group == "":
		return fmt.Errorf("%s: Group is empty", s.key())
	case s.Subscriber.URL == "" && s.Subscriber.Topic == "":
		return fmt.Errorf("%s: Subscriber has no URL", s.key())
	case s.Delivery.Retry < 0:
		return fmt.Errorf("%s: Delivery.Retry is %d, want 0 or more", s.key(), s.Delivery.Retry)
	case s.Concurrency < 0:
		return fmt.Errorf("%s: Concurrency is %d, want 0 or more", s.key(), s.Concurrency)
	case s.DeadLetter.Topic == "" && !s.DeadLetter.Drop:
		return fmt.Errorf("%s: DeadLetter.Topic is empty and Drop is not set: a failed event would have no place", s.key())
	case s.Reply.Kind == ReplyURL && s.Reply.Destination.URL == "" && s.Reply.Destination.Topic == "":
		return fmt.Errorf("%s: Reply.Destination has no URL", s.key())
	}
	return nil
}

// concurrency with its default.
func (s *Subscription) concurrency() int { return max(1, s.Concurrency) }
