package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// A KafkaSource reads what other programs write, so these need a Kafka with a
// port; in the embedded broker events come by a KafkaSink.
var kafkaSourceScenarios = []scenario{
	{"KafkaSource of CloudEvents", sourceOfEvents},
	{"KafkaSource of several topics", sourceOfTopics},
	{"KafkaSource that gets a topic", sourceGetsTopic},
	{"KafkaSource with dead letters", sourceDeadLetters},
}

func TestKafkaSource(t *testing.T) { runKafkaSource(t, harness.NewDev(t, nil)) }

func TestKafkaSourceRealKafka(t *testing.T) {
	runKafkaSource(t, harness.NewRun(t, kafkatest.Shared(t).Bootstrap(), nil))
}

func runKafkaSource(t *testing.T, s *harness.System) {
	s.StartReady(t)
	t.Run("sources", func(t *testing.T) {
		for _, scenario := range kafkaSourceScenarios {
			t.Run(scenario.name, func(t *testing.T) {
				t.Parallel()
				scenario.run(t, s)
			})
		}
	})
	s.Command.Stop(t)
}

// kafkaOf is what manifests name; in `kurier dev` any address means the embedded broker.
func kafkaOf(s *harness.System) string {
	if servers := s.Env()["KAFKA_BOOTSTRAP_SERVERS"]; servers != "" {
		return servers
	}
	return "localhost:9092"
}

// sink adds a KafkaSink that makes its topic, and answers the topic.
func (w *world) sink(name string, partitions int) string {
	topic := w.ns + "." + name
	w.add("eventing.knative.dev/v1alpha1", "KafkaSink", name, fmt.Sprintf(
		"{topic: %s, bootstrapServers: [%q], numPartitions: %d, replicationFactor: 1}", topic, kafkaOf(w.s), partitions), "")
	return topic
}

func (w *world) source(name string, sub *harness.Subscriber, more string, topics ...string) {
	w.add("sources.knative.dev/v1beta1", "KafkaSource", name, fmt.Sprintf(
		"{topics: [%s], bootstrapServers: [%q], sink: {uri: %q}%s}", strings.Join(topics, ", "), kafkaOf(w.s), sub.URL, more), "")
}

// sourceOfEvents: what is a CloudEvent is delivered as it is, with the overrides.
func sourceOfEvents(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	topic := w.sink("k", 1)
	w.source("src", sub, ", ceOverrides: {extensions: {region: eu}}, consumerGroup: "+w.ns+"-group", topic)
	w.apply()
	s.Send(t, s.Sink(w.ns, "k"), harness.FullEvent())
	got := sub.AwaitReceived(t, 1)[0]
	if got.ID() != "full-event" || got.Attribute("type") != "com.example.FullEvent" || got.Attribute("region") != "eu" ||
		string(got.Body) != `"hello"` || got.Header.Get("Kn-Namespace") != w.ns {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	w.settled(w.ref("kafkasource", "src"))
	o, err := s.Status(w.ref("kafkasource", "src"))
	if err != nil || o.Status.Annotations["group.id"] != w.ns+"-group" || o.Condition("ConsumerGroup").Status != "True" {
		t.Errorf("%v %+v", err, o)
	}
}

// sourceOfTopics: all topics are one group, each is delivered once, in order.
func sourceOfTopics(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	w.source("src", sub, "", w.sink("a", 1), w.sink("b", 3), w.sink("c", 1))
	w.apply()
	const n = 10
	for i := range n {
		for _, sink := range []string{"a", "b", "c"} {
			s.Send(t, s.Sink(w.ns, sink), harness.Event{ID: fmt.Sprintf("%s%d", sink, i)})
		}
	}
	sub.AwaitReceived(t, 3*n)
	w.settled(w.ref("kafkasource", "src"))
	ids := sub.ReceivedIDs()
	for _, topic := range []string{"a", "c"} {
		part := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, topic) })
		if len(part) != n || !slices.IsSorted(part) {
			t.Errorf("topic %s: %v", topic, part)
		}
	}
	if len(ids) != 3*n {
		t.Errorf("%d events, want %d", len(ids), 3*n)
	}
}

