package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"kurier.dev/kurier/deploy"
	"kurier.dev/kurier/internal/resources"
)

type resourcesPlan = resources.Plan

// manifests is the folder that the process runs, and the Plan it has become.
type manifests struct {
	path     string
	options  resources.Options
	displays *displays // nil: Services are not run
	logger   *slog.Logger
	onChange func()

	current atomic.Pointer[resources.Plan]
	changes <-chan struct{}
	told    map[string]bool // problems already logged
}

// plan is the manifests as they are now: empty before they are loaded. It is
// never changed.
func (m *manifests) plan() *resources.Plan {
	if plan := m.current.Load(); plan != nil {
		return plan
	}
	return &resources.Plan{}
}

// openManifests reads the folder; at a start every error ends the process.
func (p *process) openManifests(_ context.Context, stop *stopper) error {
	path, owned := p.config.ManifestsFor(p.options.Role)
	if owned {
		if err := p.seedExamples(path); err != nil {
			return err
		}
	}
	m := &manifests{path: path, options: p.resourceOptions(), logger: p.logger, onChange: p.wake, told: map[string]bool{}}
	if p.options.Role == RoleDev {
		m.displays = p.newDisplays(stop)
	}
	watching, cancel := context.WithCancel(context.Background())
	m.changes = resources.Watch(watching, path, p.logger)
	p.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kurier_manifest_objects", Help: "Objects of the manifests that are active.",
		}, func() float64 { return float64(len(m.plan().Objects)) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kurier_manifest_errors", Help: "Problems of the manifests as they are now; what they concern keeps its last good version.",
		}, func() float64 { return float64(len(m.plan().Errors)) }),
	)
	stop.add(func(context.Context) error {
		cancel()
		for range m.changes { // closed when the watcher has ended
		}
		return nil
	})
	if err := m.load(); err != nil {
		return err
	}
	p.manifests = m
	return nil
}

// resourceOptions are the environment's part in what manifests mean.
func (p *process) resourceOptions() resources.Options {
	ingress := p.config.IngressURL
	if ingress == "" && p.ingress != nil {
		ingress = fmt.Sprintf("http://localhost:%d", p.ingress.Addr().(*net.TCPAddr).Port)
	}
	return p.config.ResourceOptions(ingress)
}

// load reads the folder for the first time.
func (m *manifests) load() error {
	if _, err := os.Stat(m.path); err != nil {
		return fmt.Errorf("the manifests cannot be read: %w (MANIFESTS names the folder)", err)
	}
	plan, err := resources.Load(m.path, m.options)
	if err == nil && m.startDisplays(plan) {
		plan, err = resources.Load(m.path, m.options)
	}
	if err != nil {
		return &ManifestError{Path: m.path, Err: err}
	}
	m.current.Store(plan)
	m.tell(plan)
	return nil
}

// ManifestError is what is wrong with the manifests at a start.
type ManifestError struct {
	Path string
	Err  error // every problem, a line each
}

func (e *ManifestError) Error() string {
	return fmt.Sprintf("the manifests in %s cannot be used:\n%v", e.Path, e.Err)
}

// Unwrap is the list of problems.
func (e *ManifestError) Unwrap() error { return e.Err }

// run takes over changes of the folder until ctx ends.
func (m *manifests) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-m.changes:
			if !open {
				return nil
			}
		}
		m.reload()
	}
}

func (m *manifests) reload() {
	old := m.plan()
	plan := resources.Reload(old, m.path, m.options)
	if m.startDisplays(plan) {
		plan = resources.Reload(old, m.path, m.options)
	}
	m.current.Store(plan)
	m.tell(plan)
	m.logger.Info("manifests reloaded", "objects", len(plan.Objects), "errors", len(plan.Errors))
	m.onChange()
}

// startDisplays runs a display for every Service that asks for one, and
// reports whether addresses have changed by that.
func (m *manifests) startDisplays(plan *resources.Plan) bool {
	if m.displays == nil {
		return false
	}
	return m.displays.start(plan.Services, m.options.ServiceURLs)
}

// tell logs problems that are new.
func (m *manifests) tell(plan *resources.Plan) {
	now := map[string]bool{}
	for _, problem := range plan.Errors {
		if text := problem.String(); !m.told[text] {
			m.logger.Error("manifest in error; its last good version stays", "problem", text)
		}
		now[problem.String()] = true
	}
	for _, problem := range plan.Warnings {
		if text := problem.String(); !m.told[text] {
			m.logger.Warn("manifest", "problem", text)
		}
		now[problem.String()] = true
	}
	m.told = now
}

// seedExamples fills a folder that is not there yet with the examples.
func (p *process) seedExamples(path string) error {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("DATA_DIR cannot be used: %w", err)
	}
	if err := os.CopyFS(path, deploy.Examples()); err != nil {
		return fmt.Errorf("the examples cannot be written to %s: %w", path, err)
	}
	p.logger.Info("example manifests written; edit them while this runs", "folder", path)
	return nil
}
