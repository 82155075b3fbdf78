package display

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// stopWait is how long requests may finish after Run's context ended.
const stopWait = 2 * time.Second

// Server is a running display.
type Server struct {
	options  Options
	listener net.Listener
	http     *http.Server
	requests atomic.Int64 // requests with valid events so far
	stopping chan struct{}
}

func newServer(o Options, listener net.Listener) *Server {
	s := &Server{options: o, listener: listener, stopping: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends; call it once. Requests that wait for a delay are
// then answered 503 at once, others have two seconds. It returns nil after a
// stop, and only when everything it started has ended.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	close(s.stopping)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if s.http.Shutdown(bounded) != nil {
		_ = s.http.Close() // its error is that of a listener closed twice
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends a server that was never run, and frees its port.
func (s *Server) Close() error { return s.listener.Close() }
