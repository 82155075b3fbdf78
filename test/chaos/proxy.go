package chaos

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Weather is what a Proxy does to its connections.
type Weather struct {
	// Cut: connections are reset, new ones at once.
	Cut bool
	// Silent: nothing passes, in neither direction, not even an end; new connections are
	// accepted. What was held back passes when the weather clears, as after a partition
	// of a network.
	Silent bool
	// Delay is added to everything, in each direction.
	Delay time.Duration
}

// Proxy forwards TCP connections to a target. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	weather Weather
	changed chan struct{} // closed at each change
	links   map[*link]struct{}
	closed  bool
}

// dialWithin bounds a connection to the target, which is on this machine.
const dialWithin = 5 * time.Second

// NewProxy listens on addr and forwards to target.
func NewProxy(addr, target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for a proxy of %s: %w", target, err)
	}
	p := &Proxy{listener: listener, target: target, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the weather for all connections, old and new.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
	if w.Cut {
		for l := range p.links {
			l.reset()
		}
	}
}

// Close resets all connections and waits for the proxy's goroutines. It may be called
// twice.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Set(Weather{Cut: true})
	p.running.Wait()
}

// now is the weather and what announces the next.
func (p *Proxy) now() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		l := &link{proxy: p, near: conn.(*net.TCPConn), over: make(chan struct{})}
		p.mu.Lock()
		refused := p.weather.Cut || p.closed
		if !refused {
			p.links[l] = struct{}{}
		}
		p.mu.Unlock()
		if refused {
			l.reset()
			continue
		}
		p.running.Go(l.run)
	}
}

// link is one connection through the proxy.
type link struct {
	proxy *Proxy
	near  *net.TCPConn // of who called

	mu   sync.Mutex
	far  *net.TCPConn // to the target
	gone bool
	over chan struct{} // closed with gone
}

// run forwards until both ends have ended.
func (l *link) run() {
	defer func() {
		l.proxy.mu.Lock()
		delete(l.proxy.links, l)
		l.proxy.mu.Unlock()
	}()
	defer l.reset()
	if !l.pass(time.Now()) || !l.dial() {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(l.far, l.near) })
	pumps.Go(func() { l.pump(l.near, l.far) })
	pumps.Wait()
}

func (l *link) dial() bool {
	conn, err := net.DialTimeout("tcp", l.proxy.target, dialWithin)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.far = conn.(*net.TCPConn)
	if l.gone {
		l.far.Close()
	}
	return !l.gone
}

// reset ends both sides with a reset.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return
	}
	l.gone = true
	close(l.over)
	for _, c := range []*net.TCPConn{l.near, l.far} {
		if c != nil {
			_ = c.SetLinger(0)
			c.Close()
		}
	}
}

// chunk is bytes on their way; no bytes are the end.
type chunk struct {
	came time.Time
	data []byte
}

// Room on the way: with it full the sender's writes block, as with a full window.
const (
	chunkBytes = 32 << 10
	chunksKept = 256
)

// pump forwards one direction.
func (l *link) pump(to, from *net.TCPConn) {
	way := make(chan chunk, chunksKept)
	var writing sync.WaitGroup
	writing.Go(func() { l.deliver(to, way) })
	buf := make([]byte, chunkBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			way <- chunk{time.Now(), append([]byte(nil), buf[:n]...)}
		}
		if err != nil {
			if err != io.EOF { //nolint:errorlint // net.Conn returns it bare
				l.reset()
			}
			break
		}
	}
	way <- chunk{came: time.Now()}
	close(way)
	writing.Wait()
}

// deliver writes what is on its way when it is due. It reads the way to its end.
func (l *link) deliver(to *net.TCPConn, way <-chan chunk) {
	ok := true
	for c := range way {
		switch ok = ok && l.pass(c.came); {
		case !ok:
		case c.data == nil:
			_ = to.CloseWrite()
		default:
			if _, err := to.Write(c.data); err != nil {
				l.reset()
				ok = false
			}
		}
	}
}

// pass waits until the weather lets something pass that came then; false: never.
func (l *link) pass(came time.Time) bool {
	for {
		w, changed := l.proxy.now()
		wait := time.Until(came.Add(w.Delay))
		if w.Cut {
			return false
		}
		if !w.Silent && wait <= 0 {
			select {
			case <-l.over:
				return false
			default:
				return true
			}
		}
		if w.Silent {
			wait = time.Hour
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.over:
			timer.Stop()
			return false
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}
