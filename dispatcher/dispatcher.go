package dispatcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// waitingReplies bounds the bytes of replies that wait for a retry, all
// subscriptions together.
const waitingReplies = 64 << 20

// ErrStopped is returned by Apply after Shutdown.
var ErrStopped = errors.New("the dispatcher is shut down")

// Dispatcher runs a set of subscriptions. Its methods may be called from any
// goroutine.
type Dispatcher struct {
	cfg       Config
	collector *collector // nil: no metrics
	replies   atomic.Int64
	reads     reads

	cut    context.Context // ends when nothing may be drained any longer
	cutNow context.CancelFunc

	apply   sync.Mutex // one Apply or Shutdown at a time; taken before mu
	stopped bool       // guarded by apply

	mu       sync.Mutex
	runners  map[key]*runner
	stopping map[key]*runner // the latest one of each key, until it has ended
	ending   sync.WaitGroup  // all that stop
}

// New returns a Dispatcher that runs nothing. The error names the field of
// Config that is wrong.
func New(cfg Config) (*Dispatcher, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Dispatcher{cfg: cfg, reads: reads{logger: cfg.Logger}, runners: map[key]*runner{}, stopping: map[key]*runner{}}
	d.cut, d.cutNow = context.WithCancel(context.Background())
	d.replies.Store(waitingReplies)
	if cfg.Registerer != nil {
		d.collector = newCollector(d.list)
		if err := cfg.Registerer.Register(d.collector); err != nil {
			return nil, fmt.Errorf("dispatcher: register metrics: %w", err)
		}
	}
	return d, nil
}

