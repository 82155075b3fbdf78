package conformance

import (
	"fmt"
	"sort"
	"strings"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/harness"
)

// What stands in Kafka, written and read by a client of its own.
var recordParts = []part{{
	name: "Kafka protocol binding", onKafka: true, reads: true,
	cases: []testCase{
		{"CE-Kafka/binary", expect("delivered=equal")},
		{"CE-Kafka/structured, application/cloudevents+json", expect("delivered=equal")},
		{"CE-Kafka/structured, application/cloudevents+json; charset=utf-8", expect("delivered=equal")},
		{"DP-41/binary", expect("key=k", "value=hello", "headers=ce_id ce_partitionkey ce_source ce_specversion ce_subject ce_type content-type x-request-id",
			"content-type=text/plain", "ce_subject=a €")},
		{"DP-41/no data", expect("key=null", "value=null")},
		{"DP-41/structured", expect("headers=content-type", "content-type=application/cloudevents+json; charset=UTF-8", "value=an envelope", "key=k")},
		{"DL-37", expect("subscriber=0", "counted=1", "key=the key", "value=not an event", "headers=kurier-reason kurier-source other",
			"kurier-reason=not-a-cloudevent", "kurier-source=the record")},
		{"4.9/topic settings", expect("partitions=2", "max.message.bytes=165536", "retention.ms=-1")},
	},
	observe: records,
}}

// records writes to Kafka what Kurier reads, and reads what it wrote.
func records(w *world) observed {
	sub := w.subscriber(nil)
	w.broker("b", 1, "")
	w.trigger("t", "b", sub.URL, consumer{})
	w.broker("narrow", 2, "", `default.topic.config.max.message.bytes: "100000"`)
	w.trigger("narrow", "narrow", sub.URL, consumer{})
	w.channel("c", "")
	w.add("eventing.knative.dev/v1alpha1", "KafkaSink", "k", fmt.Sprintf(
		"{topic: %s-k, contentMode: structured, numPartitions: 1, replicationFactor: 1, bootstrapServers: [%s]}", w.ns, w.bootstrap()), "")
	w.apply()
	client := w.kafka()
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = producer.Close() })
	topic := "knative-broker-" + w.ns + "-b"

	hello := harness.Event{Type: "com.example.someevent", Source: "/mycontext/subcontext", ContentType: "application/json",
		Extensions: map[string]string{"time": "2018-04-05T03:56:24Z"}, Data: []byte(`{"message":"Hello World!"}`)}
	kinds := map[string]string{"binary": "", "structured, " + structured: structured, "structured, " + structured + "; charset=utf-8": structured + "; charset=utf-8"}
	events := map[string]harness.Event{}
	for name, contentType := range kinds {
		e := hello
		e.ID = strings.ReplaceAll(name, " ", "-")
		events[name] = e
		record := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(envelope(e)), Headers: header("content-type", contentType)}
		if contentType == "" {
			record.Value, record.Headers = sarama.ByteEncoder(e.Data), header("content-type", e.ContentType)
			for name, value := range attributesSent(&e) {
				if name != "datacontenttype" {
					record.Headers = append(record.Headers, header("ce_"+name, value)...)
				}
			}
		}
		if _, _, err := producer.SendMessage(record); err != nil {
			w.t.Fatal(err)
		}
	}
	_, foreign, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("the key"),
		Value: sarama.StringEncoder("not an event"), Headers: header("other", "kept")})
	if err != nil {
		w.t.Fatal(err)
	}
	full := harness.Event{ID: "full", ContentType: "text/plain", Data: []byte("hello"), Header: map[string][]string{"X-Request-Id": {"1"}},
		Extensions: map[string]string{"partitionkey": "k", "subject": "a%20%E2%82%AC"}}
	w.sendTo("c", full, harness.Event{ID: "empty"})
	w.s.Send(w.t, w.s.Sink(w.ns, "k"), full)
	w.settle()

	got := observed{}
	deadLetterTopic(w, client, got.of("4.9/topic settings"))
	for name, e := range events {
		got.of("CE-Kafka/"+name).set("delivered", each(withID(sub.Requests(), e.ID), func(r *harness.Request) string { return exactly(r, e, added...) }))
	}
	channel := w.read(client, "knative-messaging-kafka."+w.ns+".c", 2)
	f := got.of("DP-41/binary")
	f.set("key", text(channel[0].Key))
	f.set("value", text(channel[0].Value))
	f.set("headers", names(channel[0]))
	f.set("content-type", value(channel[0], "content-type"))
	f.set("ce_subject", value(channel[0], "ce_subject"))
	f = got.of("DP-41/no data")
	f.set("key", text(channel[1].Key))
	f.set("value", text(channel[1].Value))
	sink := w.read(client, w.ns+"-k", 1)[0]
	f = got.of("DP-41/structured")
	f.set("headers", strings.ReplaceAll(names(sink), " x-request-id", ""))
	f.set("content-type", value(sink, "content-type"))
	f.set("key", text(sink.Key))
	f.set("value", is(fmt.Sprint(strings.HasPrefix(string(sink.Value), "{") && strings.Contains(string(sink.Value), `"hello"`)), "true", "an envelope"))
	dead := w.read(client, "knative-trigger-"+w.ns+"-t.dead-letter", 1)[0]
	f = got.of("DL-37")
	f.set("subscriber", len(sub.Requests())-len(events))
	f.set("counted", w.metric("kurier_dispatch_not_cloudevents_total", "Trigger", "t"))
	f.set("key", text(dead.Key))
	f.set("value", text(dead.Value))
	f.set("headers", names(dead))
	reason, _, _ := strings.Cut(value(dead, "kurier-reason"), ":")
	f.set("kurier-reason", reason)
	f.set("kurier-source", is(value(dead, "kurier-source"), fmt.Sprintf("%s/0/%d", topic, foreign), "the record"))
	return got
}

