//go:build !unix

package receiver

func (c *conn) readFirst() error { return c.readByte() }
