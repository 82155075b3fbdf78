package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what a Server needs.
type Config struct {
	// Addr is the listen address; empty means :9090, port 0 any free port.
	Addr string

	// Process answers the questions; required.
	Process Process

	// Gatherer holds the metrics; nil: prometheus.DefaultGatherer.
	Gatherer prometheus.Gatherer

	// Pprof serves Go's profiles under /debug/pprof/.
	Pprof bool

	// Heartbeat is how often an idle tail sends an empty line, so that a client
	// that has gone is noticed; 0 means 10 s.
	Heartbeat time.Duration

	// Patience is how long a tail's client may take to read one event before it
	// is cut off; 0 means 30 s.
	Patience time.Duration

	// Logger is required no more than the rest; nil: nothing is logged.
	Logger *slog.Logger
}

// firstByte is how long a tail without events waits for an error before it
// answers 200.
const firstByte = 300 * time.Millisecond

// stopWait is how long requests may finish after Run's context ended.
const stopWait = time.Second

// Server is the admin server.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	cut      context.CancelFunc // ends every request
}

// New checks the configuration and starts to listen, so that Addr is known and
// a probe that comes before Run waits instead of being refused.
func New(c Config) (*Server, error) {
	if c.Process == nil {
		return nil, errors.New("admin: Config.Process is missing")
	}
	if c.Heartbeat < 0 || c.Patience < 0 {
		return nil, errors.New("admin: Config.Heartbeat and Config.Patience: allowed: zero or more")
	}
	c = c.withDefaults()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", c.Addr) // does not block
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("admin: the address %s is taken by another process: stop it, or set ADMIN_PORT to a free port", c.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("admin: cannot listen on %s: %w", c.Addr, err)
	}
	s := &Server{config: c, listener: listener}
	requests, cut := context.WithCancel(context.Background())
	s.cut = cut
	s.http = &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = ":9090"
	}
	if c.Gatherer == nil {
		c.Gatherer = prometheus.DefaultGatherer
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 10 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends; call it once. Tails are then ended, other requests
// have a second. It returns nil after a stop, and only when every request has
// ended.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	var failed error
	select {
	case failed = <-served:
	case <-ctx.Done():
	}
	s.cut()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if s.http.Shutdown(bounded) != nil {
		_ = s.http.Close() // its error is that of a listener closed twice
	}
	if failed == nil {
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			failed = err
		}
	}
	return failed
}

// Close ends a server that was never run, and frees its port.
func (s *Server) Close() error {
	s.cut()
	return s.listener.Close()
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Gatherer, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
	}))
	mux.HandleFunc("GET /status", s.list)
	mux.HandleFunc("GET /status/{kind}/{namespace}/{name}", s.object)
	mux.HandleFunc("GET /tail/{kind}/{namespace}/{name}", s.tail)
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "nothing is served at "+r.URL.Path+"; GET / lists what is")
	})
	if s.config.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return onlyGet(mux)
}

// onlyGet answers every method but GET and HEAD with 405.
func onlyGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, "the admin port answers questions (GET); events go to the ingress port")
			return
		}
		next.ServeHTTP(w, r)
	})
}