// Apply makes subs the set that runs. What changed takes its new settings in
// place, at once, and leaves its group only when its cluster, topic or group
// changed; what is new is started; what is gone is drained and stopped, its
// group kept; what is the same is not touched.
//
// A subscription that cannot run as it is given goes on as it was, or does not
// start; the error joins one for each, and the others are not affected. Apply
// again to try again. Apply does not wait for Kafka, nor for what has to stop:
// Shutdown does.
func (d *Dispatcher) Apply(ctx context.Context, subs []Subscription) error {
	d.apply.Lock()
	defer d.apply.Unlock()
	if d.stopped {
		return ErrStopped
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	wanted, errs := d.compile(subs)
	for _, w := range wanted { // changes first: a held event may be waiting for one
		if r := d.runner(w.key); r != nil && w.settings != nil {
			if now := r.pipe.settings.Load(); now != w.settings && r.started() && now.sameSource(&w.settings.Subscription) {
				r.change(w.settings)
			}
		}
	}
	d.stopOthers(wanted)
	for _, w := range wanted {
		if w.settings != nil {
			errs = append(errs, d.ensure(w.settings))
		}
	}
	return errors.Join(errs...)
}

// wish is a subscription that is wanted. settings is nil when it is invalid: it
// is wanted, but not like this.
type wish struct {
	key      key
	settings *settings
}

// compile checks subs and makes their settings; what did not change keeps those
// it has.
func (d *Dispatcher) compile(subs []Subscription) ([]wish, []error) {
	wanted := make([]wish, 0, len(subs))
	seen := make(map[key]bool, len(subs))
	var errs []error
	for _, sub := range subs {
		k := sub.key()
		if seen[k] {
			errs = append(errs, fmt.Errorf("%s is given twice", k))
			continue
		}
		seen[k] = true
		if r := d.runner(k); r != nil && equal(&r.pipe.settings.Load().Subscription, &sub) {
			wanted = append(wanted, wish{k, r.pipe.settings.Load()})
			continue
		}
		s, err := compile(sub)
		errs = append(errs, err)
		wanted = append(wanted, wish{k, s})
	}
	return wanted, errs
}

// stopOthers stops what is not wanted.
func (d *Dispatcher) stopOthers(wanted []wish) {
	keep := make(map[key]bool, len(wanted))
	for _, w := range wanted {
		keep[w.key] = true
	}
	for _, r := range d.list() {
		if !keep[r.key] {
			d.collector.forget(r.key)
			d.retire(r, d.cfg.DrainTimeout, r.close)
		}
	}
}

// retire takes a runner out of the set and stops it in the background; then
// finally is called.
func (d *Dispatcher) retire(r *runner, drain time.Duration, finally func()) {
	d.mu.Lock()
	delete(d.runners, r.key)
	d.stopping[r.key] = r
	d.mu.Unlock()
	d.ending.Go(func() {
		r.stop(d.cut, drain)
		finally()
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.stopping[r.key] == r {
			delete(d.stopping, r.key)
		}
	})
}

// ensure makes a subscription run under s: it starts what does not run, and
// starts anew what reads another topic now.
func (d *Dispatcher) ensure(s *settings) error {
	k := s.key()
	old := d.runner(k)
	if old != nil && old.started() && old.pipe.settings.Load() == s {
		return nil
	}
	r := &runner{key: k, cfg: &d.cfg, http: NewHTTPSender(), reads: &d.reads}
	r.logger = d.cfg.Logger.With("kind", k.kind, "namespace", k.namespace, "name", k.name)
	if old == nil {
		r.pipe = d.newPipeline(r, s)
		d.collector.track(k, r.pipe.metrics)
	} else {
		r.pipe, r.http = old.pipe, old.http
		d.retire(old, d.cfg.DrainTimeout, func() {})
		r.pipe.change(s)
	}
	d.mu.Lock()
	d.runners[k] = r
	var after <-chan struct{}
	if before := d.stopping[k]; before != nil {
		after = before.done
	}
	d.mu.Unlock()
	if err := r.start(after); err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	return nil
}

func (d *Dispatcher) newPipeline(r *runner, s *settings) *pipeline {
	p := &pipeline{
		cfg:     &d.cfg,
		sender:  &router{http: r.http, clusters: d.cfg.Clusters, produceTimeout: d.cfg.ProduceTimeout},
		backoff: d.cfg.backoff(),
		replies: &d.replies,
		metrics: &subMetrics{},
		health:  newHealth(r.logger),
	}
	if d.cfg.Sender != nil {
		p.sender = d.cfg.Sender
	}
	if d.cfg.Tracer != nil {
		p.sender = &tracedSender{next: p.sender, tracer: d.cfg.Tracer}
	}
	p.settings.Store(s)
	return p
}

func (d *Dispatcher) runner(k key) *runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runners[k]
}

// list returns the runners, sorted.
func (d *Dispatcher) list() []*runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Values(d.runners), func(a, b *runner) int {
		return cmp.Or(cmp.Compare(a.key.kind, b.key.kind),
			cmp.Compare(a.key.namespace, b.key.namespace), cmp.Compare(a.key.name, b.key.name))
	})
}

// Status tells how one subscription does; false when it is not in the set.
func (d *Dispatcher) Status(kind, namespace, name string) (Status, bool) {
	if r := d.runner(key{kind, namespace, name}); r != nil {
		return r.status(), true
	}
	return Status{}, false
}

// Statuses tells how all do, sorted by kind, namespace and name.
func (d *Dispatcher) Statuses() []Status {
	runners := d.list()
	all := make([]Status, len(runners))
	for i, r := range runners {
		all[i] = r.status()
	}
	return all
}

// Shutdown drains all subscriptions at once: nothing new is started, what is in
// flight may finish until ctx ends and is then cut. It returns when everything
// has ended; the error is ctx's when it had to cut. Later calls do nothing.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	d.apply.Lock()
	defer d.apply.Unlock()
	d.stopped = true
	for _, r := range d.list() {
		d.retire(r, forever, r.close)
	}
	stop := context.AfterFunc(ctx, d.cutNow)
	d.ending.Wait()
	d.reads.close()
	if d.collector != nil {
		d.cfg.Registerer.Unregister(d.collector)
	}
	if !stop() {
		return ctx.Err()
	}
	d.cutNow()
	return nil
}

const forever = time.Duration(1<<63 - 1)
