package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// quickSettings make a test's Kafka answer at once and never invent topics. A cluster
// with [Options.KafkaDefaults] leaves them out.
func quickSettings() map[string]string {
	return map[string]string{
		"auto.create.topics.enable":        "false",
		"group.initial.rebalance.delay.ms": "0",
		// A killed node may register again only when its old session is over (9 s).
		"broker.heartbeat.interval.ms": "500",
		"broker.session.timeout.ms":    "3000",
	}
}

// replicaSettings fit the size of the cluster; Kafka's defaults ask for three nodes.
func replicaSettings(nodes int) map[string]string {
	replicas := fmt.Sprint(min(nodes, 3))
	return map[string]string{
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    fmt.Sprint(min(nodes, 2)),
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            fmt.Sprint(min(nodes, 2)),
		"default.replication.factor":                       replicas,
		"min.insync.replicas":                              fmt.Sprint(min(nodes, 2)),
		"offsets.topic.num.partitions":                     "5", // 50 would cost a second at first use
	}
}

// properties are the settings of one node.
func properties(n *node, voters string, o Options, nodes int) map[string]string {
	p := map[string]string{
		"process.roles":             "broker,controller",
		"node.id":                   fmt.Sprint(n.id),
		"controller.quorum.voters":  voters,
		"listeners":                 fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", n.port, n.controllerPort),
		"advertised.listeners":      fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", n.port),
		"controller.listener.names": "CONTROLLER",
		"log.dirs":                  n.dataDir,
	}
	maps.Copy(p, replicaSettings(nodes))
	if !o.KafkaDefaults {
		maps.Copy(p, quickSettings())
	}
	maps.Copy(p, o.Properties)
	return p
}

// FormatProperties writes settings as a server.properties file has them, sorted.
func FormatProperties(p map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p[k])
	}
	return b.String()
}
