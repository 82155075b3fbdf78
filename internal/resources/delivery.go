package resources

import (
	"math"
	"time"

	"kurier.dev/kurier/internal/iso8601"
)

// delivery is a spec.delivery as written: a nil field is absent and comes from
// the parent (DL-33, C6).
type delivery struct {
	written        *node
	deadLetterSink *destination
	retry          *int
	timeout        *time.Duration
	policy         *string
	delay          *time.Duration
	backoffMax     *time.Duration
	retryAfterMax  *time.Duration
	format         *string
}

// delivery reads and checks a spec.delivery (DL-1 to DL-8, VA-5); nil when it
// is absent.
func (d *decoder) delivery(f field) *delivery {
	if !f.present() {
		return nil
	}
	result := &delivery{
		written:       f.node,
		retry:         d.retry(f.at("retry")),
		policy:        d.oneOf(f.at("backoffPolicy"), "linear", "exponential"),
		format:        d.oneOf(f.at("format"), "json", "binary"),
		delay:         d.duration(f.at("backoffDelay"), 0),
		backoffMax:    d.duration(f.at("backoffMax"), 1),
		timeout:       d.gated(f.at("timeout"), 1, d.settings.features.deliveryTimeout),
		retryAfterMax: d.gated(f.at("retryAfterMax"), 0, d.settings.features.deliveryRetryAfter),
	}
	if sink := f.at("deadLetterSink"); sink.present() {
		result.deadLetterSink = d.destination(sink)
	}
	return result
}

func (d *decoder) retry(f field) *int {
	value, ok := f.integer()
	if !ok {
		return nil
	}
	if value < 0 || value > math.MaxInt32 {
		d.invalid(f, f.text(), "")
		return nil
	}
	retry := int(value)
	return &retry
}

// oneOf reads a text that has few values; nil when it is absent or wrong.
func (d *decoder) oneOf(f field, allowed ...string) *string {
	if !f.present() {
		return nil
	}
	value := f.text()
	for _, a := range allowed {
		if value == a {
			return &value
		}
	}
	d.invalid(f, value, "")
	return nil
}

// duration reads an ISO-8601 duration of at least least nanoseconds.
func (d *decoder) duration(f field, least time.Duration) *time.Duration {
	if !f.present() || f.node.kind != scalarNode {
		return nil
	}
	value, err := iso8601.Parse(f.text())
	if err != nil || value < least {
		details := ""
		if golang, err := time.ParseDuration(f.text()); err == nil && golang > 0 {
			details = "use ISO 8601, for example " + iso8601.Format(golang)
		}
		d.invalid(f, f.text(), details)
		return nil
	}
	return &value
}

// gated is duration for a field that a feature flag can forbid.
func (d *decoder) gated(f field, least time.Duration, enabled bool) *time.Duration {
	if f.present() && !enabled {
		d.disallowed(f, "")
		return nil
	}
	return d.duration(f, least)
}

// inherit answers what a child gets: each field of its own, else its parent's,
// else the default of Options. fallback serves only a child without a
// spec.delivery whose parent has none either (DL-43).
func inherit(child, parent, fallback *delivery, o Options) (effective Delivery, sink *destination) {
	if child == nil && parent == nil {
		parent = fallback
	}
	if child == nil {
		child = &delivery{}
	}
	if parent == nil {
		parent = &delivery{}
	}
	effective = Delivery{
		Retry:         either(child.retry, parent.retry, 0),
		Timeout:       either(child.timeout, parent.timeout, o.DeliveryTimeout),
		Policy:        either(child.policy, parent.policy, ""),
		Delay:         either(child.delay, parent.delay, 0),
		BackoffMax:    either(child.backoffMax, parent.backoffMax, o.RetryBackoffMax),
		RetryAfterMax: either(child.retryAfterMax, parent.retryAfterMax, o.RetryAfterMax),
		Format:        either(child.format, parent.format, "binary"),
	}
	sink = child.deadLetterSink
	if sink == nil {
		sink = parent.deadLetterSink
	}
	return effective, sink
}

func either[T any](child, parent *T, unset T) T {
	switch {
	case child != nil:
		return *child
	case parent != nil:
		return *parent
	}
	return unset
}
