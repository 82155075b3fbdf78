package app

import (
	"context"

	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/sources"
	"kurier.dev/kurier/internal/status"
)

// sourceSender lets sources POST as the dispatcher does.
type sourceSender struct{ http *dispatcher.HTTPSender }

// Send makes one attempt.
func (s sourceSender) Send(ctx context.Context, to sources.Target, m *event.Message) error {
	_, err := s.http.Send(ctx, dispatcher.Message{To: dispatcher.Destination{URL: to.URL, CACerts: to.CACerts}, Event: m})
	return err
}

func (p *process) openSources(_ context.Context, stop *stopper) (err error) {
	if !p.options.Role.dispatches() {
		return nil
	}
	sender := sourceSender{http: dispatcher.NewHTTPSender()}
	stop.add(func(context.Context) error {
		sender.http.Close()
		return nil
	})
	p.sources, err = sources.New(sources.Config{
		Cluster: p.clusters.get(""), Sender: sender, Retryable: dispatcher.Retryable, Logger: p.logger, Registerer: p.registry,
	})
	if err != nil {
		return err
	}
	p.background(stop, p.sources.Run)
	return nil
}

// pingSource is a PingSource, with what this process does for it.
func (v *view) pingSource(o *resources.Object) status.Object {
	object := v.base(o)
	object.Status.SinkURI = o.SubscriberURI
	if v.p.sources == nil {
		return object
	}
	here := v.p.sources.Status(o.Namespace, o.Name)
	if here.State == sources.Idle {
		return object
	}
	object.Status.Firing = &status.Firing{Instance: v.p.config.InstanceName, State: here.State, LastError: here.LastError}
	if !here.LastTick.IsZero() {
		object.Status.Firing.LastTick = &here.LastTick
	}
	return object
}
