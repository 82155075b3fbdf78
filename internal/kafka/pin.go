package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"
)

const (
	// pinWorkers bounds the commits under way at a time.
	pinWorkers = 8
	// activeTries is how often the commits of an active group are read again:
	// its members commit within a second or so after they joined.
	activeTries = 10
	activePause = 200 * time.Millisecond
)

// Pin is PinAll for one group.
func (c *Cluster) Pin(ctx context.Context, group, topic string, at Initial) error {
	spec := PinSpec{GroupTopic: GroupTopic{Group: group, Topic: topic}, At: at}
	return c.PinAll(ctx, []PinSpec{spec})[spec.GroupTopic]
}

// PinAll commits a first offset for every partition of every group that has
// none yet; existing commits are never moved. When it returned nil for a group,
// nothing that is accepted into the topic from then on is skipped by the group,
// however many processes pin at the same time.
//
// The order makes that so: first the log ends are read, then it is made sure
// that no commit exists, then they are committed. Another process that pins and
// accepts events meanwhile committed either before our second step, and we
// leave it alone, or after it, and then our older end repeats events.
//
// The result has every group; ErrGroupActive says that a group's members must
// commit first. Groups are pinned independently of each other.
func (c *Cluster) PinAll(ctx context.Context, specs []PinSpec) map[GroupTopic]error {
	results, err := ask(ctx, c, func(a *adminConn) (map[GroupTopic]error, error) {
		w := &pinWork{ctx: c.ctx, conn: a, results: map[GroupTopic]error{}}
		w.run(specs)
		for _, err := range w.results {
			if unreachable(err) {
				return w.results, err
			}
		}
		return w.results, nil
	})
	if results == nil {
		results = make(map[GroupTopic]error, len(specs))
		for _, spec := range specs {
			results[spec.GroupTopic] = fmt.Errorf("group %s is not pinned: %w", spec.Group, err)
		}
	}
	return results
}

// pinWork pins one batch of groups.
type pinWork struct {
	ctx  context.Context // the cluster's: ends with Close
	conn *adminConn

	mu      sync.Mutex
	results map[GroupTopic]error
}

func (w *pinWork) set(spec PinSpec, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results[spec.GroupTopic] = err
}

func (w *pinWork) run(specs []PinSpec) {
	topics := map[string]bool{}
	for _, spec := range specs {
		topics[spec.Topic] = true
	}
	partitions, errs := w.conn.partitions(keys(topics))
	ends, endErr := w.conn.listOffsets(partitions, sarama.OffsetNewest) // before anything else
	var ready []PinSpec
	for _, spec := range specs {
		switch {
		case errs[spec.Topic] != nil:
			w.set(spec, errs[spec.Topic])
		case len(ends[spec.Topic]) < len(partitions[spec.Topic]):
			w.set(spec, fmt.Errorf("log ends of topic %s: %w", spec.Topic, endErr))
		default:
			ready = append(ready, spec)
		}
	}
	w.findCoordinators(ready)
	found, fetchErrs := w.committed(ready, partitions)
	var workers errgroup.Group
	workers.SetLimit(pinWorkers)
	for _, spec := range ready {
		if err := fetchErrs[spec.Group]; err != nil {
			w.set(spec, err)
			continue
		}
		workers.Go(func() error {
			w.set(spec, w.pin(spec, found[spec.Group][spec.Topic], ends[spec.Topic]))
			return nil
		})
	}
	_ = workers.Wait()
}

// findCoordinators looks them up side by side; the client remembers them.
func (w *pinWork) findCoordinators(specs []PinSpec) {
	var workers errgroup.Group
	workers.SetLimit(pinWorkers)
	for _, spec := range specs {
		workers.Go(func() error {
			_, _ = w.conn.client.Coordinator(spec.Group) // an error comes again, where it is handled
			return nil
		})
	}
	_ = workers.Wait()
}

func (w *pinWork) committed(specs []PinSpec, partitions map[string][]int32) (map[string]commits, map[string]error) {
	groups := make(map[string]map[string][]int32, len(specs))
	for _, spec := range specs {
		if groups[spec.Group] == nil {
			groups[spec.Group] = map[string][]int32{}
		}
		groups[spec.Group][spec.Topic] = partitions[spec.Topic]
	}
	if len(groups) == 0 {
		return nil, nil
	}
	return w.conn.committed(groups)
}

// pin commits what is missing. ends were read before found.
func (w *pinWork) pin(spec PinSpec, found map[int32]commit, ends map[int32]int64) error {
	for try := 0; ; try++ {
		missing := map[int32]int64{}
		for partition, end := range ends {
			if found[partition].offset < 0 {
				missing[partition] = end
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if err := w.start(spec, missing); err != nil {
			return err
		}
		err := w.conn.commitOffsets(spec.Group, spec.Topic, missing)
		if err == nil || !errors.Is(err, ErrGroupActive) || try == activeTries {
			return err
		}
		select {
		case <-time.After(activePause):
		case <-w.ctx.Done():
			return ErrClosed
		}
		again, errs := w.committed([]PinSpec{spec}, map[string][]int32{spec.Topic: keysOf(ends)})
		if errs[spec.Group] != nil {
			return errs[spec.Group]
		}
		found = again[spec.Group][spec.Topic]
	}
}

// start replaces the log ends by where the group wants to begin. A partition
// that has nothing from the wanted time on keeps its end.
func (w *pinWork) start(spec PinSpec, offsets map[int32]int64) error {
	var at int64
	switch spec.At.Kind {
	case Latest:
		return nil
	case Earliest:
		at = sarama.OffsetOldest
	case Timestamp:
		at = max(spec.At.Time.UnixMilli(), 0)
	}
	found, err := w.conn.listOffsets(map[string][]int32{spec.Topic: keysOf(offsets)}, at)
	if err != nil {
		return err
	}
	for partition, offset := range found[spec.Topic] {
		if offset >= 0 {
			offsets[partition] = offset
		}
	}
	return nil
}

func keysOf(m map[int32]int64) []int32 {
	list := make([]int32, 0, len(m))
	for partition := range maps.Keys(m) {
		list = append(list, partition)
	}
	return list
}
