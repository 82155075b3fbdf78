package interop

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// record is what the Kafka client tells about one.
type record struct {
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Key       []byte            `json:"key"`
	Value     []byte            `json:"value"`
	Headers   map[string]string `json:"headers"`
	Event     event             `json:"event"` // as the SDK reads it
	Error     string            `json:"error"`
}

// recordOrder is a record to be written.
type recordOrder struct {
	Mode  string `json:"mode"` // binary, structured or plain
	Event event  `json:"event"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

func kafkaClient(t testing.TB, input []any, args ...string) []record {
	t.Helper()
	return call[record](t, python, input, "kafka_client.py", append([]string{kafkatest.Shared(t).Bootstrap()}, args...)...)
}

// TestKafkaClient: an independent client reads Kurier's records and offsets, and Kurier
// delivers what it writes.
func TestKafkaClient(t *testing.T) {
	python.prepare(t) // before a Kafka is started for nothing
	s := harness.NewRun(t, kafkatest.Shared(t).Bootstrap(), nil)
	s.StartReady(t)
	t.Run("kafka-python", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *harness.System){
			"reads": clientReads, "writes": clientWrites, "shares keys": clientSharesKeys,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	})
	s.Command.Stop(t)
}

// topicOf is the topic of the Broker of this test.
func topicOf(address string) (topic, group string) {
	parts := strings.Split(address, "/")
	ns := parts[len(parts)-2]
	return "knative-broker-" + ns + "-b", "knative-trigger-" + ns + "-t0"
}

// clientReads: records have the form of the Kafka binding, byte by byte; the SDK reads them;
// the group's offsets stand at the end.
func clientReads(t *testing.T, s *harness.System) {
	sub := harness.NewSubscriber(t, nil)
	address := place(t, s, sub.URL+"}")
	topic, group := topicOf(address)
	all := events("")
	for _, e := range all {
		post(t, address, e)
	}
	records := map[string]record{}
	ends := map[int32]int64{}
	for _, r := range kafkaClient(t, nil, "read", topic, fmt.Sprint(len(all))) {
		records[r.Headers["ce_id"]] = r
		ends[r.Partition] = max(ends[r.Partition], r.Offset+1)
	}
	for _, e := range all {
		r := records[e.id()]
		want := map[string]string{"ce_knativearrivaltime": r.Headers["ce_knativearrivaltime"], "ce_knativebrokerttl": "255"}
		for name, value := range e.Attributes {
			want["ce_"+name] = value
		}
		if kind, ok := e.Attributes["datacontenttype"]; ok {
			delete(want, "ce_datacontenttype")
			want["content-type"] = kind
		}
		if !maps.Equal(r.Headers, want) {
			t.Errorf("%s: headers %v, want %v", e.id(), r.Headers, want)
		}
		if !bytes.Equal(r.Value, e.Data) || (r.Value == nil) != (e.Data == nil) || string(r.Key) != e.Attributes["partitionkey"] {
			t.Errorf("%s: value %q (null: %t), key %q", e.id(), r.Value, r.Value == nil, r.Key)
		}
		asRead, _ := expected("python", reads, binary, e)
		asRead.Attributes["knativearrivaltime"] = r.Event.Attributes["knativearrivaltime"]
		asRead.Attributes["knativebrokerttl"] = "255"
		if d := difference(r.Event, asRead); d != "" || r.Error != "" {
			t.Errorf("%s, read by the SDK: %s %s", e.id(), r.Error, d)
		}
	}
	sub.AwaitReceived(t, len(all))
	harness.Eventually(t, harness.Wait, "the offsets to stand at the end", func() error {
		for _, committed := range kafkaClient(t, nil, "offsets", group, topic) {
			if end := ends[committed.Partition]; committed.Offset != end {
				return fmt.Errorf("partition %d: %d committed, the end is %d", committed.Partition, committed.Offset, end)
			}
		}
		return nil
	})
}

// clientWrites: events in both modes are delivered as they were meant; what is no event goes
// to the dead letter topic as it is.
func clientWrites(t *testing.T, s *harness.System) {
	sub := harness.NewSubscriber(t, nil)
	address := place(t, s, sub.URL+"}")
	topic, group := topicOf(address)
	orders := []any{recordOrder{Mode: "plain", Key: "k", Value: "no event"}}
	want := map[string]event{}
	for _, m := range []mode{binary, structured} {
		for _, e := range events(string(m) + "-") {
			orders = append(orders, recordOrder{Mode: string(m), Event: e})
			there, _ := expected("python", sends, m, e)
			want[e.id()] = there
		}
	}
	if written := kafkaClient(t, orders, "write", topic); len(written) != len(orders) {
		t.Fatalf("%d records written, want %d", len(written), len(orders))
	}
	compare(t, sub, want, position) // the arrival time is the ingress's
	dead := kafkaClient(t, nil, "read", group+".dead-letter", "1")[0]
	if string(dead.Key) != "k" || string(dead.Value) != "no event" || dead.Headers["X-Plain"] != "yes" ||
		!strings.HasPrefix(dead.Headers["kurier-reason"], "not-a-cloudevent: ") || !strings.HasPrefix(dead.Headers["kurier-source"], topic+"/") {
		t.Errorf("dead letter %+v", dead)
	}
}

// clientSharesKeys: the same key means the same partition, whoever writes.
func clientSharesKeys(t *testing.T, s *harness.System) {
	sub := harness.NewSubscriber(t, nil)
	address := place(t, s, sub.URL+"}")
	topic, _ := topicOf(address)
	var orders []any
	const n = 24
	for i := range n {
		e := event{map[string]string{"specversion": "1.0", "id": fmt.Sprint(i), "type": "t", "source": "/s", "partitionkey": fmt.Sprintf("Schlüssel %d", i*i)}, nil}
		post(t, address, e)
		orders = append(orders, recordOrder{Mode: "binary", Event: e})
	}
	kafkaClient(t, orders, "write", topic)
	partition := map[string]int32{}
	for _, r := range kafkaClient(t, nil, "read", topic, fmt.Sprint(2*n)) {
		key := string(r.Key)
		if before, ok := partition[key]; ok && before != r.Partition {
			t.Errorf("key %q is in the partitions %d and %d", key, before, r.Partition)
		}
		partition[key] = r.Partition
	}
	if len(partition) != n {
		t.Errorf("%d keys, want %d", len(partition), n)
	}
	sub.AwaitReceived(t, 2*n)
}
