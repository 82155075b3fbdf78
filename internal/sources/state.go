package sources

import (
	"maps"
	"sync"
	"time"

	"kurier.dev/kurier/internal/kafka"
)

func (c *candidate) change(fn func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status := c.status[c.key]
	fn(&status)
	c.status[c.key] = status
}

func (c *candidate) setState(state string, err error) {
	c.change(func(status *Status) {
		status.State = state
		if err != nil {
			status.LastError = kafka.Describe(err)
		} else if state == Standby || state == Owner {
			status.LastError = ""
		}
	})
}

func (c *candidate) took(tick time.Time) {
	c.change(func(status *Status) { status.LastTick, status.LastError = tick, "" })
}

func (c *candidate) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.status, c.key)
}

// complain warns of a trouble. When another source has just had the same it only
// says so at debug: without Kafka they all do.
func (c *candidate) complain(trouble, message string, err error) {
	log := c.logger.Debug
	if c.trouble.isNews(trouble, time.Now()) {
		log = c.logger.Warn
	}
	log(message, "error", kafka.Describe(err))
}

// sayAgain is how often the same trouble is logged, for all sources together.
const sayAgain = time.Minute

// trouble remembers what was logged. The zero value is ready; it is safe for
// concurrent use.
type trouble struct {
	mu   sync.Mutex
	said map[string]time.Time
}

func (t *trouble) isNews(trouble string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.said, func(_ string, at time.Time) bool { return now.Sub(at) >= sayAgain })
	if _, ok := t.said[trouble]; ok {
		return false
	}
	if t.said == nil {
		t.said = map[string]time.Time{}
	}
	t.said[trouble] = now
	return true
}
