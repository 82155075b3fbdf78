package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bounds, in percent of MaxBytes.
const (
	freeAbove   = 80 // settled events are removed
	freeBelow   = 70 // until this is reached
	refuseAbove = 85 // new events of topics with groups are refused
	admitBelow  = 80
	// refuseAllAbove refuses everything. What lies between is for dead letters
	// and sinks: without room for a dead letter a failing event would never be
	// settled, and nothing would ever be freed.
	refuseAllAbove = 94
	// betweenChecks is the part of MaxBytes that may be written between two
	// checks: 94 % and a 20th stay below 100 %.
	betweenChecks = 20

	// ageEvery is the pace at which retention by age is applied.
	ageEvery = time.Minute
	// askTimeout bounds one question to the broker in the same process.
	askTimeout = 10 * time.Second
)

// ages are the steps by which settled events go when space is needed.
var ages = []time.Duration{24 * time.Hour, 6 * time.Hour, time.Hour, 10 * time.Minute, time.Minute, 0}

// keeper keeps the stored events within their bound and their age.
type keeper struct {
	b      *Broker
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup

	agedAt   time.Time
	segment  int64
	faults   *kfake.FaultHandle // installed while new events are refused
	refusing string             // what the faults refuse, to see whether they still fit

	mu   sync.Mutex
	last Usage
}

func startKeeper(b *Broker) (*keeper, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers()...), kgo.Dialer(b.Dial), kgo.ClientID("kurier-embedded"))
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	k := &keeper{b: b, client: client, agedAt: time.Now(), segment: segmentBytes(b.o.MaxBytes, 1)}
	k.last.MaxBytes = b.o.MaxBytes
	if b.o.DataDir != "" {
		// Sequence: a client deletes all records of a partition, the broker is
		// restarted, the log begins at 0 and old commits lie beyond its end.
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteRecords}, Err: kerr.PolicyViolation, Count: -1})
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	k.done.Go(func() { k.run(ctx) })
	return k, nil
}

// stop returns when no check is under way any more. It must come before the
// broker is closed, which would leave a check waiting for ever.
func (k *keeper) stop() {
	k.b.network.budget.close() // nobody will check any more
	k.cancel()
	k.done.Wait()
	k.client.Close()
}

func (k *keeper) usage() Usage {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(k.b.o.CheckEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		if k.due() || first {
			if err := k.check(ctx); err != nil && ctx.Err() == nil {
				k.b.logger.Warn("embedded broker: the check of its data failed", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-k.b.network.budget.wake:
		case <-ctx.Done():
			return
		}
	}
}

// due reports whether anything can have changed since the last check.
func (k *keeper) due() bool {
	return k.b.network.budget.taken() > 0 || k.faults != nil || time.Since(k.agedAt) >= ageEvery
}

func (k *keeper) check(ctx context.Context) error {
	taken := k.b.network.budget.taken()
	defer k.b.network.budget.checked(taken)
	logs, err := k.survey(ctx)
	if err != nil {
		return err
	}
	if time.Since(k.agedAt) >= ageEvery {
		k.agedAt = time.Now()
		if err := k.expire(ctx, logs); err != nil {
			return err
		}
	}
	used, err := k.measure(logs)
	if err != nil || k.b.o.MaxBytes <= 0 {
		return err
	}
	if k.above(used, freeAbove) {
		if used, err = k.free(ctx, logs, used); err != nil {
			return err
		}
	}
	k.admit(logs, used)
	return k.resize(ctx, len(logs))
}

func (k *keeper) above(used int64, percent int64) bool { return used > k.b.o.MaxBytes/100*percent }

// survey reads all logs and what is settled of them.
func (k *keeper) survey(ctx context.Context) ([]log, error) {
	topics, err := k.topics(ctx)
	if err != nil {
		return nil, err
	}
	var logs []log
	for _, topic := range topics {
		info := k.b.cluster.TopicInfo(topic)
		if info == nil {
			continue // deleted a moment ago
		}
		retention := retentionOf(info.Configs)
		for _, p := range k.b.cluster.PartitionInfos(topic) {
			logs = append(logs, log{
				place: place{topic, p.Partition}, start: p.LogStartOffset, end: p.HighWatermark,
				bytes: p.NumBytes, retention: retention,
			})
		}
	}
	groups, err := k.groups(ctx)
	if err != nil {
		return nil, err
	}
	settle(logs, groups)
	return logs, nil
}

func (k *keeper) topics(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest() // no topics: all
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, topic := range resp.Topics {
		if topic.Topic != nil {
			names = append(names, *topic.Topic)
		}
	}
	return names, nil
}

func (k *keeper) groups(ctx context.Context) ([]*kfake.GroupInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	resp, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	var groups []*kfake.GroupInfo
	for _, group := range resp.Groups {
		if info := k.b.cluster.GroupInfo(group.Group); info != nil {
			groups = append(groups, info)
		}
	}
	return groups, nil
}

// measure is what the events take: of the disk, or in memory.
func (k *keeper) measure(logs []log) (int64, error) {
	var used int64
	if k.b.o.DataDir == "" {
		for _, l := range logs {
			if info := k.b.cluster.PartitionInfo(l.topic, l.partition); info != nil {
				used += info.NumBytes
			}
		}
	} else if err := filepath.WalkDir(filepath.Join(k.b.store(), "partitions"), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				used += info.Size()
			}
		}
		if errors.Is(err, os.ErrNotExist) { // removed while we look
			return nil
		}
		return err
	}); err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.Bytes = used
	return used, nil
}
