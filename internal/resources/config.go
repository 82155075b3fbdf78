package resources

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
)

// configMap is the body of a ConfigMap. What its keys mean depends on who reads
// it: a Broker, or Kurier itself by the ConfigMap's name (settings).
type configMap struct{ data field }

func decodeConfigMap(d *decoder) any {
	d.noPolicy()
	return &configMap{data: d.at("data")}
}

// secret is the body of a Secret. Nothing reads it yet.
type secret struct{}

func decodeSecret(d *decoder) any {
	d.noPolicy()
	for _, f := range d.at("data").pairs() {
		if _, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.text()), "")); err != nil {
			d.invalid(f, "(hidden)", err.Error()+"; stringData takes plain text")
		}
	}
	return &secret{}
}

// The keys of a Broker's ConfigMap and of kafka-channel-config.
const (
	keyServers         = "bootstrap.servers"
	keyPartitions      = "default.topic.partitions"
	keyReplication     = "default.topic.replication.factor"
	keyTopicConfig     = "default.topic.config."
	keySecret          = "auth.secret.ref.name"
	keySecretNamespace = "auth.secret.ref.namespace"
	keyChannelTemplate = "channel-template-spec"
	keyChannelOld      = "channelTemplateSpec"
)

// brokerTopic is what a Broker's ConfigMap says.
type brokerTopic struct {
	servers     string // as a cluster's name; empty: the environment's
	partitions  int32
	replication int16 // 0: the cluster's default
	config      map[string]string
}

// defaultBrokerTopic is a Broker's without a ConfigMap (6.4).
func defaultBrokerTopic() brokerTopic { return brokerTopic{partitions: 10} }

// brokerTopic reads the ConfigMap for Brokers.
func (d *decoder) brokerTopic() brokerTopic {
	t := brokerTopic{partitions: 10, replication: 3}
	for name, f := range d.at("data").pairs() {
		switch {
		case name == keyServers:
			t.servers = d.serverList(f)
		case name == keyPartitions:
			t.partitions = int32(d.number(f, math.MaxInt32))
		case name == keyReplication:
			t.replication = int16(d.number(f, math.MaxInt16))
		case strings.HasPrefix(name, keyTopicConfig) && len(name) > len(keyTopicConfig):
			if t.config == nil {
				t.config = map[string]string{}
			}
			t.config[name[len(keyTopicConfig):]] = f.text()
		case name == keySecret || name == keySecretNamespace:
			d.secretKey(f, name == keySecret)
		case name == keyChannelTemplate || name == keyChannelOld:
			d.warn(f.line, "key without effect", "a Broker of Kurier has a topic, not a channel", f.path)
			if !d.at("data").at(keyReplication).present() {
				t.replication = 0
			}
		default:
			d.unknownKey(f, name, keyServers, keyPartitions, keyReplication, keySecret)
		}
	}
	return t
}

// channelServers reads kafka-channel-config.
func (d *decoder) channelServers() (servers string) {
	for name, f := range d.at("data").pairs() {
		switch name {
		case keyServers:
			servers = d.serverList(f)
		case keySecret, keySecretNamespace:
			d.secretKey(f, name == keySecret)
		default:
			d.unknownKey(f, name, keyServers, keySecret, keySecretNamespace)
		}
	}
	return servers
}

func (d *decoder) unknownKey(f field, name string, known ...string) {
	s := schema{fields: fields{}}
	for _, k := range known {
		s.fields[k] = textField
	}
	d.warn(f.line, "unknown key", s.suggest("", name, nil), f.path)
}

func (d *decoder) serverList(f field) string {
	servers := cluster(f.text())
	if servers != "" && !isServers(servers) {
		d.invalid(f, f.text(), serversRule+", comma-separated")
	}
	return servers
}

func (d *decoder) secretKey(f field, names bool) {
	if names && f.text() != "" {
		d.disallowed(f, notYet)
	}
}

// number reads a text that is a whole number from 1 to most.
func (d *decoder) number(f field, most int64) int64 {
	value, err := strconv.ParseInt(strings.TrimSpace(f.text()), 10, 64)
	if err != nil || value < 1 || value > most {
		d.invalid(f, f.text(), "expected a whole number of at least 1")
		return 1
	}
	return value
}

// configMaps finds ConfigMaps by name, whatever their namespace: that of Knative
// first, then the default one, then the others in the order of the alphabet.
type configMaps map[string][]*manifest

func (c configMaps) add(m *manifest) { c[m.name] = append(c[m.name], m) }

func (c configMaps) find(name string) *manifest {
	return slices.MinFunc(c[name], func(a, b *manifest) int {
		if a.rank() != b.rank() {
			return a.rank() - b.rank()
		}
		return strings.Compare(a.namespace, b.namespace)
	})
}

func (m *manifest) rank() int {
	switch m.namespace {
	case "knative-eventing":
		return 0
	case "default":
		return 1
	}
	return 2
}
