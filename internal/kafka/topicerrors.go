package kafka

import (
	"fmt"

	"github.com/IBM/sarama"
)

// missingError is for a topic that does not exist and may not be created.
func missingError(spec TopicSpec) *TopicError {
	how := fmt.Sprintf("kafka-topics.sh --create --topic %s", spec.Name)
	if spec.Partitions > 0 {
		how += fmt.Sprintf(" --partitions %d", spec.Partitions)
	}
	return topicErrorf(spec.Name, ReasonTopicMissing, sarama.ErrUnknownTopicOrPartition,
		"topic %s does not exist, and this object says that it is not created: create it (%s) or correct its name", spec.Name, how)
}

// answerError turns Kafka's refusal into what to do about it. detail is
// Kafka's own sentence, if any.
func (w *topicWork) answerError(spec TopicSpec, answer sarama.KError, detail string) *TopicError {
	switch answer {
	case sarama.ErrInvalidReplicationFactor:
		brokers := len(w.conn.client.Brokers())
		return topicErrorf(spec.Name, ReasonTooManyReplicas, answer,
			"topic %s cannot have %d replicas: Kafka has %s: set a replication factor of at most %d "+
				"(ConfigMap default.topic.replication.factor, or replicationFactor), or add brokers",
			spec.Name, spec.Replication, plural(brokers, "broker"), brokers)
	case sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed:
		return topicErrorf(spec.Name, ReasonNotAuthorized, answer,
			"Kafka does not let this client use or create topic %s: allow it Describe, Read, Write and Create, or create the topic beforehand", spec.Name)
	case sarama.ErrInvalidTopic:
		return topicErrorf(spec.Name, ReasonInvalidTopic, answer,
			"Kafka does not accept the topic name %s%s: use letters, digits, '.', '_' and '-', at most 249, and no name that differs from another only in '.' and '_'",
			spec.Name, inBrackets(detail))
	default:
	}
	return topicErrorf(spec.Name, ReasonInvalidTopic, answer,
		"Kafka refuses topic %s: %s%s: correct the topic's settings in the manifest", spec.Name, Describe(answer), inBrackets(detail))
}

// warning says what is not as wanted about a topic that works.
func warning(spec TopicSpec, info TopicInfo) string {
	switch {
	case spec.Partitions > info.Partitions:
		return fmt.Sprintf("topic %s has %s, the manifest wants %d: it is left as it is; "+
			"add partitions with kafka-topics.sh --alter --topic %s --partitions %d (events of a key then move to another partition), or set the manifest to %d",
			spec.Name, plural(int(info.Partitions), "partition"), spec.Partitions, spec.Name, spec.Partitions, info.Partitions)
	case spec.Replication > info.Replication:
		return fmt.Sprintf("topic %s has %s, the manifest wants %d: it is left as it is; "+
			"raise it with kafka-reassign-partitions.sh, or set the manifest to %d",
			spec.Name, plural(int(info.Replication), "replica"), spec.Replication, info.Replication)
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func inBrackets(detail string) string {
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}
