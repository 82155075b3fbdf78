package kafka

import (
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"
)

// Records without a key stay with one partition for stickyBytes or stickyTime,
// whichever is over first. Both are small: an ordered Trigger delivers what
// shares a partition one after the other.
const (
	stickyBytes = 32 << 10
	stickyTime  = 5 * time.Millisecond
)

// partitioner sends records with a key where Kafka's Java client sends them. For
// records without a key it stays with a partition for a moment, then goes on to
// the next: under load that makes few large batches of many small ones, which
// cost this process and Kafka most of what a record costs. It belongs to one
// goroutine, that of its topic's producer.
type partitioner struct {
	sarama.DynamicConsistencyPartitioner // for records with a key
	now                                  func() time.Time

	sticky int32     // the partition of records without a key
	left   int       // bytes until the next one takes over
	until  time.Time // when it takes over anyway
}

func newPartitioner(topic string) sarama.Partitioner {
	return &partitioner{
		DynamicConsistencyPartitioner: sarama.NewMurmur2Partitioner(topic).(sarama.DynamicConsistencyPartitioner),
		now:                           time.Now,
		sticky:                        rand.Int32(), // replicas that start together must not walk in step
	}
}

// Partition implements sarama.Partitioner.
func (p *partitioner) Partition(rec *sarama.ProducerMessage, partitions int32) (int32, error) {
	if rec.Key != nil {
		return p.DynamicConsistencyPartitioner.Partition(rec, partitions)
	}
	if now := p.now(); p.left <= 0 || !now.Before(p.until) || p.sticky >= partitions {
		p.sticky = int32((int64(p.sticky) + 1) % int64(partitions))
		p.left, p.until = stickyBytes, now.Add(stickyTime)
	}
	p.left -= rec.ByteSize(2)
	return p.sticky, nil
}
