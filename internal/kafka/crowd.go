package kafka

import (
	"sync/atomic"
	"time"
)

const (
	// crowdRecords of one topic that wait for Kafka at once are a crowd: its records wait
	// until as many are together, or for crowdTime. In a crowd that is soon; of fewer
	// records none waits.
	crowdRecords = 48
	crowdTime    = time.Millisecond
	crowdBytes   = 256 << 10 // are sent without any wait
	// crowdStays is how long a crowd counts as one after it was last seen: those who got
	// their answers together are about to come back.
	crowdStays = 20 * time.Millisecond
)

// crowd tells whether a topic's records come in such numbers that sending them in
// groups is better for all of them. The client sends what it has as soon as it can: of
// sixty-four senders, each waiting for its answer, it makes seven requests, and every
// request and answer is work for Kafka and for this process. The zero value is ready.
// Safe for concurrent use.
type crowd struct {
	until atomic.Int64 // nanoseconds of the clock; 0: there is none
}

// seen is told how many records are under way now, and says whether they are a crowd.
// now is asked only when it matters.
func (c *crowd) seen(records int, now func() time.Time) bool {
	until := c.until.Load()
	if records >= crowdRecords {
		c.until.Store(now().Add(crowdStays).UnixNano())
		return true
	}
	if until == 0 {
		return false
	}
	if now().UnixNano() < until {
		return true
	}
	c.until.CompareAndSwap(until, 0)
	return false
}
