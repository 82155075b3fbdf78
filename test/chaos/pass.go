package chaos

import (
	"context"
	"time"
)

// Pass lets time pass, or until ctx ends: the one place where a schedule waits on a
// timer. Nothing that is asserted waits here.
func Pass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
