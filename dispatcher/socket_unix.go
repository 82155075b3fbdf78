//go:build unix

package dispatcher

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is what a connection that is spoken to in plain can do beside reading and
// writing. Its methods are not safe for concurrent use.
type socket struct {
	raw    syscall.RawConn
	peek   func(fd uintptr)
	polled [1]unix.PollFd
	silent bool

	tell    func(fd uintptr) (done bool)
	request []byte
	told    bool // request was offered to the socket
	taken   int  // bytes of it that the socket took
	err     error
}

// newSocket returns nil for a connection that has no socket.
func newSocket(c net.Conn) *socket {
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	so := &socket{raw: raw}
	so.peek, so.tell = so.poll, so.write
	return so
}

// quiet looks whether an idle connection is open and silent. It looks without
// waiting and without taking anything out: an end of file, an error, or bytes that
// nobody asked for (a TLS alert, an early 408) mean that the server is done with it.
func (s *socket) quiet() bool {
	if s == nil {
		return true
	}
	s.silent = false
	// Control, not Read: a deadline of an earlier attempt may be over by now.
	return s.raw.Control(s.peek) == nil && s.silent
}

func (s *socket) poll(fd uintptr) {
	s.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	n, err := unix.Poll(s.polled[:], 0)
	s.silent = n == 0 && err == nil
}

// ask writes a request and waits until the socket has something to read, or cannot
// have it. A read that follows finds the answer at once, instead of finding nothing,
// waiting, and reading again: one system call less for each request. It returns what
// was written; with less than all of it and no error, the socket was full, and
// nothing was waited for. The error is that of writing: what is wrong with waiting
// (the deadline) the read that follows finds too.
func (s *socket) ask(request []byte) (written int, err error) {
	s.request, s.told, s.taken, s.err = request, false, 0, nil
	if err := s.raw.Read(s.tell); err != nil && !s.told {
		return 0, err // closed, or its deadline was over before
	}
	s.request = nil
	return s.taken, s.err
}

// write is called before the wait, and again after it. What comes to be read from the
// first call on ends the wait, so nothing that follows the request can be missed.
func (s *socket) write(fd uintptr) (done bool) {
	if s.told {
		return true
	}
	s.told = true
	for {
		n, err := syscall.Write(int(fd), s.request)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			s.err = err
			return true
		}
		s.taken = n
		return n < len(s.request)
	}
}
