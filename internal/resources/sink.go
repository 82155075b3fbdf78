package resources

import (
	"math"
	"strings"
)

// kafkaSink is the body of a KafkaSink.
type kafkaSink struct {
	topic       string
	servers     string // as a cluster's name
	structured  bool
	partitions  int32 // both set: the topic is created
	replication int16
}

// notYet is why a Secret cannot be used.
const notYet = "TLS and SASL are not supported yet: Kurier connects to Kafka in plain text only"

// decodeKafkaSink reads a KafkaSink (VA-23).
func decodeKafkaSink(d *decoder) any {
	spec := d.at("spec")
	servers, topic, mode := spec.at("bootstrapServers"), spec.at("topic"), spec.at("contentMode")
	s := &kafkaSink{
		topic:       topic.text(),
		servers:     cluster(servers.list()...),
		structured:  mode.text() == "structured",
		partitions:  int32(d.positive(spec.at("numPartitions"), math.MaxInt32, 0)),
		replication: int16(d.positive(spec.at("replicationFactor"), math.MaxInt16, 0)),
	}
	switch {
	case s.servers == "" && len(servers.list()) < 2:
		d.invalid(servers, "["+strings.Join(servers.list(), " ")+"]", "")
	default:
		d.servers(servers)
	}
	if !isTopicName(s.topic) {
		details := ""
		if s.topic != "" {
			details = topicRule
		}
		d.invalid(topic, s.topic, details)
	}
	if mode.present() && !s.structured && mode.text() != "binary" {
		d.invalid(mode, mode.text(), "")
	}
	d.secret(spec.at("auth"))
	d.noPolicy()
	return s
}

// servers checks each address of a list.
func (d *decoder) servers(f field) {
	for i := range f.len() {
		if item := f.index(i); !isServers(item.text()) {
			d.invalid(item, item.text(), serversRule)
		}
	}
}

// secret refuses what would need TLS or SASL.
func (d *decoder) secret(auth field) {
	if !auth.present() {
		return
	}
	name := auth.at("secret").at("ref").at("name")
	if name.text() == "" {
		d.invalid(name, "", "")
		return
	}
	d.disallowed(name, notYet)
}

// list is the texts of a list.
func (f field) list() []string {
	var all []string
	for i := range f.len() {
		all = append(all, f.index(i).text())
	}
	return all
}
