package box

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a bridge in a namespace of its own, which plays the host: programs "on the
// host" are goroutines that enter it (Dial, Publish). The machine's own network is not
// touched, so fixed ports collide with nothing.
type Network struct {
	ns    *os.File // the host's namespace; it lives while this is open
	hosts string   // the file that every box sees as /etc/hosts
	dns   string   // the file that every box sees as /etc/resolv.conf

	mu    sync.Mutex
	names map[string][]string // name -> addresses
	last  int                 // the last address that was given out
	links int                 // the last interface number
}

const (
	subnet  = "172.31.99."
	gateway = subnet + "1"
)

// NewNetwork makes a network that ends with the test.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	dir := t.TempDir()
	n := &Network{hosts: filepath.Join(dir, "hosts"), dns: filepath.Join(dir, "resolv.conf"), names: map[string][]string{}, last: 1}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		n.ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.ns.Close() })
	err = n.do(func() error {
		return ip("link set lo up", "link add box0 type bridge", "addr add "+gateway+"/24 dev box0", "link set box0 up")
	})
	// The address of Docker's resolver; nobody answers there, so an unknown name fails at once.
	resolver := os.WriteFile(n.dns, []byte("nameserver 127.0.0.11\noptions ndots:0\n"), 0o644)
	if err := errors.Join(err, resolver, n.writeHosts()); err != nil {
		t.Fatal(err)
	}
	return n
}

// do runs f on a thread inside the host's namespace.
func (n *Network) do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return f()
	})
}

// ip runs `ip` once for each line of arguments, in the calling thread's namespace.
func ip(lines ...string) error {
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// Address gives out the next free address of the network.
func (n *Network) Address() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last++
	return fmt.Sprintf("%s%d", subnet, n.last)
}

// connect gives the process an interface eth0; it must be in a namespace of its own.
func (n *Network) connect(pid int) error {
	n.mu.Lock()
	n.links++
	name := fmt.Sprintf("box0v%d", n.links)
	n.mu.Unlock()
	return n.do(func() error {
		return ip(fmt.Sprintf("link add %s type veth peer name eth0 netns %d", name, pid),
			"link set "+name+" master box0 up")
	})
}

// Name adds an address to a name in every box's /etc/hosts.
func (n *Network) Name(name, address string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = append(n.names[name], address)
	return n.writeHosts()
}

// Forget takes an address from a name; a name without one cannot be resolved.
func (n *Network) Forget(name, address string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = slices.DeleteFunc(n.names[name], func(a string) bool { return a == address })
	return n.writeHosts()
}

// writeHosts writes the file in place: boxes have mounted this very file.
func (n *Network) writeHosts() error {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		for _, address := range n.names[name] {
			fmt.Fprintf(&b, "%s %s\n", address, name)
		}
	}
	if err := os.WriteFile(n.hosts, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write the hosts file: %w", err)
	}
	return nil
}

// Dial connects as a program on the host does. localhost is 127.0.0.1 of that host.
func (n *Network) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "localhost" { // resolving would move the dial to other threads
		host = "127.0.0.1"
	}
	err = n.do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port))
		return err
	})
	return conn, err
}

// Listen listens as a program on the host does.
func (n *Network) Listen(address string) (l net.Listener, err error) {
	err = n.do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Publish forwards a port of the host to an address in the network, as `ports:` asks, until
// the test ends.
func (n *Network) Publish(t testing.TB, hostPort, to string) {
	t.Helper()
	l, err := n.Listen("0.0.0.0:" + hostPort)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { n.forward(ctx, conn, to) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		all.Wait()
	})
}

// forward copies both ways until both are done or ctx ends.
func (n *Network) forward(ctx context.Context, from net.Conn, to string) {
	defer from.Close()
	target, err := n.Dial(ctx, "tcp", to)
	if err != nil {
		return // nobody listens there: the client sees its connection closed, as with Docker
	}
	defer target.Close()
	stop := context.AfterFunc(ctx, func() { from.Close(); target.Close() })
	defer stop()
	var both sync.WaitGroup
	pipe := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		if c, ok := dst.(*net.TCPConn); ok {
			_ = c.CloseWrite()
		}
	}
	both.Go(func() { pipe(target, from) })
	both.Go(func() { pipe(from, target) })
	both.Wait()
}
