package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/kafkatest"
)

func TestEnsureTopicCreates(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		name := kafkatest.Name(t)
		spec := TopicSpec{
			Name: name, Partitions: 3, Replication: 1, Create: true,
			Config: map[string]string{"retention.ms": "3600000", "max.message.bytes": "2000000"},
		}
		info, err := c.EnsureTopic(testContext(t), spec)
		if err != nil {
			t.Fatal(err)
		}
		if info.ID == [16]byte{} || !info.Created {
			t.Errorf("created topic: %+v", info)
		}
		want := TopicInfo{Partitions: 3, Replication: 1, MaxMessageBytes: 2_000_000, Retention: time.Hour, ID: info.ID, Created: true}
		if info != want {
			t.Errorf("topic is %+v, want %+v", info, want)
		}
		again, err := c.EnsureTopic(testContext(t), spec)
		want.Created = false
		if err != nil || again != want {
			t.Errorf("second time %+v, %v; want %+v", again, err, want)
		}
		deleteTopic(t, c, name)
		// Kafka acknowledges a deletion before every broker has forgotten the topic.
		eventually(t, "made anew", func() bool {
			third, err := c.EnsureTopic(testContext(t), spec)
			return err == nil && third.ID != info.ID
		})
	})
}

func TestEnsureTopicDefaults(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		info, err := c.EnsureTopic(testContext(t), TopicSpec{Name: kafkatest.Name(t), Create: true})
		if err != nil || info.Partitions < 1 || info.Replication != 1 || info.Retention != 7*24*time.Hour {
			t.Errorf("the cluster's defaults: %+v, %v", info, err)
		}
	})
}

func TestEnsureTopicsSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		small := mustTopic(t, c, 2)
		base := kafkatest.Name(t)
		specs := []TopicSpec{
			{Name: base + "-missing", Partitions: 4},
			{Name: base + "-replicas", Partitions: 1, Replication: 3, Create: true},
			{Name: "not/a/topic", Partitions: 1, Create: true},
			{Name: base + "-good", Partitions: 1, Create: true},
			{Name: small, Partitions: 10, Create: true},
		}
		if tg.embedded != nil {
			specs[2].Name = strings.ReplaceAll(small, "-", ".")
			if _, err := c.EnsureTopic(testContext(t), specs[2]); err != nil {
				t.Fatal(err)
			}
			specs[2].Name = strings.ReplaceAll(small, "-", "_") // collides with the dots
		}
		results := c.EnsureTopics(testContext(t), specs)
		for i, want := range []struct{ reason, text string }{
			{ReasonTopicMissing, "does not exist, and this object says that it is not created: create it (kafka-topics.sh --create --topic " + base + "-missing --partitions 4)"},
			{ReasonTooManyReplicas, "cannot have 3 replicas: Kafka has 1 broker: set a replication factor of at most 1"},
			{ReasonInvalidTopic, "does not accept the topic name"},
		} {
			var problem *TopicError
			err := results[specs[i].Name].Err
			if !errors.As(err, &problem) || problem.Reason != want.reason || !strings.Contains(problem.Message, want.text) {
				t.Errorf("%s: %v\nwant reason %s, text …%s…", specs[i].Name, err, want.reason, want.text)
			}
		}
		if err := results[base+"-good"].Err; err != nil {
			t.Errorf("the good one fails with the bad ones: %v", err)
		}
		result := results[small]
		if result.Err != nil || result.Info.Partitions != 2 ||
			!strings.Contains(result.Info.Warning, "has 2 partitions, the manifest wants 10") ||
			!strings.Contains(result.Info.Warning, "--partitions 10") {
			t.Errorf("too few partitions: %+v", result)
		}
	})
}

func TestEnsureManyTopics(t *testing.T) {
	t.Parallel()
	tg := onEmbedded(t)
	c := tg.open(t)
	var specs []TopicSpec
	for i := range 450 {
		specs = append(specs, TopicSpec{Name: fmt.Sprintf("many-%d", i), Partitions: 2, Create: true})
	}
	for round, created := range []bool{true, false} {
		begin := time.Now()
		results := c.EnsureTopics(testContext(t), specs)
		if len(results) != len(specs) {
			t.Fatalf("%d results for %d topics", len(results), len(specs))
		}
		for name, result := range results {
			if result.Err != nil || result.Info.Partitions != 2 || result.Info.Created != created || result.Info.MaxMessageBytes == 0 {
				t.Fatalf("round %d, %s: %+v", round, name, result)
			}
		}
		t.Logf("round %d: %d topics in %v", round, len(specs), time.Since(begin))
	}
}

// No client of ours creates a topic by accident, not even on a Kafka that
// creates every topic it is asked about.
func TestNothingIsCreatedByAccident(t *testing.T) {
	t.Parallel()
	tg := target{brokers: kafkatest.SharedDefaults(t).Brokers()}
	c := tg.open(t)
	topic := kafkatest.Name(t)
	ctx := testContext(t)
	if _, err := c.EnsureTopic(ctx, TopicSpec{Name: topic}); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("check: %v", err)
	}
	if err := c.Produce(ctx, record(topic, "", "x"), nil); !errors.Is(err, ErrTopicUnavailable) {
		t.Errorf("produce: %v", err)
	}
	if err := c.Pin(ctx, topic, topic, Initial{}); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("pin: %v", err)
	}
	if err := c.Tail(ctx, topic, TailFrom{}, nil); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("tail: %v", err)
	}
	client, err := c.CommitClient()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Partitions(topic); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("commit client: %v", err)
	}
	names, err := ask(ctx, c, func(a *adminConn) (map[string]sarama.TopicDetail, error) { return a.ListTopics() })
	if err != nil {
		t.Fatal(err)
	}
	if _, exists := names[topic]; exists {
		t.Error("the topic exists now")
	}
}

func TestUnreachableKafka(t *testing.T) {
	t.Parallel()
	c := target{brokers: []string{"127.0.0.1:1"}}.open(t)
	ctx := testContext(t)
	var problem *TopicError
	_, err := c.EnsureTopic(ctx, TopicSpec{Name: "t", Create: true})
	if !errors.As(err, &problem) || problem.Reason != ReasonKafkaUnreachable || !problem.Temporary() ||
		problem.Message != "topic t cannot be checked: Kafka at 127.0.0.1:1: connection refused" {
		t.Errorf("topic: %v", err)
	}
	if err := c.Pin(ctx, "g", "t", Initial{}); err == nil {
		t.Error("pinned without Kafka")
	}
	if _, err := c.Groups(ctx, []GroupTopic{{"g", "t"}}); err == nil {
		t.Error("groups without Kafka")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.EnsureTopic(ended, TopicSpec{Name: "t"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v", err)
	}
}
