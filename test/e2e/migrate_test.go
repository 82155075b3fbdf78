package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// subscriptionUID is part of the name of a Subscription's group.
const subscriptionUID = "8d0dd1e4-9a8a-4d2f-9d6c-3f2d3c9f7b11"

// exported are manifests as kubectl get -o yaml prints them.
const exported = `
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: kafka-broker-config, namespace: knative-eventing, uid: 5b7a, resourceVersion: "811", creationTimestamp: "2024-05-02T08:11:30Z"}
  data: {bootstrap.servers: "{{.Bootstrap}}", default.topic.partitions: "2", default.topic.replication.factor: "1"}
- apiVersion: eventing.knative.dev/v1
  kind: Broker
  metadata:
    annotations:
      eventing.knative.dev/broker.class: Kafka
      eventing.knative.dev/creator: admin
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"eventing.knative.dev/v1","kind":"Broker"}
    creationTimestamp: "2024-05-02T08:12:30Z"
    finalizers: [brokers.eventing.knative.dev]
    generation: 3
    managedFields:
    - {apiVersion: eventing.knative.dev/v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {}}, manager: kubectl, operation: Update, time: "2024-05-02T08:12:30Z"}
    name: orders
    namespace: {{.NS}}
    resourceVersion: "812345"
    uid: 1f8c3d54-64b4-4c57-9d4b-52cbbfe2a0a1
  spec:
    config: {apiVersion: v1, kind: ConfigMap, name: kafka-broker-config, namespace: knative-eventing}
    delivery: {backoffDelay: PT1H, backoffPolicy: linear, retry: 10}
  status:
    address: {name: http, url: "http://kafka-broker-ingress.knative-eventing.svc.cluster.local/{{.NS}}/orders"}
    annotations: {bootstrap.servers: "{{.Bootstrap}}", default.topic: knative-broker-{{.NS}}-orders, default.topic.partitions: "2"}
    conditions:
    - {lastTransitionTime: "2024-05-02T08:12:35Z", status: "True", type: Ready}
    observedGeneration: 3
- apiVersion: eventing.knative.dev/v1
  kind: Trigger
  metadata:
    creationTimestamp: "2024-05-02T08:13:30Z"
    finalizers: [triggers.eventing.knative.dev]
    generation: 1
    labels: {eventing.knative.dev/broker: orders}
    name: audit
    namespace: {{.NS}}
    resourceVersion: "812399"
    uid: 0a6e9b1e-3b7e-4a8d-8a6b-0f3f3f3c1c2d
  spec:
    broker: orders
    filter: {}
    subscriber: {ref: {apiVersion: v1, kind: Service, name: audit, namespace: {{.NS}}}}
  status:
    annotations: {group.id: knative-trigger-{{.NS}}-audit}
    conditions:
    - {lastTransitionTime: "2024-05-02T08:13:35Z", status: "True", type: Ready}
    observedGeneration: 1
    subscriberUri: http://audit.{{.NS}}.svc.cluster.local
- apiVersion: messaging.knative.dev/v1beta1
  kind: KafkaChannel
  metadata:
    annotations: {messaging.knative.dev/subscribable: v1}
    creationTimestamp: "2024-05-02T08:14:30Z"
    finalizers: [kafkachannels.messaging.knative.dev]
    generation: 2
    name: invoices
    namespace: {{.NS}}
    resourceVersion: "812400"
    uid: 77c1a6a0-0c55-4b2c-8f63-61a9c8b0ddaa
  spec:
    numPartitions: 1
    replicationFactor: 1
    retentionDuration: PT168H
    subscribers:
    - {generation: 1, subscriberUri: "http://ledger.{{.NS}}.svc.cluster.local", uid: {{.UID}}}
  status:
    address: {url: "http://invoices-kn-channel.{{.NS}}.svc.cluster.local"}
    conditions:
    - {lastTransitionTime: "2024-05-02T08:14:35Z", status: "True", type: Ready}
    subscribers:
    - {observedGeneration: 1, ready: "True", uid: {{.UID}}}
- apiVersion: messaging.knative.dev/v1
  kind: Subscription
  metadata:
    creationTimestamp: "2024-05-02T08:15:30Z"
    finalizers: [subscriptions.messaging.knative.dev]
    generation: 1
    name: ledger
    namespace: {{.NS}}
    resourceVersion: "812433"
    uid: {{.UID}}
  spec:
    channel: {apiVersion: messaging.knative.dev/v1beta1, kind: KafkaChannel, name: invoices}
    subscriber: {ref: {apiVersion: v1, kind: Service, name: ledger, namespace: {{.NS}}}}
  status:
    conditions:
    - {lastTransitionTime: "2024-05-02T08:15:35Z", status: "True", type: Ready}
    physicalSubscription: {subscriberUri: "http://ledger.{{.NS}}.svc.cluster.local"}
`

