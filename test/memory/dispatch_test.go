package memory

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// TestAHundredHangingSubscribers: 100 triggers of 10 partitions, a backlog of events of
// 64 KiB that each of them has before it, and no subscriber that answers. Each trigger
// keeps its share: it has requests on the wire.
func TestAHundredHangingSubscribers(t *testing.T) {
	const triggers, events, bytes = 100, 2000, 64 << 10
	kafka := kafkatest.Shared(t)
	s, namespace := process(t, kafka, "run", harness.Env{"DELIVERY_TIMEOUT": "PT1H"})
	b := broker{namespace, 10}
	s.Write(t, "broker.yaml", brokerManifest, b)
	s.StartReady(t)
	s.AwaitCondition(t, "broker/"+namespace+"/b", "Ready", "True")
	backlog(t, kafka, b, events, bytes)
	sub := newSubscriber(t, hang)
	for i := range triggers {
		name := fmt.Sprint("t", i)
		s.Write(t, name+".yaml", triggerManifest, trigger{namespace, name, sub.URL + "/" + name, "{retry: 0}"})
	}
	harness.Eventually(t, 2*harness.Wait, "each trigger to have requests on the wire", func() error {
		if n := sub.paths(); n < triggers {
			return fmt.Errorf("%d of %d triggers have", n, triggers)
		}
		return nil
	})
	quiet(t, "reading to pause", func() int64 { return metric(t, s, "kurier_consumer_buffered_bytes") })
	t.Logf("%d MiB buffered", metric(t, s, "kurier_consumer_buffered_bytes")>>20)
	within(t, s, "100 Triggers of 10 partitions, a backlog of 64 KiB events, all subscribers hang", hundredHanging)
}

// TestAThousandLargeFailures: 1,000 events of 1 MiB fail in one trigger and wait.
func TestAThousandLargeFailures(t *testing.T) {
	const events, bytes = 1000, 1<<20 - 8<<10
	kafka := kafkatest.Shared(t)
	s, namespace := process(t, kafka, "run", nil)
	b := broker{namespace, 10}
	s.Write(t, "broker.yaml", brokerManifest, b)
	s.StartReady(t)
	s.AwaitCondition(t, "broker/"+namespace+"/b", "Ready", "True")
	backlog(t, kafka, b, events, bytes)
	sub := newSubscriber(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	s.Write(t, "t.yaml", triggerManifest, trigger{namespace, "t", sub.URL + "/t", "{retry: 5, backoffPolicy: linear, backoffDelay: PT1H}"})
	harness.Eventually(t, harness.Wait, "the window to be full", func() error {
		o, err := s.Status("trigger/" + namespace + "/t")
		if err == nil && o.Condition("WindowFull").Status != "True" {
			err = fmt.Errorf("WindowFull is %+v", o.Condition("WindowFull"))
		}
		return err
	})
	quiet(t, "reading to pause", func() int64 { return metric(t, s, "kurier_consumer_buffered_bytes") })
	t.Logf("%d events failed, %d MiB buffered", sub.count("/t"), metric(t, s, "kurier_consumer_buffered_bytes")>>20)
	if sub.count("/t") < 200 {
		t.Errorf("%d events were tried, want what DELIVERY_BUFFER_BYTES has room for", sub.count("/t"))
	}
	within(t, s, "1,000 events of 1 MiB that fail in one Trigger", 768)
}

// TestHugeAnswers: subscribers answer with 10 GB each, with and without calling it an
// event.
func TestHugeAnswers(t *testing.T) {
	const events, answer = 400, 10 << 30
	kafka := kafkatest.Shared(t)
	s, namespace := process(t, kafka, "run", nil)
	b := broker{namespace, 10}
	s.Write(t, "broker.yaml", brokerManifest, b)
	s.StartReady(t)
	s.AwaitCondition(t, "broker/"+namespace+"/b", "Ready", "True")
	sub := newSubscriber(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/event" {
			for name, value := range map[string]string{"Id": "1", "Source": "/x", "Type": "x", "Specversion": "1.0"} {
				w.Header().Set("Ce-"+name, value)
			}
		}
		block := make([]byte, 64<<10)
		for written := 0; written < answer; written += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	for _, name := range []string{"event", "text"} {
		s.Write(t, name+".yaml", triggerManifest, trigger{namespace, name, sub.URL + "/" + name, "{retry: 0}"})
		s.AwaitCondition(t, "trigger/"+namespace+"/"+name, "Ready", "True")
	}
	backlog(t, kafka, b, events, 100)
	harness.Eventually(t, harness.Wait, "every event to have its end", func() error {
		lag := metric(t, s, "kurier_dispatch_lag")
		if sub.count("/event") < events || sub.count("/text") < events || lag > 0 {
			return fmt.Errorf("%d and %d requests, lag %d", sub.count("/event"), sub.count("/text"), lag)
		}
		return nil
	})
	within(t, s, "subscribers that answer 10 GB", 512)
}

// TestJW20GapOfTenMillion: the log begins ten million offsets behind the committed
// position. It is passed within a second or so, and costs no memory.
func TestJW20GapOfTenMillion(t *testing.T) {
	const gap = 10_000_000
	kafka := kafkatest.Shared(t)
	s, namespace := process(t, kafka, "run", nil)
	b := broker{namespace, 1}
	sub := newSubscriber(t, func(http.ResponseWriter, *http.Request) {})
	s.Write(t, "broker.yaml", brokerManifest, b)
	s.Write(t, "t.yaml", triggerManifest, trigger{namespace, "t", sub.URL + "/t", "{retry: 0}"})
	s.StartReady(t)
	s.AwaitCondition(t, "trigger/"+namespace+"/t", "Ready", "True")
	backlog(t, kafka, b, 5, 10)
	harness.Eventually(t, harness.Wait, "a committed position", func() error {
		if sub.count("/t") < 5 || metric(t, s, "kurier_dispatch_lag") > 0 {
			return fmt.Errorf("%d requests", sub.count("/t"))
		}
		return nil
	})
	s.Command.Stop(t)
	empty(t, kafka, b.topic(), gap)
	backlog(t, kafka, b, 5, 10)
	s.StartReady(t)
	began := time.Now()
	harness.Eventually(t, harness.Wait, "the events behind the gap", func() error {
		if n := sub.count("/t"); n < 10 {
			return fmt.Errorf("%d requests", n)
		}
		return nil
	})
	t.Logf("the gap was passed %s after the process was ready", time.Since(began).Round(time.Millisecond))
	if n := metric(t, s, "kurier_consumer_out_of_range_total"); n != 1 {
		t.Errorf("%d partitions out of range, want 1", n)
	}
	within(t, s, "a gap of 10 million offsets", 128)
}

// empty fills a partition with that many records and deletes them.
func empty(t *testing.T, kafka *kafkatest.Cluster, topic string, n int) {
	t.Helper()
	c := client(t, kafka, kgo.DefaultProduceTopic(topic), kgo.MaxBufferedRecords(1<<20), kgo.ProducerLinger(50*time.Millisecond))
	for range n {
		c.Produce(t.Context(), &kgo.Record{}, nil)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = -1 // all
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.LowWatermark < int64(n) {
		t.Fatalf("%+v", p)
	}
}
