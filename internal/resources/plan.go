package resources

import (
	"slices"
	"strings"
	"time"

	"kurier.dev/kurier/internal/filter"
)

// Ref names one object. Kind is spelled as in the manifest ("Trigger").
type Ref struct{ Kind, Namespace, Name string }

// String is the form of the status API and the command line:
// "trigger/default/orders".
func (r Ref) String() string {
	return strings.ToLower(r.Kind) + "/" + r.Namespace + "/" + r.Name
}

// IsZero tells whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Values of Condition.Status.
const (
	True    = "True"
	False   = "False"
	Unknown = "Unknown"
)

// Condition is one line of an object's status, as Knative shows it.
type Condition struct{ Type, Status, Reason, Message string }

// Plan is what the manifests ask for. It is never changed after it was
// returned, and equal manifests and options give a Plan whose exported fields
// are deeply equal. Every slice is sorted by Ref (Topics by cluster and name,
// problems by file and line) and nil when empty.
type Plan struct {
	Objects   []*Object  // every known object, also Services, ConfigMaps and Secrets
	Topics    []Topic    // each topic once; dead letter topics are not among them (Consumer.DeadLetter)
	Targets   []Target   // ingress addresses
	Consumers []Consumer // Triggers, Subscriptions and KafkaSources
	Pings     []Ping
	Flows     []Flow // Sequences and Parallels
	Services  []Service
	Warnings  []Problem // what is ignored, and references that lead nowhere yet
	Errors    []Problem // what is wrong; after a Reload the objects named keep their last good version

	memory *memory // what Reload needs to know of this Plan
	read   int     // objects in the files, those in error included
}

// Object finds an object by its Ref; nil when there is none.
func (p *Plan) Object(ref Ref) *Object {
	i, found := slices.BinarySearchFunc(p.Objects, ref, func(o *Object, ref Ref) int { return compareRefs(o.Ref, ref) })
	if !found {
		return nil
	}
	return p.Objects[i]
}

// Object is one manifest, defaulted, with the part of its status that is known
// without Kafka.
type Object struct {
	Ref
	APIVersion          string
	UID                 string
	Labels, Annotations map[string]string // a Secret shows no annotations
	Generation          int64             // 1 at first sight, one more with each change of spec, labels or annotations
	File                string
	Line                int
	Owner               Ref            // the object that this one was made for; zero: it has a manifest
	Spec                map[string]any // as given, with its defaults; values of Secrets are left out
	Conditions          []Condition    // only those that are decided here
	Address             string         // of what takes events; empty without IngressURL
	SubscriberURI       string
	ReplyURI            string
	DeadLetterSinkURI   string
	StatusAnnotations   map[string]string
	Topic               string // that the object owns or reads
	Group               string // of a Trigger, Subscription or KafkaSource
}

// Topic is a Kafka topic that must exist.
type Topic struct {
	Cluster     string // bootstrap servers, sorted, comma-joined; empty: the environment's
	Name        string
	Partitions  int32 // 0: as it is
	Replication int16 // 0: as the cluster's default
	Config      map[string]string
	Create      bool // false: it must exist, Kurier never makes it
	Owner       Ref  // the first object that uses it
}

// Target is an ingress address: a Broker, a channel or a KafkaSink.
type Target struct {
	Ref
	Path       string   // "/default/orders", "/channels/default/orders", "/sinks/default/orders"
	Hosts      []string // lower case, without port; only channels have any
	Cluster    string
	Topic      string
	Structured bool
	Broker     bool
	Blocked    []Condition // non-empty: events cannot be taken, with the reason
}

// Consumer is a Trigger or a Subscription: one consumer group. A KafkaSource is
// one Consumer for each of its topics, all of the same group.
type Consumer struct {
	Ref
	Parent        Ref // the Broker or channel; the channel's Ref is as the Subscription names it; zero for a KafkaSource
	UID           string
	Cluster       string
	Topic         string
	Group         string
	Attributes    map[string]string // spec.filter.attributes; used only while Filters is empty
	Filters       []filter.Spec
	Subscriber    Destination
	Reply         Reply
	Delivery      Delivery
	DeadLetter    DeadLetterPolicy
	Order         string // "ordered", "unordered" or "ordered-by-key"
	Concurrency   int
	InitialOffset InitialOffset
	Records       *Records    // of a KafkaSource; nil: the topic holds CloudEvents only
	Dependency    Ref         // must be Ready before this one starts; zero: none
	Blocked       []Condition // non-empty: not started, events stay in the topic
}

// Records is what a KafkaSource makes of the records of a topic.
type Records struct {
	Source     string            // attribute of what is no CloudEvent
	Extensions map[string]string // set on every event
}

// ReplyKind says where a subscriber's reply event goes.
type ReplyKind int

const (
	ReplyNone   ReplyKind = iota // discarded
	ReplyURL                     // POST to Reply.Destination
	ReplyBroker                  // produced to Reply.Destination's topic
)

// Reply is where a subscriber's reply event goes.
type Reply struct {
	Kind        ReplyKind
	Destination Destination
	BrokerURL   string // ReplyBroker: the Broker's address, for knativeerrordest
}

// Destination is a resolved address.
type Destination struct {
	URL     string // empty only for a KafkaSink that is produced to directly without IngressURL
	CACerts string // PEM, added to the trust roots; empty: none
	Ref     Ref    // zero when only a uri was given
	// Cluster, Topic and Structured are set when events are produced directly:
	// to a KafkaSink as dead letter sink, or to a Trigger's Broker as reply.
	Cluster    string
	Topic      string // empty: over HTTP to URL
	Structured bool
	OwnBroker  bool // one of our own Brokers: the event carries its TTL
}

// Delivery is the effective policy of a consumer: inherited, defaulted, whole.
type Delivery struct {
	Retry          int
	Timeout        time.Duration // of one attempt
	Policy         string        // "linear", "exponential" or empty: no wait
	Delay          time.Duration
	BackoffMax     time.Duration
	RetryAfterMax  time.Duration // 0: the header is ignored
	Format         string        // "binary" or "json"
	DeadLetterSink *Destination  // nil: none
}

// DeadLetterPolicy is what happens to an event that no dead letter sink takes.
type DeadLetterPolicy struct {
	Topic         string // of dead letters; empty with Drop
	Drop          bool   // kurier.dev/dead-letter: drop
	OnFailureDrop bool   // kurier.dev/on-dead-letter-failure: drop; else held
}

// OffsetKind says where a group without committed offsets begins.
type OffsetKind int

const (
	Latest OffsetKind = iota
	Earliest
	Timestamp
)

// InitialOffset is where a group without committed offsets begins.
type InitialOffset struct {
	Kind OffsetKind
	Time time.Time // with Timestamp
}

// Ping is a PingSource.
type Ping struct {
	Ref
	Schedule    string // five or six cron fields, or a descriptor
	Timezone    string // IANA name; empty: UTC
	ContentType string
	Data        []byte
	Extensions  map[string]string
	Sink        Destination
	Blocked     []Condition // non-empty: does not fire
}

// Flow is a Sequence or a Parallel and what it was expanded into. Those objects
// are in Plan.Objects, Targets and Consumers like any other.
type Flow struct {
	Ref
	Channels      []Ref // of a Sequence: each step's; of a Parallel: the first one, then each branch's
	Filters       []Ref // of a Parallel: the Subscription of each branch's filter
	Subscriptions []Ref // of each step or branch
}

// Service is a Kubernetes or Knative Service: known, not run.
type Service struct {
	Ref
	URL     string // where Kurier sends events for it
	Display bool   // its image ends in /event_display
}
