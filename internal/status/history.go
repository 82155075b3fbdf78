package status

import (
	"sync"
	"time"
)

// History remembers since when each condition of each object has its status,
// so that objects built afresh for every answer keep their
// lastTransitionTime. The zero value is ready; it is safe for concurrent use.
type History struct {
	mu    sync.Mutex
	since map[transitionKey]transition
}

type transitionKey struct{ ref, conditionType string }

type transition struct {
	status string
	at     time.Time
}

// Stamp completes the objects (see Object.Complete) and sets the
// lastTransitionTime of all their conditions: now where the status differs
// from that of the last call, the time kept otherwise. A condition that brings
// a time of its own keeps it. objects must be all there are: what is missing
// is forgotten.
func (h *History) Stamp(now time.Time, objects []Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now = now.UTC().Truncate(time.Second)
	next := make(map[transitionKey]transition, len(h.since))
	for i := range objects {
		object := &objects[i]
		object.Complete()
		for j := range object.Status.Conditions {
			c := &object.Status.Conditions[j]
			key := transitionKey{object.Ref(), c.Type}
			if c.LastTransitionTime.IsZero() {
				c.LastTransitionTime = now
				if was, ok := h.since[key]; ok && was.status == c.Status {
					c.LastTransitionTime = was.at
				}
			}
			next[key] = transition{c.Status, c.LastTransitionTime}
		}
	}
	h.since = next
}
