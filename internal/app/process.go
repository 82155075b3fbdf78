package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/dispatcher"
	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/kafka/embedded"
	"kurier.dev/kurier/internal/sources"
	"kurier.dev/kurier/internal/status"
	"kurier.dev/kurier/receiver"
)

// ingressDrain is how long requests under way may finish after the consumers
// have stopped.
const ingressDrain = 5 * time.Second

// process is one running Kurier.
//
//	manifests ──Plan──▶ topology (topics, first offsets, in Kafka)
//	     └────────┬──────────┘ what changed
//	              ▼
//	           publish ──▶ receiver.SetRoutes, dispatcher.Apply, sources.Apply
type process struct {
	options  Options
	config   *Config
	logger   *slog.Logger
	registry *prometheus.Registry

	clusters   *clusters
	topology   *topology
	manifests  *manifests
	receiver   *receiver.Receiver     // nil without the role
	dispatcher *dispatcher.Dispatcher // nil without the role
	sources    *sources.Sources       // nil without the role
	admin      *admin.Server
	ingress    net.Listener // nil without the role
	embedded   *embedded.Broker
	tracer     trace.Tracer // nil: no spans
	displays   *displays

	dirty      chan struct{}        // wakes publish
	changed    chan struct{}        // wakes observing
	opened     map[place]bool       // topics that take events; publish's own
	started    map[wantedGroup]bool // groups that were joined once; publish's own
	wantedPlan *resourcesPlan       // the plan that topology was given; publish's own
	failed     chan error           // what ends the process by itself
	running    atomic.Bool          // everything above is set; the admin server asks before that
	draining   atomic.Bool
	published  atomic.Bool // publish has run with a complete topology at least once
	history    status.History
	groups     groupCache
}

// open starts everything, in the order in which the one needs the other, and
// adds to stop what undoes it.
func (p *process) open(ctx context.Context, stop *stopper) error {
	p.dirty, p.failed = make(chan struct{}, 1), make(chan error, 4)
	p.opened, p.started = map[place]bool{}, map[wantedGroup]bool{}
	p.groups.ask = p.lookAtGroups
	for _, step := range []func(context.Context, *stopper) error{
		p.openPorts, p.openTracing, p.openBroker, p.openManifests, p.openTopology, p.openReceiver, p.openDispatcher, p.openSources, p.openLoop,
	} {
		if err := step(ctx, stop); err != nil {
			return err
		}
	}
	return nil
}

// openPorts claims the ports first: a start that cannot succeed should fail
// before it touches anything.
func (p *process) openPorts(ctx context.Context, stop *stopper) (err error) {
	if p.options.Role.receives() {
		if p.ingress, err = listen(ctx, "INGRESS_PORT", p.config.IngressPort); err != nil {
			return err
		}
		stop.add(func(context.Context) error { return ignoreClosed(p.ingress.Close()) })
	}
	p.admin, err = admin.New(admin.Config{
		Addr: ":" + strconv.Itoa(p.config.AdminPort), Process: p, Gatherer: p.registry, Pprof: p.config.AdminPprof, Logger: p.logger,
	})
	if err != nil {
		return err
	}
	p.background(stop, p.admin.Run)
	return nil
}

// background runs a service until its step of the stop is reached; an error
// before that ends the process.
func (p *process) background(stop *stopper, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			select {
			case p.failed <- err:
			default:
			}
		}
	})
	stop.add(func(context.Context) error {
		cancel()
		done.Wait()
		return nil
	})
}

func (p *process) openBroker(_ context.Context, stop *stopper) error {
	p.clusters = newClusters(p.config.KafkaBootstrapServers, p.config.InstanceName, p.logger)
	if p.options.Role == RoleDev {
		broker, err := embedded.Start(embedded.Options{DataDir: p.config.DataDir, MaxBytes: p.config.DataMaxBytes, Logger: p.logger})
		if err != nil {
			return err
		}
		p.embedded = broker
		p.clusters = newClusters(broker.Brokers(), p.config.InstanceName, p.logger)
		p.clusters.dial = broker.Dial
		stop.add(func(context.Context) error { return broker.Close() })
	}
	stop.add(func(context.Context) error { return p.clusters.close() })
	return nil
}

