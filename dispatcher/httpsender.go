package dispatcher

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// Limits of a pool of connections to one host.
const (
	// maxIdle is short: a server that closes idle connections is then seldom the
	// first to do so.
	maxIdle = 10 * time.Second
	// maxAge makes changes of DNS and new replicas seen.
	maxAge = 5 * time.Minute
	// warm is how long after an answer a connection is used without a look.
	warm = time.Millisecond
)

// HTTPSender sends events by HTTP/1.1 POST over kept-alive connections. It never
// follows a redirect, never reads an unbounded body, never sends a request a
// second time after a byte of it was written, and ends at once when its context
// does. It keeps as many connections per host as attempts run at once, so the
// caller's concurrency is the limit. Safe for concurrent use.
type HTTPSender struct {
	dialer net.Dialer
	cuts   cutoffs

	mu      sync.RWMutex
	targets map[targetKey]*target
	closed  bool
}

type targetKey struct{ url, caCerts string }

// target is a destination taken apart once.
type target struct {
	url        string
	addr       string // host:port to dial
	host       string // Host header
	requestURI string
	authority  string // Authorization from the URL's user, or empty
	prefix     []byte // see prefixOf
	tls        *tls.Config
	pool       *pool
	cuts       *cutoffs
	broken     *AttemptError // why nothing can be sent to it
}

// NewHTTPSender returns a sender without connections. Close it.
func NewHTTPSender() *HTTPSender {
	return &HTTPSender{
		dialer:  net.Dialer{KeepAlive: 30 * time.Second},
		targets: map[targetKey]*target{},
	}
}

// Send implements Sender for destinations with a URL.
func (s *HTTPSender) Send(ctx context.Context, m Message) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	t, err := s.target(m.To)
	if err != nil {
		return Result{}, err
	}
	if t.broken != nil {
		return Result{}, t.broken
	}
	return t.exchange(ctx, &m)
}

// Retain closes the idle connections of every destination that is not named;
// one that is still in use is closed when it becomes idle.
func (s *HTTPSender) Retain(destinations ...Destination) {
	keep := make(map[targetKey]bool, len(destinations))
	for _, d := range destinations {
		keep[targetKey{d.URL, d.CACerts}] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, t := range s.targets {
		if !keep[k] {
			delete(s.targets, k)
			t.close()
		}
	}
}

// Close closes all idle connections, now, and those in use when their attempt
// ends. Send fails afterwards. It may be called twice.
func (s *HTTPSender) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Retain()
}

var errSenderClosed = errors.New("the HTTP sender is closed")

func (s *HTTPSender) target(to Destination) (*target, error) {
	k := targetKey{to.URL, to.CACerts}
	s.mu.RLock()
	t := s.targets[k]
	s.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &AttemptError{URL: to.URL, Reason: ReasonConnection, Err: errSenderClosed}
	}
	if t = s.targets[k]; t == nil {
		t = newTarget(to, &s.dialer, &s.cuts)
		s.targets[k] = t
	}
	return t, nil
}

// newTarget never fails: what is wrong with the destination is told by each
// attempt, as a subscriber that cannot be reached would.
func newTarget(to Destination, dialer *net.Dialer, cuts *cutoffs) *target {
	t := &target{url: to.URL, cuts: cuts}
	u, err := url.Parse(to.URL)
	switch {
	case err != nil:
		t.broken = &AttemptError{URL: to.URL, Reason: ReasonConnection, Err: err}
		return t
	case u.Scheme != "http" && u.Scheme != "https":
		t.broken = &AttemptError{URL: to.URL, Reason: ReasonUnsupportedScheme,
			Err: fmt.Errorf("unsupported scheme %q, want http or https", u.Scheme)}
		return t
	case u.Hostname() == "":
		t.broken = &AttemptError{URL: to.URL, Reason: ReasonConnection, Err: errors.New("the URL has no host")}
		return t
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	t.addr = net.JoinHostPort(u.Hostname(), port)
	t.host = u.Host
	t.requestURI = u.RequestURI() // "/" when the URL has no path; the path as it was written
	if u.User != nil {
		t.authority = basicAuth(u.User)
	}
	if u.Scheme == "https" {
		if t.tls, err = tlsConfig(u.Hostname(), to.CACerts); err != nil {
			t.broken = &AttemptError{URL: to.URL, Reason: ReasonConnection, Err: err}
			return t
		}
	}
	t.prefix = t.prefixOf()
	t.pool = &pool{dialer: dialer, addr: t.addr, tls: t.tls}
	return t
}

func (t *target) close() {
	if t.pool != nil {
		t.pool.close()
	}
}

// tlsConfig trusts the system's roots and caCerts. ALPN offers HTTP/1.1 alone,
// so a server that can do HTTP/2 negotiates down.
func tlsConfig(host, caCerts string) (*tls.Config, error) {
	c := &tls.Config{
		ServerName:         host,
		NextProtos:         []string{"http/1.1"},
		MinVersion:         tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	if caCerts == "" {
		return c, nil // the system's
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without roots still trusts CACerts
	}
	if !roots.AppendCertsFromPEM([]byte(caCerts)) {
		return nil, errors.New("CACerts holds no usable PEM certificate")
	}
	c.RootCAs = roots
	return c, nil
}