// TestMigrateFromKnative goes the way of docs/migrate-from-knative.md: topics, groups and
// offsets of Knative's data plane are taken over while events come in, given back, and
// taken over again. Nothing is lost, and what was settled is not delivered again by Kurier.
func TestMigrateFromKnative(t *testing.T) {
	m := newMove(t, kafkatest.Shared(t).Bootstrap())
	m.knativeWasHere()
	m.receiverFirst()
	m.dispatcherGoesOn()
	m.stepBack()
	m.again()
	m.receiver.Command.Stop(t)
}

// move is one migration.
type move struct {
	t                    *testing.T
	old                  *oldDataPlane
	ns                   string
	topic, group         string // of the Broker and its Trigger
	channel, channelGrp  string // of the channel and its Subscription
	receiver, dispatcher *harness.System
	audit, ledger        *harness.Subscriber
}

func newMove(t *testing.T, bootstrap string) *move {
	ns := harness.Namespace(t)
	m := &move{
		t: t, ns: ns, old: newOldDataPlane(t, bootstrap),
		topic: "knative-broker-" + ns + "-orders", group: "knative-trigger-" + ns + "-audit",
		channel: "knative-messaging-kafka." + ns + ".invoices", channelGrp: "kafka." + ns + ".invoices." + subscriptionUID,
		ledger: harness.NewSubscriber(t, nil),
	}
	// One event is never accepted, so that it stays unsettled while later ones are.
	m.audit = harness.NewSubscriber(t, func(r *harness.Request) harness.Answer {
		if r.ID() == "stuck" {
			return harness.Answer{Status: 503}
		}
		return harness.Answer{}
	})
	m.receiver = harness.NewSystem(t, harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": bootstrap,
		"SERVICE_URLS":            fmt.Sprintf("%s/audit=%s,%s/ledger=%s", ns, m.audit.URL, ns, m.ledger.URL),
	}, "receiver")
	m.dispatcher = m.receiver.Sibling(t, harness.Env{"INSTANCE_NAME": "dispatcher"}, "dispatcher")
	m.receiver.Write(t, "exported.yaml", exported, map[string]string{"NS": ns, "Bootstrap": bootstrap, "UID": subscriptionUID})
	return m
}

// knativeWasHere: two topics with records, of which a part is committed, without metadata.
func (m *move) knativeWasHere() {
	m.old.create(m.topic, 2)
	m.old.create(m.channel, 1)
	for i := range 5 {
		m.old.write(m.topic, 0, fmt.Sprintf("java-0-%d", i))
		m.old.write(m.topic, 1, fmt.Sprintf("java-1-%d", i))
		m.old.write(m.channel, 0, fmt.Sprintf("java-c-%d", i))
	}
	m.old.commit(m.group, m.topic, 0, 3)
	m.old.commit(m.group, m.topic, 1, 5)
	m.old.commit(m.channelGrp, m.channel, 0, 2)
}

// receiverFirst: Kurier's receiver takes events while the old dispatcher still delivers; it
// reads what Kurier stored.
func (m *move) receiverFirst() {
	m.receiver.StartReady(m.t)
	running := m.old.consume(m.group, m.topic)
	m.receiver.SendAgain(m.t, harness.Wait, m.receiver.Broker(m.ns, "orders"), harness.Event{ID: "early", Data: []byte("{}")})
	running.await(m.t, "java-0-3", "java-0-4", "early")
	running.stop(m.t)
	m.old.write(m.topic, 0, "late-0") // the old receiver is still there for some producers
	m.old.write(m.topic, 1, "late-1")
}

// dispatcherGoesOn: Kurier's dispatcher begins exactly at the committed offsets.
func (m *move) dispatcherGoesOn() {
	m.dispatcher.StartReady(m.t)
	m.ready()
	m.exactly(m.audit, "late-0", "late-1")
	m.exactly(m.ledger, "java-c-2", "java-c-3", "java-c-4")
	got := m.ledger.Received()[0]
	for name, want := range map[string]string{
		"specversion": "1.0", "source": "/java", "type": "com.example.java", "time": "2024-05-02T08:12:30.123456Z",
		"subject": "Gr%C3%BC%C3%9Fe%201", "tenant": "a%20b", "datacontenttype": "application/json", "partitionkey": "",
	} {
		if value := got.Attribute(name); value != want {
			m.t.Errorf("%s of a record of the old data plane is %q, want %q", name, value, want)
		}
	}
	if string(got.Body) != `{"id": "java-c-2"}` || got.Header.Get("Traceparent") != traceparent {
		m.t.Errorf("%v %s", got.Header, got.Body)
	}
}

