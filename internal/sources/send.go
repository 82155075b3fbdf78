package sources

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"kurier.dev/kurier/internal/event"
)

const (
	// maxJitter spreads the events of sources with the same schedule.
	maxJitter  = 500 * time.Millisecond
	sendTries  = 6 // one and five retries
	firstPause = 50 * time.Millisecond

	pingType = "dev.knative.sources.ping"
	// namespaceHeader tells a subscriber where the event comes from.
	namespaceHeader = "kn-namespace"
)

// send delivers the event of one tick, with retries.
func (f *firings) send(tick firing) {
	ping := tick.ping
	f.pause(rand.N(maxJitter))
	m := newEvent(ping)
	id, _ := m.Get(event.ID)
	f.s.logger.Debug("PingSource fires", "namespace", ping.Namespace, "name", ping.Name, "tick", tick.tick, "id", id)
	var err error
	for try, pause := 1, firstPause; try <= sendTries; try, pause = try+1, 2*pause {
		if err = f.s.cfg.Sender.Send(f.ctx, ping.Target, m.Clone()); err == nil {
			f.s.metrics.count(ping, sent)
			return
		}
		if f.ctx.Err() != nil || f.s.cfg.Retryable != nil && !f.s.cfg.Retryable(err) {
			break
		}
		if try < sendTries && !f.pause(pause) {
			break
		}
	}
	f.s.metrics.count(ping, failed)
	f.s.logger.Warn("PingSource event is not delivered",
		"namespace", ping.Namespace, "name", ping.Name, "tick", tick.tick, "id", id, "url", ping.Target.URL, "error", err)
}

// pause reports false when it was cut short because the process stops.
func (f *firings) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.soon:
		return false
	}
}

// newEvent makes the event of a tick.
func newEvent(p Ping) *event.Message {
	m := &event.Message{
		Attributes: []event.Attribute{
			{Name: event.SpecVersion, Value: "1.0"},
			{Name: event.ID, Value: uuid.NewString()},
			{Name: event.Source, Value: "/apis/v1/namespaces/" + p.Namespace + "/pingsources/" + p.Name},
			{Name: event.Type, Value: pingType},
			{Name: event.Time, Value: time.Now().UTC().Format(time.RFC3339Nano)},
		},
		Headers: []event.Header{{Name: namespaceHeader, Value: p.Namespace}},
	}
	if len(p.Data) > 0 {
		m.Data = p.Data
		m.Set(event.DataContentType, contentType(p))
	}
	for _, name := range slices.Sorted(maps.Keys(p.Extensions)) {
		m.Set(name, p.Extensions[name])
	}
	return m
}

func contentType(p Ping) string {
	switch {
	case p.ContentType != "":
		return p.ContentType
	case json.Valid(p.Data):
		return "application/json"
	}
	return "text/plain"
}
