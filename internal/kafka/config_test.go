package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// The hashes that Kafka's Java client computes (murmur2, signed as Java prints
// them), negative ones included.
var javaMurmur2 = map[string]int32{
	"21":                         -973932308,
	"foobar":                     -790332482,
	"a-little-bit-long-string":   -985981536,
	"a-little-bit-longer-string": -1486304829,
	"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
	"abc": 479470107,
}

func TestKeysGoWhereJavaSendsThem(t *testing.T) {
	p := NewConfig(Options{}).Producer.Partitioner("t")
	for key, hash := range javaMurmur2 {
		for _, partitions := range []int32{1, 2, 3, 10, 12, 1000, 1 << 30} {
			want := (hash & 0x7fffffff) % partitions
			got, err := p.Partition(record("t", key, ""), partitions)
			if err != nil || got != want {
				t.Errorf("key %q of %d partitions: %d, %v; Java sends it to %d", key, partitions, got, err, want)
			}
		}
	}
	if !p.(sarama.DynamicConsistencyPartitioner).MessageRequiresConsistency(record("t", "k", "")) {
		t.Error("a keyed record must stay on its partition even while that has no leader")
	}
}

// TestNullKeysSpread: records without a key share a partition only as long as a
// batch forms, then the next one is used, with as many bytes each.
func TestNullKeysSpread(t *testing.T) {
	p := newPartitioner("t").(*partitioner)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	choose := func(value string, partitions int32) int32 {
		t.Helper()
		partition, err := p.Partition(record("t", "", value), partitions)
		if err != nil || partition < 0 || partition >= partitions {
			t.Fatalf("partition %d of %d, %v", partition, partitions, err)
		}
		return partition
	}
	used := map[int32]int{}
	for range 10 * 1000 {
		used[choose(strings.Repeat("x", 1000), 10)]++
	}
	for partition, n := range used {
		if len(used) != 10 || n < 900 || n > 1100 {
			t.Errorf("%d of 10 partitions used, partition %d for %d of 10000 records", len(used), partition, n)
		}
	}
	first := choose("", 10)
	if now = now.Add(stickyTime - 1); choose("", 10) != first {
		t.Error("left the partition while a batch may form")
	}
	if now = now.Add(1); choose("", 10) == first {
		t.Error("stayed with the partition for too long")
	}
	choose("", 2) // there may be fewer partitions that can be written
	if p.MessageRequiresConsistency(record("t", "", "")) {
		t.Error("a record without key must avoid partitions without leader")
	}
}

func TestConfigs(t *testing.T) {
	configs := map[string]*sarama.Config{
		"base":     NewConfig(Options{}),
		"admin":    adminConfig(Options{}),
		"bulk":     producerConfig(t.Context(), Options{TopicQueueRecords: 1024}, kind{batch: bulkBytes}),
		"crowd":    producerConfig(t.Context(), Options{TopicQueueRecords: 1024}, kind{batch: bulkBytes, gather: true}),
		"single":   producerConfig(t.Context(), Options{TopicQueueRecords: 1024}, kind{batch: single}),
		"consumer": (&Cluster{}).ConsumerConfig(),
	}
	for name, c := range configs {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.Metadata.AllowAutoTopicCreation {
			t.Errorf("%s: creates topics by accident", name)
		}
		if !c.Producer.Idempotent || c.Producer.RequiredAcks != sarama.WaitForAll {
			t.Errorf("%s: an acknowledged record may be lost or doubled", name)
		}
		if c.Net.ReadTimeout <= c.Producer.Timeout || c.Net.ReadTimeout <= c.Consumer.MaxWaitTime {
			t.Errorf("%s: gives up while the broker may still answer", name)
		}
		if c.ClientID != "kurier" {
			t.Errorf("%s: client id %q", name, c.ClientID)
		}
	}
	if c := configs["bulk"]; c.ChannelBufferSize < 1024 {
		t.Error("one topic can block the producer's queue")
	}
	if f := configs["bulk"].Producer.Flush; f.Frequency != 0 || f.Messages != 0 || f.Bytes != 0 {
		t.Errorf("a record waits although there is no crowd: %+v", f)
	}
	if f := configs["crowd"].Producer.Flush; f.Frequency == 0 {
		t.Errorf("the last records of a crowd wait for ever: %+v", f)
	}
	a, b := configs["consumer"], (&Cluster{}).ConsumerConfig()
	if a.Consumer.Group.Rebalance.GroupStrategies[0] == b.Consumer.Group.Rebalance.GroupStrategies[0] {
		t.Error("two groups share one strategy object")
	}
}

func TestBatchBytes(t *testing.T) {
	for _, tc := range []struct{ limit, size, want int }{
		{0, 100, bulkBytes},
		{1048588, 100, bulkBytes},
		{5 << 20, 100, bulkBytes},
		{1048588, 999_000, bulkBytes},
		{1048588, bulkBytes, -1 << 20},
		{1048588, 2 << 20, -4 << 20}, // Kafka says that it is too large
		{100_000, 100, 65536},
		{100_000, 65_000, 65536},
		{100_000, 70_000, -128 << 10},
		{100_000, maxRecordBytes, single}, // no request takes it
		{200, 100, single},
	} {
		if got := batchBytes(tc.limit, tc.size); got != tc.want {
			t.Errorf("limit %d, record %d: %d, want %d", tc.limit, tc.size, got, tc.want)
		}
	}
}
