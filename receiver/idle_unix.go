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
	c.err = nil
	if err := c.raw.Read(c.wait); err != nil {
		return err
	}
	return c.err
}

// readReady reads what is there; false means that nothing is.
func (c *conn) readReady(fd uintptr) bool {
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
	if c.err = err; err == nil {
		c.err = io.EOF
	}
	return true
}
