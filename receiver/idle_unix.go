//go:build unix

package receiver

import (
	"io"
	"syscall"
)

// readFirst waits until there is something to read, holding no buffer, and
// reads it into a pooled one. It costs no system call more than a plain Read.
func (c *conn) readFirst() error {
	if c.raw == nil {
		return c.readByte()
	}
	var readErr error
	err := c.raw.Read(func(fd uintptr) bool {
		buf := smallBuffers.Get().(*[]byte)
		n, err := syscall.Read(int(fd), *buf)
		for err == syscall.EINTR {
			n, err = syscall.Read(int(fd), *buf)
		}
		if n > 0 {
			c.woken, c.first = buf, (*buf)[:n]
			return true
		}
		smallBuffers.Put(buf)
		if err == syscall.EAGAIN {
			return false
		}
		if readErr = err; err == nil {
			readErr = io.EOF
		}
		return true
	})
	if err != nil {
		return err
	}
	return readErr
}