// sourceGetsTopic: another topic joins a source that runs; nothing is lost or repeated.
func sourceGetsTopic(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	a, b := w.sink("a", 1), w.sink("b", 1)
	w.source("src", sub, "", a)
	w.apply()
	s.Send(t, s.Sink(w.ns, "a"), harness.Event{ID: "a1"})
	sub.AwaitReceived(t, 1)
	w.edit("topics: ["+a+"]", "topics: ["+a+", "+b+"]")
	s.AwaitStatus(t, w.ref("kafkasource", "src"), "ready with two topics", func(o *harness.Object) bool {
		two, err := s.Status(w.ref("kafkasource", "src"))
		return err == nil && two.Condition("Ready").Status == "True" && strings.Contains(specOf(s, w.ref("kafkasource", "src")), b)
	})
	s.Send(t, s.Sink(w.ns, "a"), harness.Event{ID: "a2"})
	s.Send(t, s.Sink(w.ns, "b"), harness.Event{ID: "b1"})
	sub.AwaitReceived(t, 3)
	w.settled(w.ref("kafkasource", "src"))
	if ids := slices.Sorted(slices.Values(sub.IDs())); !slices.Equal(ids, []string{"a1", "a2", "b1"}) {
		t.Errorf("%v", ids)
	}
}

func specOf(s *harness.System, ref string) string {
	_, body, _ := s.Get(s.Admin + "/status/" + ref)
	return body
}

// sourceDeadLetters: retries and dead letters are those of any consumer.
func sourceDeadLetters(t *testing.T, s *harness.System) {
	w := newWorld(t, s)
	sub, dead := harness.NewSubscriber(t, harness.RejectAll(0, "")), harness.NewSubscriber(t, nil)
	w.source("src", sub, fmt.Sprintf(", delivery: {retry: 1, deadLetterSink: {uri: %q}}", dead.URL), w.sink("k", 1))
	w.apply()
	s.Send(t, s.Sink(w.ns, "k"), harness.Event{ID: "1"})
	if got := dead.AwaitReceived(t, 1)[0]; got.ID() != "1" || got.Attribute("knativeerrordest") != sub.URL {
		t.Errorf("%v", got.Header)
	}
	w.pattern("the sink", sub, "FF")
}

// TestKafkaSourcePlainRecords: what is no CloudEvent becomes one.
func TestKafkaSourcePlainRecords(t *testing.T) {
	kafka := kafkatest.Shared(t)
	s := harness.NewRun(t, kafka.Bootstrap(), nil)
	s.StartReady(t)
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	topic := w.sink("k", 1)
	w.source("src", sub, ", ceOverrides: {extensions: {region: eu}}", topic)
	w.apply()
	cfg := sarama.NewConfig()
	cfg.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(strings.Split(kafka.Bootstrap(), ","), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if _, _, err = producer.SendMessage(&sarama.ProducerMessage{
		Topic: topic, Key: sarama.StringEncoder("customer-1"), Value: sarama.StringEncoder(`{"n":1}`),
		Headers: []sarama.RecordHeader{{Key: []byte("Trace-No"), Value: []byte("7")}, {Key: []byte("content-type"), Value: []byte("application/json")}},
	}); err != nil {
		t.Fatal(err)
	}
	got := sub.AwaitReceived(t, 1)[0]
	for name, want := range map[string]string{
		"type": "dev.knative.kafka.event", "source": "/apis/v1/namespaces/" + w.ns + "/kafkasources/src#" + topic,
		"id": "partition:0/offset:0", "subject": "partition:0#0", "key": "customer-1", "partitionkey": "customer-1",
		"kafkaheadertraceno": "7", "kafkaheadercontenttype": "application/json", "datacontenttype": "application/json", "region": "eu",
	} {
		if value := got.Attribute(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if string(got.Body) != `{"n":1}` || got.Attribute("time") == "" {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	s.Command.Stop(t)
}