func (m *move) ready() {
	m.dispatcher.AwaitObjects(m.t, "trigger/"+m.ns+"/audit", "subscription/"+m.ns+"/ledger")
}

// exactly waits until a subscriber has accepted the events, in any order, and nothing else.
func (m *move) exactly(sub *harness.Subscriber, ids ...string) {
	m.t.Helper()
	sub.AwaitReceived(m.t, len(ids))
	got := sub.ReceivedIDs()
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		m.t.Errorf("%v, want %v", got, ids)
	}
}

// stepBack: Kurier stops while an event is unsettled and later ones are settled. Another
// client goes on from the offset that it finds and misses nothing.
func (m *move) stepBack() {
	m.old.write(m.topic, 0, "stuck")
	m.audit.AwaitRequests(m.t, 3)
	m.old.write(m.topic, 0, "after")
	m.exactly(m.audit, "late-0", "late-1", "after")
	m.dispatcher.Command.Stop(m.t)

	frontier := m.old.find(m.topic, 0, "stuck")
	offset, metadata := m.old.committed(m.group, m.topic, 0)
	if offset != frontier || !strings.HasPrefix(metadata, "ku1.") {
		m.t.Errorf("committed are %d and %q, want %d and what is done beyond it", offset, metadata, frontier)
	}
	running := m.old.consume(m.group, m.topic)
	m.receiver.Send(m.t, m.receiver.Broker(m.ns, "orders"), harness.Event{ID: "back", Data: []byte("{}")})
	running.await(m.t, "stuck", "after", "back")
	running.stop(m.t)
	if seen := running.ids(); len(seen) != 3 {
		m.t.Errorf("the old data plane read %v again", seen)
	}
	channel := m.old.consume(m.channelGrp, m.channel)
	m.old.write(m.channel, 0, "java-c-5")
	channel.await(m.t, "java-c-5")
	channel.stop(m.t)
	if seen := channel.ids(); len(seen) != 1 {
		m.t.Errorf("the old data plane read %v of the channel again", seen)
	}
}

// again: Kurier goes on where the other client stopped.
func (m *move) again() {
	m.dispatcher.StartReady(m.t)
	m.ready()
	m.receiver.Send(m.t, m.receiver.Broker(m.ns, "orders"), harness.Event{ID: "again"})
	m.receiver.Send(m.t, m.receiver.Channel(m.ns, "invoices"), harness.Event{ID: "again"})
	m.exactly(m.audit, "late-0", "late-1", "after", "again")
	m.exactly(m.ledger, "java-c-2", "java-c-3", "java-c-4", "again")
	m.dispatcher.Command.Stop(m.t)
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// oldDataPlane does in Kafka what Knative's does, with a plain client.
type oldDataPlane struct {
	t         testing.TB
	bootstrap []string
	client    sarama.Client
	admin     sarama.ClusterAdmin
	producer  sarama.SyncProducer
}

func plainConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Consumer.Offsets.Initial = sarama.OffsetNewest // what has no offset begins at the end
	return cfg
}

func newOldDataPlane(t testing.TB, bootstrap string) *oldDataPlane {
	t.Helper()
	o := &oldDataPlane{t: t, bootstrap: strings.Split(bootstrap, ",")}
	var err error
	if o.client, err = sarama.NewClient(o.bootstrap, plainConfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.client.Close() })
	if o.admin, err = sarama.NewClusterAdmin(o.bootstrap, plainConfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.admin.Close() })
	if o.producer, err = sarama.NewSyncProducerFromClient(o.client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.producer.Close() })
	return o
}

func (o *oldDataPlane) create(topic string, partitions int32) {
	o.t.Helper()
	if err := o.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false); err != nil {
		o.t.Fatal(err)
	}
	harness.Eventually(o.t, harness.Wait, topic+" to be there", func() error { return o.client.RefreshMetadata(topic) })
}

// write writes a record in the form of the Java data plane.
func (o *oldDataPlane) write(topic string, partition int32, id string) {
	o.t.Helper()
	headers := map[string]string{
		"ce_specversion": "1.0", "ce_id": id, "ce_source": "/java", "ce_type": "com.example.java",
		"ce_time": "2024-05-02T08:12:30.123456Z", "ce_subject": "Grüße 1", "ce_tenant": "a b",
		"content-type": "application/json", "traceparent": traceparent,
	}
	message := &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(fmt.Sprintf(`{"id": %q}`, id))}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte(headers[name])})
	}
	if _, _, err := o.producer.SendMessage(message); err != nil {
		o.t.Fatal(err)
	}
}
