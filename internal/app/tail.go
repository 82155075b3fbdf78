package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/filter"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/resources"
)

// Tail shows the events that pass an object: of a Broker, channel or sink those
// of its topic, of a Trigger or Subscription those its filter takes, or its
// dead letters. It reads the topic on its own and disturbs no group.
func (p *process) Tail(ctx context.Context, ref admin.Ref, options admin.TailOptions, each func(admin.Event) error) error {
	if !p.running.Load() {
		return errors.New("starting: the manifests are not loaded yet")
	}
	view, err := p.tailOf(p.manifests.plan(), ref, options.DeadLetters)
	if err != nil {
		return err
	}
	from := kafka.TailFrom{}
	switch {
	case options.From.Oldest:
		from.Kind = kafka.TailOldest
	case options.From.Last > 0:
		from = kafka.TailFrom{Kind: kafka.TailLast, N: options.From.Last}
	}
	return p.clusters.get(view.cluster).Tail(ctx, view.topic, from, func(rec *sarama.ConsumerMessage) error {
		shown, ok := view.show(rec)
		if !ok {
			return nil
		}
		return each(shown)
	})
}

// tailed is a topic and what of it is shown.
type tailed struct {
	cluster, topic string
	filter         *filter.Filter // nil: everything
}

func (p *process) tailOf(plan *resources.Plan, ref admin.Ref, deadLetters bool) (tailed, error) {
	is := func(other resources.Ref) bool {
		return strings.EqualFold(other.Kind, ref.Kind) && other.Namespace == ref.Namespace && other.Name == ref.Name
	}
	for i := range plan.Consumers {
		c := &plan.Consumers[i]
		switch {
		case !is(c.Ref):
		case deadLetters && c.DeadLetter.Topic == "":
			return tailed{}, fmt.Errorf("%w: %s drops its dead letters", admin.ErrNotTailable, ref)
		case deadLetters:
			return tailed{cluster: c.Cluster, topic: c.DeadLetter.Topic}, nil
		default:
			compiled, err := filter.Compile(c.Attributes, c.Filters)
			return tailed{cluster: c.Cluster, topic: c.Topic, filter: compiled}, err
		}
	}
	for i := range plan.Flows {
		if f := &plan.Flows[i]; is(f.Ref) && !deadLetters { // what comes in
			ref = admin.Ref{Kind: f.Channels[0].Kind, Namespace: f.Channels[0].Namespace, Name: f.Channels[0].Name}
		}
	}
	for _, target := range plan.Targets {
		if is(target.Ref) {
			if deadLetters {
				return tailed{}, fmt.Errorf("%w: dead letters belong to a Trigger or Subscription, not to %s", admin.ErrNotTailable, ref)
			}
			return tailed{cluster: target.Cluster, topic: target.Topic}, nil
		}
	}
	for _, object := range plan.Objects {
		if is(object.Ref) {
			return tailed{}, fmt.Errorf("%w: %s", admin.ErrNotTailable, ref)
		}
	}
	return tailed{}, fmt.Errorf("%w: %s", admin.ErrNotFound, ref)
}

// show is a record as a person sees it; false when the filter refuses it.
func (t *tailed) show(rec *sarama.ConsumerMessage) (admin.Event, bool) {
	at := admin.Position{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
	m, err := event.FromRecord(rec)
	if err != nil {
		return admin.ForeignRecord(at, err.Error(), rec.Value), true
	}
	if t.filter != nil {
		if match, err := t.filter.Match(m); err != nil || !match {
			return admin.Event{}, false
		}
	}
	encoded, err := m.Structured()
	if err != nil {
		return admin.ForeignRecord(at, err.Error(), rec.Value), true
	}
	return admin.Event{CloudEvent: encoded}, true
}