// kafka is a client of this target's Kafka.
func (w *world) kafka() sarama.Client {
	w.t.Helper()
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Version = sarama.V3_6_0_0
	client, err := sarama.NewClient(strings.Split(w.s.Env()["KAFKA_BOOTSTRAP_SERVERS"], ","), config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = client.Close() })
	return client
}

// read returns the first n records of a topic with one partition.
func (w *world) read(client sarama.Client, topic string, n int) []*sarama.ConsumerMessage {
	w.t.Helper()
	reader, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		w.t.Fatal(err)
	}
	partition, err := reader.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		_ = partition.Close()
		_ = reader.Close()
	}()
	var all []*sarama.ConsumerMessage
	harness.Eventually(w.t, harness.Wait, fmt.Sprintf("%d records in %s", n, topic), func() error {
		for len(all) < n {
			select {
			case record := <-partition.Messages():
				all = append(all, record)
			default:
				return fmt.Errorf("%d so far", len(all))
			}
		}
		return nil
	})
	return all
}

func header(name, value string) []sarama.RecordHeader {
	return []sarama.RecordHeader{{Key: []byte(name), Value: []byte(value)}}
}

// names are the names of a record's headers, sorted.
func names(r *sarama.ConsumerMessage) string {
	var all []string
	for _, h := range r.Headers {
		all = append(all, string(h.Key))
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

func value(r *sarama.ConsumerMessage, name string) string {
	for _, h := range r.Headers {
		if string(h.Key) == name {
			return string(h.Value)
		}
	}
	return ""
}

func text(b []byte) string {
	if b == nil {
		return "null"
	}
	return string(b)
}

// deadLetterTopic notes how the dead letter topic of a Trigger was made.
func deadLetterTopic(w *world, client sarama.Client, f facts) {
	topic := "knative-trigger-" + w.ns + "-narrow.dead-letter"
	partitions, err := client.Partitions(topic)
	if err != nil {
		w.t.Fatal(err)
	}
	f.set("partitions", len(partitions))
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		w.t.Fatal(err)
	}
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"max.message.bytes", "retention.ms"}},
	}, sarama.DescribeConfigsOptions{})
	if err != nil || len(results) != 1 {
		w.t.Fatal(results, err)
	}
	for _, e := range results[0].Configs {
		f.set(e.Name, e.Value)
	}
}
