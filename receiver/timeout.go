package receiver

import "time"

// Deadlines of a connection are moved only when the one that is set is too
// near: moving one costs a turn of the runtime's timer heap, twice per request.
// So a deadline may come late, by an eighth of its timeout and a second at most,
// never early.

// far is a deadline at least timeout away, as it is or moved.
func far(set time.Time, now time.Time, timeout time.Duration) (deadline time.Time, moved bool) {
	slack := min(timeout/8, time.Second)
	if left := set.Sub(now); left >= timeout && left <= timeout+slack {
		return set, false
	}
	return now.Add(timeout + slack), true
}

// readWithin gives the client timeout to send the next bytes.
func (c *conn) readWithin(timeout time.Duration) error {
	deadline, moved := far(c.readUntil, time.Now(), timeout)
	if !moved {
		return nil
	}
	err := c.Conn.SetReadDeadline(deadline)
	c.readUntil = deadline
	return err
}

// writeWithin gives the client timeout to take an answer.
func (c *conn) writeWithin(timeout time.Duration) error {
	deadline, moved := far(c.writeUntil, time.Now(), timeout)
	if !moved {
		return nil
	}
	err := c.SetWriteDeadline(deadline)
	c.writeUntil = deadline
	return err
}

// SetReadDeadline sets a deadline exactly.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.readUntil = time.Time{}
	return c.Conn.SetReadDeadline(t)
}
