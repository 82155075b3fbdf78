package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/offsets"
)

const (
	locateBackoff    = 100 * time.Millisecond
	maxLocateBackoff = 3 * time.Second
	// topicIDAge is how long an answer about the topic's id is used.
	topicIDAge = 2 * time.Second
)

// located is where an assignment begins.
type located struct {
	tracker  *offsets.Tracker
	topic    offsets.TopicHash
	repaired bool // the committed position is not this one: commit it at once
	err      error
}

// locate finds the position of a claim and what is done beyond it, trying again
// until ctx ends.
func (c *Consumer) locate(ctx context.Context, claim sarama.ConsumerGroupClaim) located {
	for failures := 1; ; failures++ {
		l := c.tryLocate(ctx, claim)
		if l.err == nil || errors.Is(l.err, errMoved) || ctx.Err() != nil {
			return l
		}
		c.log.Warn("reading a partition's committed position failed; trying again",
			slog.Int("partition", int(claim.Partition())), slog.Any("error", l.err))
		c.state.failed(l.err)
		c.coord.refresh()
		select {
		case <-ctx.Done():
			return l
		case <-time.After(backoff(failures, locateBackoff, maxLocateBackoff)):
		}
	}
}

// tryLocate compares the committed position with the one the claim was opened
// at. The claim's is OffsetOldest when there is no commit, and when the
// committed position is not in the log.
func (c *Consumer) tryLocate(ctx context.Context, claim sarama.ConsumerGroupClaim) located {
	id := claim.Partition()
	offset, metadata, err := c.coord.committed(id)
	if err != nil {
		return located{err: err}
	}
	topic := c.topicHash(ctx)
	switch {
	case claim.InitialOffset() < 0:
		start, err := c.coord.logStart(id)
		if err != nil {
			return located{err: err}
		}
		if offset < start || offset > claim.HighWaterMarkOffset() {
			return c.atLogStart(id, offset, start, topic)
		}
	case offset < 0:
		return located{err: errMoved}
	}
	t, err := offsets.Decode(offset, metadata, topic)
	if errors.Is(err, offsets.ErrTopic) {
		start, err := c.coord.logStart(id)
		if err != nil {
			return located{err: err}
		}
		return c.atLogStart(id, offset, start, topic) // the one that has its name now
	}
	if end := claim.HighWaterMarkOffset(); err == nil && t.Known() > end {
		err = fmt.Errorf("the log ends at %d, below what the map knows of", end)
		t = offsets.New(offset)
		t.SetTopic(topic)
	}
	if err != nil {
		c.replays.Add(1)
		c.log.Warn("the map of settled events cannot be used; events above the committed offset may be repeated",
			slog.Int("partition", int(id)), slog.Int64("offset", offset), slog.Any("error", err))
	}
	return located{tracker: t, topic: topic}
}

// atLogStart begins at the first record there is. When a position was committed
// it is out of range and repaired: below the log's start that is no repeat,
// beyond its end it is one, and never a loss.
func (c *Consumer) atLogStart(id int32, committed, start int64, topic offsets.TopicHash) located {
	if committed >= 0 {
		c.outOfRange.Add(1)
		c.log.Warn("a partition's committed position is not in its log; going on at the log's start",
			slog.Int("partition", int(id)), slog.Int64("committed", committed), slog.Int64("start", start))
	}
	t := offsets.New(start)
	t.SetTopic(topic)
	return located{tracker: t, topic: topic, repaired: true}
}

// topicHash is the short hash of the topic's id, 0 when it is not known. Claims
// that begin together share one request.
func (c *Consumer) topicHash(ctx context.Context) offsets.TopicHash {
	c.topicID.Lock()
	defer c.topicID.Unlock()
	if time.Since(c.topicID.at) < topicIDAge {
		return c.topicID.hash
	}
	ask := c.cfg.TopicID
	if ask == nil {
		ask = func(context.Context) ([16]byte, error) { return c.coord.topicID() }
	}
	id, err := ask(ctx)
	if err != nil {
		c.log.Warn("the topic's id is not known; a topic made anew would not be noticed", slog.Any("error", err))
		return 0
	}
	c.topicID.hash, c.topicID.at = offsets.HashTopic(id), time.Now()
	return c.topicID.hash
}

// forgetTopic makes the next topicHash ask.
func (c *Consumer) forgetTopic() {
	c.topicID.Lock()
	defer c.topicID.Unlock()
	c.topicID.at = time.Time{}
}
