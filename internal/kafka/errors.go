package kafka

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every method of a Cluster after Close.
	ErrClosed = errors.New("the connection to Kafka is closed")

	// ErrTopicBusy is returned by Produce when the topic's share of the
	// producer's queue stayed full until the context ended: Kafka takes the
	// topic's records more slowly than they arrive, or not at all.
	ErrTopicBusy = errors.New("too many events of this topic wait for Kafka")

	// ErrTopicUnavailable is returned by Produce for a topic that Kafka has just
	// said is missing or not permitted, without asking again.
	ErrTopicUnavailable = errors.New("the topic is not available")

	// ErrStorageFull is returned by Produce when Kafka's policy refuses new
	// records. The broker inside `kurier dev` does so when DATA_MAX_BYTES is
	// reached by events that are not settled yet.
	ErrStorageFull = errors.New("the storage of Kafka is full, it takes no new events for now (kurier dev: DATA_MAX_BYTES) and what it holds is not delivered yet")

	// ErrGroupActive is returned by Pin when a group has members but partitions
	// without a commit, which then only its members can commit.
	ErrGroupActive = errors.New("the group is active but has not committed all partitions yet")
)

// Reasons of a TopicError, in the form of a condition's reason.
const (
	ReasonTopicMissing      = "TopicDoesNotExist"
	ReasonNotAuthorized     = "TopicNotAuthorized"
	ReasonTooManyReplicas   = "ReplicationFactorTooLarge"
	ReasonInvalidTopic      = "TopicInvalid"
	ReasonKafkaUnreachable  = "KafkaUnreachable"
	ReasonTopicNotUsableYet = "TopicNotReady"
)

// TopicError says why a topic cannot be used, and what a person can do.
type TopicError struct {
	Topic   string
	Reason  string // one of the Reason constants
	Message string // a sentence that names the topic and the way out
	Err     error  // what Kafka or its client answered; may be nil
}

func (e *TopicError) Error() string { return e.Message }

// Unwrap returns the client's error.
func (e *TopicError) Unwrap() error { return e.Err }

// Temporary reports whether the same call may succeed later without anybody
// changing anything: Kafka is unreachable or still busy with the topic.
func (e *TopicError) Temporary() bool {
	return e.Reason == ReasonKafkaUnreachable || e.Reason == ReasonTopicNotUsableYet
}

func topicErrorf(topic, reason string, err error, format string, args ...any) *TopicError {
	return &TopicError{Topic: topic, Reason: reason, Message: fmt.Sprintf(format, args...), Err: err}
}
