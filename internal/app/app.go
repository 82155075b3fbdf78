// Package app wires the roles of Kurier into one process and runs it. It is
// the only place that reads the environment; it decides nothing about events.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Role is what a process does.
type Role string

// The roles.
const (
	RoleDev        Role = "dev"        // everything in one process on an embedded broker
	RoleRun        Role = "run"        // receiver and dispatcher against Kafka
	RoleReceiver   Role = "receiver"   // events in
	RoleDispatcher Role = "dispatcher" // events out
)

func (r Role) receives() bool   { return r != RoleDispatcher }
func (r Role) dispatches() bool { return r != RoleReceiver }

// Options are what main hands over.
type Options struct {
	Role   Role
	Config Config
	Out    io.Writer // what a person reads: events of displays, lines to copy
	Err    io.Writer // the log
	Color  bool      // Out is a terminal
}

// Run runs a process until ctx ends, drains it within SHUTDOWN_TIMEOUT or until
// hard ends, and returns when everything it started has ended. The error is
// ready to be shown; one with an ExitCode method decides the exit status.
func Run(ctx, hard context.Context, o Options) (err error) {
	logger := newLogger(o)
	if o.Role != RoleDev && len(o.Config.KafkaBootstrapServers) == 0 {
		return &EnvError{Problems: []string{`KAFKA_BOOTSTRAP_SERVERS="": allowed: host:port, comma-separated, for example kafka:9092; or use kurier dev, which brings a broker of its own`}}
	}
	if settings := o.Config.NonDefaults(); len(settings) > 0 {
		logger.Info("settings that differ from the defaults", "settings", strings.Join(settings, " "))
	}
	defer tuneMemory()()
	var stop stopper
	defer func() { err = errors.Join(err, stop.run(hard)) }()
	p := &process{options: o, config: &o.Config, logger: logger, registry: newRegistry()}
	if err := p.open(ctx, &stop); err != nil {
		return err
	}
	logger.Info("started", "role", o.Role, "ingress", p.ingressAddress(), "admin", p.admin.Addr().String(), "manifests", p.manifests.path)
	if o.Role == RoleDev {
		p.banner(o.Out)
	}
	select {
	case <-ctx.Done():
		logger.Info("stopping", "at most", o.Config.ShutdownTimeout)
		return nil
	case err := <-p.failed:
		return err
	}
}

func newLogger(o Options) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(o.Config.LogLevel)}
	if o.Config.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(o.Err, options))
	}
	return slog.New(slog.NewTextHandler(o.Err, options))
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// listen opens a port on every address; the error names the variable to change.
func listen(ctx context.Context, variable string, port int) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use by another process: stop it, or set %s to a free port", port, variable)
	}
	if err != nil {
		return nil, fmt.Errorf("port %d cannot be opened: %w (set %s to another port)", port, err, variable)
	}
	return listener, nil
}

// stopper is a stack of named steps that undo a start, run last in first out.
type stopper struct {
	steps []func(hard context.Context) error
}

func (s *stopper) add(step func(hard context.Context) error) { s.steps = append(s.steps, step) }

// run runs every step, whatever the ones before answered.
func (s *stopper) run(hard context.Context) error {
	var errs []error
	for i := len(s.steps) - 1; i >= 0; i-- {
		errs = append(errs, s.steps[i](hard))
	}
	return errors.Join(errs...)
}

// within derives the context of a drain: it ends after limit, or with hard.
func within(hard context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(hard, limit)
}
