//go:build unix

package dispatcher

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// probe looks whether an idle connection is open and silent. It looks at the
// socket without waiting and without taking anything out of it: an end of file,
// an error, or bytes that nobody asked for (a TLS alert, an early 408) mean that
// the server is done with it.
type probe struct {
	raw    syscall.RawConn
	peek   func(fd uintptr)
	polled [1]unix.PollFd
	silent bool
}

// newProbe returns nil for a connection without a socket.
func newProbe(socket net.Conn) *probe {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	p := &probe{raw: raw}
	p.peek = func(fd uintptr) {
		p.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, err := unix.Poll(p.polled[:], 0)
		p.silent = n == 0 && err == nil
	}
	return p
}

// quiet is not safe for concurrent use.
func (p *probe) quiet() bool {
	if p == nil {
		return true
	}
	p.silent = false
	// Control, not Read: a deadline of an earlier attempt may be over by now.
	return p.raw.Control(p.peek) == nil && p.silent
}