func (p *process) openTopology(_ context.Context, stop *stopper) error {
	p.topology = &topology{
		clusters: p.clusters, logger: p.logger, onChange: p.wake,
		single: p.options.Role == RoleDev, retention: p.config.DeadLetterRetention.Milliseconds(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.topology.start(ctx)
	stop.add(func(context.Context) error {
		cancel()
		p.topology.wait()
		return nil
	})
	return nil
}

func (p *process) openReceiver(_ context.Context, stop *stopper) (err error) {
	if !p.options.Role.receives() {
		return nil
	}
	p.receiver, err = receiver.New(receiver.Config{
		MaxEventBytes: p.config.MaxEventBytes, MaxBatchBytes: p.config.MaxBatchBytes,
		MaxInflightRequests: p.config.MaxInflightRequests, MaxInflightBytes: p.config.MaxInflightBytes,
		ProduceTimeout: p.config.ProduceTimeout.Std(), BrokerTTL: p.config.BrokerTTL,
		WebhookAllowedOrigins: p.config.WebhookAllowedOrigins, WebhookAllowedRate: p.config.WebhookAllowedRate,
		Logger: p.logger, Registerer: p.registry, Tracer: p.tracer,
	})
	if err != nil {
		return err
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := ignoreClosed(p.receiver.Serve(p.ingress)); err != nil && !p.draining.Load() {
			p.failed <- err
		}
	})
	stop.add(func(hard context.Context) error {
		p.receiver.Drain()
		ctx, cancel := within(hard, ingressDrain)
		defer cancel()
		if err := p.receiver.Shutdown(ctx); err != nil {
			p.logger.Warn("ingress ended with requests under way", "reason", err)
		}
		served.Wait()
		return nil
	})
	return nil
}

func (p *process) openDispatcher(_ context.Context, stop *stopper) (err error) {
	if !p.options.Role.dispatches() {
		return nil
	}
	p.dispatcher, err = dispatcher.New(dispatcher.Config{
		Clusters: p.connection, Logger: p.logger, Registerer: p.registry, Tracer: p.tracer,
		RetryMinBackoff: p.config.RetryMinBackoff.Std(), RetryJitter: p.config.RetryJitter,
		StrictReplies: p.config.StrictReplies, AddKafkaPosition: p.config.AddKafkaPosition,
		ProduceTimeout: p.config.ProduceTimeout.Std(), DrainTimeout: p.config.DrainTimeout.Std(),
		Buffer:    consumer.NewBuffer(p.config.DeliveryBufferBytes),
		BrokerTTL: p.config.BrokerTTL, MaxEventBytes: p.config.MaxEventBytes,
	})
	if err != nil {
		return err
	}
	stop.add(func(hard context.Context) error {
		ctx, cancel := within(hard, p.config.ShutdownTimeout.Std())
		defer cancel()
		if err := p.dispatcher.Shutdown(ctx); err != nil {
			p.logger.Warn("delivery was cut off; what was on the wire is delivered again after the next start", "reason", err)
		}
		return nil
	})
	return nil
}

// connection is a cluster as the dispatcher uses it.
func (p *process) connection(name string) (dispatcher.ClusterConn, error) {
	cluster := p.clusters.get(name)
	return dispatcher.ClusterConn{
		Brokers: cluster.Brokers(), Sarama: cluster.ConsumerConfig(), Commits: cluster.CommitClient, Producer: cluster,
	}, nil
}

// openLoop publishes what the manifests want as soon as Kafka holds it, and
// stops doing so before anything else stops.
func (p *process) openLoop(_ context.Context, stop *stopper) error {
	p.background(stop, p.manifests.run)
	p.background(stop, p.publishing)
	p.changed = make(chan struct{}, 1)
	p.background(stop, p.observing)
	stop.add(func(context.Context) error {
		p.draining.Store(true)
		return nil
	})
	p.running.Store(true)
	p.wake()
	return nil
}

// wake asks for a publish.
func (p *process) wake() {
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// publishing hands every change to the receiver, the dispatcher and the sources.
func (p *process) publishing(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.dirty:
		}
		p.publish(ctx)
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

func (p *process) publish(ctx context.Context) {
	plan := p.manifests.plan()
	if plan != p.wantedPlan {
		p.wantedPlan = plan
		p.topology.set(p.wantedBy(plan))
	}
	// Asked first: what comes meanwhile is published by the next round.
	complete := p.published.Load() || len(p.missing(plan)) == 0
	// Asked before the routes: a group that is pinned between the two questions
	// would otherwise join in this round, and its Trigger be Ready, while its
	// Broker answers 503 until the next one.
	subscriptions := p.subscriptions(plan)
	if p.receiver != nil {
		p.receiver.SetRoutes(p.routes(plan))
	}
	if p.dispatcher != nil {
		if err := p.dispatcher.Apply(ctx, subscriptions); err != nil && ctx.Err() == nil {
			p.logger.Error("not every subscription could be started", "reason", err)
		}
	}
	if p.sources != nil {
		if err := p.sources.Apply(p.pings(plan)); err != nil {
			p.logger.Error("not every source could be started", "reason", err)
		}
	}
	if complete {
		p.published.Store(true)
	}
}

// missing lists the topics and groups that Kafka does not hold yet.
func (p *process) missing(plan *resourcesPlan) []string {
	var missing []string
	for key, want := range p.wantedBy(plan) {
		for name, topic := range want.topics {
			if _, known := p.topology.topic(key, name); !known && len(topic.sources) == 0 {
				missing = append(missing, "topic "+name+" is not checked yet")
			}
		}
		for _, group := range want.groups {
			topic, known := p.topology.topic(key, group.topic)
			if !known || topic.Err != nil {
				continue
			}
			if done, _ := p.topology.pinned(group); !done {
				missing = append(missing, "group "+group.group+" has no first offset yet")
			}
		}
	}
	return missing
}

// ingressAddress is where events are taken, or a dash.
func (p *process) ingressAddress() string {
	if p.ingress == nil {
		return "–"
	}
	return p.ingress.Addr().String()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
