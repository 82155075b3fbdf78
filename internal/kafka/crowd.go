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
// groups is better for all of them. The client sends what it has as soon as it can: the
// records of sixty-four senders, each waiting for its answer, it sends thirteen by
// thirteen, and every request and answer is work for Kafka and for this process. The
// zero value is ready. Safe for concurrent use.
type crowd struct {
	until atomic.Int64 // nanoseconds since began; 0: there is none
}

// began is where crowds count time from: the clock may be set, this does not.
var began = time.Now()

// seen is told how many records are under way now, and says whether they are a crowd.
// now is asked only when it matters.
func (c *crowd) seen(records int, now func() time.Time) bool {
	until := c.until.Load()
	if records >= crowdRecords {
		c.until.Store(int64(now().Sub(began) + crowdStays))
		return true
	}
	if until == 0 {
		return false
	}
	if int64(now().Sub(began)) < until {
		return true
	}
	c.until.CompareAndSwap(until, 0)
	return false
}
