package dispatcher

import (
	"fmt"
	"reflect"

	"kurier.dev/kurier/internal/filter"
)

// settings are a Subscription made ready to be used. They never change: a
// change of the Subscription makes new ones.
type settings struct {
	Subscription
	filter   *filter.Filter // nil passes everything
	replaced chan struct{}  // closed when others have taken their place
}

func compile(sub Subscription) (*settings, error) {
	if err := sub.check(); err != nil {
		return nil, err
	}
	f, err := filter.Compile(sub.Attributes, sub.Filters)
	if err != nil {
		return nil, fmt.Errorf("%s: filter: %w", sub.key(), err)
	}
	return &settings{Subscription: sub, filter: f, replaced: make(chan struct{})}, nil
}

// equal reports whether two Subscriptions are the same settings.
func equal(a, b *Subscription) bool { return reflect.DeepEqual(a, b) }

// destinations lists what may be sent to, so that connections to anything else
// can be closed.
func (s *settings) destinations() []Destination {
	list := []Destination{s.Subscriber}
	if s.Reply.Kind == ReplyURL {
		list = append(list, s.Reply.Destination)
	}
	if sink := s.Delivery.DeadLetterSink; sink != nil {
		list = append(list, *sink)
	}
	return list
}

// sameGrave reports whether dead letters go to the same place in both, and the
// same becomes of those that cannot.
func sameGrave(a, b *settings) bool {
	return reflect.DeepEqual(a.Delivery.DeadLetterSink, b.Delivery.DeadLetterSink) && a.DeadLetter == b.DeadLetter
}
