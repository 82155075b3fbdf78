package harness

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Server is an HTTP server of a test. Its end is the end of every request that it has:
// their contexts are cancelled and their connections cut, so that a handler which waits for
// the sender to go never outlives it, even when the sender calls again at once.
type Server struct {
	*httptest.Server
	end context.CancelFunc
}

// NewServer starts a server on a free port. It ends with the test.
func NewServer(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	s := newServer(handler)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// newServer is a server that is not started.
func newServer(handler http.Handler) *Server {
	s := &Server{Server: httptest.NewUnstartedServer(handler)}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	return s
}

// Close ends the server and waits for its requests. It may be called twice.
func (s *Server) Close() {
	s.end()
	_ = s.Listener.Close() // before the connections: whoever is cut off calls again
	s.CloseClientConnections()
	s.Server.Close()
}
