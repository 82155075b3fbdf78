package consumer

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// flow writes a record to each of some partitions, again and again, and a watch
// of it knows when each partition was last heard of.
type flow struct {
	r    *rig
	end  chan struct{}
	done sync.WaitGroup
	once sync.Once

	mu   sync.Mutex
	sent map[int32]int64 // by partition
	seen map[int32]int64
	last map[int32]time.Time
	gap  map[int32]time.Duration // the longest since watch
}

const flowEvery = 20 * time.Millisecond

// newFlow begins to write.
func (r *rig) newFlow(partitions ...int32) *flow {
	f := &flow{r: r, end: make(chan struct{}), sent: map[int32]int64{}, seen: map[int32]int64{}}
	f.watch()
	f.done.Go(func() {
		every := time.NewTicker(flowEvery)
		defer every.Stop()
		for {
			select {
			case <-f.end:
				return
			case <-every.C:
			}
			for _, p := range partitions {
				if _, _, err := r.output.SendMessage(&sarama.ProducerMessage{Topic: r.topic, Partition: p}); err != nil {
					r.t.Errorf("partition %d: %v", p, err)
					return
				}
				f.mu.Lock()
				f.sent[p]++
				f.mu.Unlock()
			}
		}
	})
	r.t.Cleanup(f.stop)
	return f
}

// stop ends the writing.
func (f *flow) stop() {
	f.once.Do(func() { close(f.end) })
	f.done.Wait()
}

// arrived notes a record that was settled.
func (f *flow) arrived(partition int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[partition]++
	if last, ok := f.last[partition]; ok {
		f.gap[partition] = max(f.gap[partition], time.Since(last))
	}
	f.last[partition] = time.Now()
}

// watch forgets the gaps so far.
func (f *flow) watch() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.gap = map[int32]time.Time{}, map[int32]time.Duration{}
}

// longest is the longest time without a record of these partitions, since watch.
func (f *flow) longest(partitions []int32) (gap time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range partitions {
		gap = max(gap, f.gap[p])
	}
	return gap
}

// counts tells how many records of each partition were settled.
func (f *flow) counts(partitions []int32) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := make([]int64, len(partitions))
	for i, p := range partitions {
		n[i] = f.seen[p]
	}
	return n
}

// goesOn waits until n more records of each of these partitions were settled.
func (f *flow) goesOn(t testing.TB, partitions []int32, n int64) {
	t.Helper()
	before := f.counts(partitions)
	eventually(t, "each partition goes on", func() bool {
		return !slices.ContainsFunc(partitions, func(p int32) bool {
			i := slices.Index(partitions, p)
			return f.counts(partitions[i : i+1])[0] < before[i]+n
		})
	})
}

// quick is the config of a consumer of the group g, in order, that notices rebalances
// and new partitions within half a second.
func (r *rig) quick() Config {
	cfg, base := r.config("g", Ordered), *r.base
	base.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	base.Metadata.RefreshFrequency = 500 * time.Millisecond
	cfg.Sarama = &base
	return cfg
}
