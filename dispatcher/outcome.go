package dispatcher

import (
	"context"
	"log/slog"
	"time"
)

// outcome is how an event ended, or that it cannot end for now.
type outcome uint8

const (
	outcomeNone outcome = iota // not settled
	outcomeDelivered
	outcomeFiltered
	outcomeDeadLettered
	outcomeDropped
	outcomeHeld
)

var outcomeNames = [...]string{"", "delivered", "filtered", "dead-lettered", "dropped", "held"}

func (o outcome) String() string { return outcomeNames[o] }

func (p *pipeline) delivered(v *delivery) {
	v.stage, v.outcome = settled, outcomeDelivered
	p.metrics.delivered.Inc()
	p.health.succeeded()
	p.health.quietly(v, outcomeDelivered)
}

func (p *pipeline) filtered(v *delivery) {
	v.stage, v.outcome = settled, outcomeFiltered
	p.metrics.filtered.Inc()
	p.health.quietly(v, outcomeFiltered)
}

func (p *pipeline) buried(v *delivery, g grave) {
	v.stage, v.outcome = settled, outcomeDeadLettered
	p.metrics.deadLettered(g.kind).Inc()
	p.countNotCloudEvent(v)
	p.health.sinkWorks()
	p.health.warn(v, outcomeDeadLettered, nil, slog.String("to", g.to.URL))
}

// dropped: a policy that a user wrote says so. err is why the dead letter could
// not be written, nil when none was wanted.
func (p *pipeline) dropped(v *delivery, err error) {
	v.stage, v.outcome = settled, outcomeDropped
	p.metrics.dropped.Inc()
	p.countNotCloudEvent(v)
	p.health.warn(v, outcomeDropped, err)
}

func (p *pipeline) held(v *delivery, err error) {
	p.health.sinkFails(p.grave(v), err)
	if v.holds == 1 {
		p.metrics.held.Inc()
		p.health.warn(v, outcomeHeld, err)
	}
}

func (p *pipeline) countNotCloudEvent(v *delivery) {
	if v.event == nil {
		p.metrics.notCloudEvents.Inc()
	}
}

// line is the canonical log line of an event.
func (v *delivery) line(o outcome, err error) []slog.Attr {
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("outcome", o.String()),
		slog.Int("attempts", v.Attempts),
		slog.String("topic", v.Record.Topic),
		slog.Int("partition", int(v.Record.Partition)),
		slog.Int64("offset", v.Record.Offset),
	)
	if v.event != nil {
		id, _ := v.event.Get("id")
		src, _ := v.event.Get("source")
		typ, _ := v.event.Get("type")
		attrs = append(attrs, slog.String("eventId", id), slog.String("eventSource", src), slog.String("eventType", typ))
	}
	attrs = append(attrs, slog.Duration("took", time.Since(v.begun)))
	switch {
	case err != nil:
		attrs = append(attrs, slog.String("error", err.Error()))
	case v.err != nil:
		attrs = append(attrs, slog.String("error", v.err.Error()))
	case v.failure != nil:
		attrs = append(attrs, slog.String("error", v.failure.err.Error()))
	}
	return attrs
}

// verbose tells whether every event is logged.
func (h *health) verbose() bool { return h.logger.Enabled(context.Background(), slog.LevelDebug) }

// quietly logs what is as it should be.
func (h *health) quietly(v *delivery, o outcome) {
	if h.verbose() {
		h.logger.LogAttrs(context.Background(), slog.LevelDebug, "event settled", v.line(o, nil)...)
	}
}
