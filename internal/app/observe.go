package app

import (
	"context"
	"time"
)

const (
	// observeUnready is how often the status is looked at while something is not
	// ready, and observeReady otherwise.
	observeUnready = 3 * time.Second
	observeReady   = 30 * time.Second
	// observeRest is the pause between two looks however much changes.
	observeRest = time.Second
)

// observing looks at the status when something changed and now and then, so
// that a condition's lastTransitionTime tells when the process saw it change,
// and not when somebody first asked.
func (p *process) observing(ctx context.Context) error {
	pause := time.NewTimer(observeUnready)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.changed:
		case <-pause.C:
		}
		next := p.observe(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(observeRest):
		}
		pause.Reset(next)
	}
}

// observe looks once and returns when to look again.
func (p *process) observe(ctx context.Context) time.Duration {
	objects, err := p.Status(ctx)
	if err != nil {
		return observeUnready
	}
	for i := range objects {
		if !objects[i].Ready() {
			return observeUnready
		}
	}
	return observeReady
}
