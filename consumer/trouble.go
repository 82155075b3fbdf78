package consumer

import (
	"log/slog"
	"sync"
	"time"
)

// sayAgain is how often trouble with the group that goes on is logged at warn.
// Every group of a process has it when Kafka is away; the process itself says
// that it waits for Kafka.
const sayAgain = 30 * time.Second

// trouble logs one kind of error: the first at once, then one line each
// sayAgain that counts those left out, which are logged at debug. The zero
// value is ready; it is safe for concurrent use.
type trouble struct {
	mu      sync.Mutex
	said    time.Time
	leftOut int
}

func (t *trouble) say(log *slog.Logger, message string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.said.IsZero() && time.Since(t.said) < sayAgain {
		t.leftOut++
		log.Debug(message, slog.Any("error", err)) //nolint:sloglint // the callers' are constants
		return
	}
	args := []any{slog.Any("error", err)}
	if t.leftOut > 0 {
		args = append(args, slog.Int("moreSinceTheLastLine", t.leftOut))
	}
	log.Warn(message, args...) //nolint:sloglint // the callers' are constants
	t.said, t.leftOut = time.Now(), 0
}

// over says that the trouble is over: the next one is logged at once.
func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said, t.leftOut = time.Time{}, 0
}
