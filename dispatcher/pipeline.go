package dispatcher

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"kurier.dev/kurier/consumer"
)

// pipeline brings the events of one subscription to their ends. Its handle
// method is the consumer's Handler; it is called concurrently.
type pipeline struct {
	cfg      *Config
	settings atomic.Pointer[settings]
	sender   Sender
	backoff  backoff
	replies  *atomic.Int64 // bytes left for replies that wait, all subscriptions together
	metrics  *subMetrics
	health   *health
}

// change swaps the settings and returns those before. Calls on the wire finish
// under the old ones.
func (p *pipeline) change(s *settings) (old *settings) {
	old = p.settings.Swap(s)
	if old == s {
		return old
	}
	close(old.replaced)
	if !sameGrave(old, s) {
		p.health.sinkWorks() // until it fails under the new settings
	}
	return old
}

// handle takes an event as far as it gets with at most one attempt at the
// subscriber, one at the reply's place and one at the dead letter's.
func (p *pipeline) handle(ctx context.Context, d *consumer.Delivery) error {
	s := p.settings.Load()
	v, first := p.open(d, s)
	if first {
		p.metrics.received.Inc()
	}
	if v.settings != s && v.adopt(s) {
		return &consumer.Later{} // the attempt's count is committed first
	}
	err := p.follow(ctx, v)
	if err == nil {
		v.reply.release()
		return nil
	}
	// The settings were swapped while the attempt was on the wire: the wake that
	// follows the swap came before this event waits, and would be missed.
	if later, ok := err.(*consumer.Later); ok && p.settings.Load() != s { //nolint:errorlint // made here and not wrapped
		later.After = 0
	}
	return err
}

// wants tells whether a record needs handle: it does not when the filter refuses
// it, which is then all that happens to it. Called under the consumer's lock.
func (p *pipeline) wants(rec *consumer.Record) bool {
	s := p.settings.Load()
	if s.filter == nil || s.Records != nil || p.cfg.Tracer != nil || p.health.verbose() {
		return true
	}
	v := p.sharedView(rec)
	if v.err != nil {
		return true
	}
	if ok, err := s.filter.Match(v.event); ok || err != nil {
		return true
	}
	p.metrics.received.Inc()
	p.metrics.filtered.Inc()
	return false
}

// advance runs stage after stage until the event is settled, or one of them has
// to wait.
func (p *pipeline) advance(ctx context.Context, v *delivery) error {
	// A subscriber that has accepted the event is not asked by a filter again.
	if v.event != nil && !v.accepted() && !p.matches(v) {
		p.filtered(v)
		return nil
	}
	for first := true; ; first = false {
		// The process was stopped while the subscriber answered, or was cut off
		// from Kafka, and another owner has the partition: what comes next would
		// be a dead letter of an event that the other one has delivered.
		if !first && v.stage != settled && v.Leased != nil && !v.Leased() {
			return &consumer.Later{Resume: true}
		}
		var err error
		switch v.stage {
		case atSubscriber:
			err = p.deliver(ctx, v)
		case atReply:
			err = p.forward(ctx, v)
		case atDeadLetter:
			err = p.bury(ctx, v)
		case settled:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *pipeline) matches(v *delivery) bool {
	f := v.settings.filter
	if f == nil {
		return true
	}
	ok, err := f.Match(v.event)
	if err != nil {
		p.metrics.filterErrors.Inc()
		p.health.filterFailed(v, err)
	}
	return ok && err == nil
}

// accepted reports whether the subscriber has taken the event.
func (v *delivery) accepted() bool {
	return v.stage == atReply || v.failure != nil && v.failure.ofReply
}

// to moves the event to another stage, with a budget of its own.
func (v *delivery) to(next stage) {
	v.stage, v.tries, v.holds, v.trim = next, 0, 0, trimNothing
}

// adopt continues under changed settings (section 6.2): what waits or is held is
// sent again under them, attempts kept. again reports that the subscriber gets
// the next attempt although the event was past it.
func (v *delivery) adopt(s *settings) (again bool) {
	old := v.settings
	v.settings = s
	if v.stage != atDeadLetter {
		return false // the next attempt is made under s
	}
	f := v.failure
	switch {
	case f == nil: // not a CloudEvent
	case f.ofReply && v.reply != nil && s.Reply != old.Reply:
		v.to(atReply)
		return false
	case !f.ofReply && s.Subscriber != old.Subscriber,
		!f.ofReply && f.retryable && v.Attempts < s.Delivery.attempts():
		v.to(atSubscriber)
		return true
	}
	if !sameGrave(old, s) {
		v.to(atDeadLetter)
	}
	return false
}

// wait is the Later of an attempt that failed: the backoff before retry k of its
// stage, or what the response asks for.
func (p *pipeline) wait(v *delivery, k int, err error) *consumer.Later {
	d := &v.settings.Delivery
	return &consumer.Later{
		After:  p.retryAfter(p.backoff.before(k, d), d, err),
		Resume: v.stage != atSubscriber,
		Err:    err,
	}
}

func (p *pipeline) retryAfter(wait time.Duration, d *Delivery, err error) time.Duration {
	attempt := asAttempt(err)
	if attempt == nil {
		return wait
	}
	return withRetryAfter(wait, attempt.Code, attempt.RetryAfter, d.RetryAfterMax, time.Now())
}

// send makes an attempt, if it may begin once a connection is there.
func (p *pipeline) send(ctx context.Context, v *delivery, m Message) (Result, error) {
	m.May = v.Leased
	return p.sender.Send(ctx, m)
}

// uncounted is what to return for an attempt that does not count, whatever it
// would have become, because its ctx ended or it was not begun; nil when it
// counts.
func (v *delivery) uncounted(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrMayNot):
		return &consumer.Later{Resume: v.stage != atSubscriber}
	case ctx.Err() != nil && asAttempt(err) == nil:
		return ctx.Err()
	}
	return nil
}
