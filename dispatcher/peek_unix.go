//go:build unix

package dispatcher

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quiet reports whether an idle connection is open and silent. It looks at the
// socket without waiting and without taking anything out of it: an end of file,
// an error, or bytes that nobody asked for (a TLS alert, an early 408) mean that
// the server is done with it.
func quiet(socket net.Conn) bool {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	silent := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		silent = err == unix.EAGAIN || err == unix.EWOULDBLOCK
		return true // never wait for the socket to become readable
	})
	return err == nil && silent
}
