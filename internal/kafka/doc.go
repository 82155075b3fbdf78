// Package kafka is the one place that knows how Kurier talks to a Kafka
// cluster: client settings, the producer behind the ingress, topics, the
// pinning of consumer groups, their state, and reading a topic without a group.
//
// It knows nothing of CloudEvents or HTTP, holds no consumer group of its own
// and never creates a topic that it was not asked to create.
package kafka
