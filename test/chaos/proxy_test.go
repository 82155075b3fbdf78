package chaos

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo is a server that answers each line with the line.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

type caller struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func call(t *testing.T, p *Proxy) *caller {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{t, conn, bufio.NewReader(conn)}
}

// say sends a line and returns what comes back within a time.
func (c *caller) say(line string, within time.Duration) (string, error) {
	c.t.Helper()
	if line != "" {
		if _, err := io.WriteString(c.conn, line+"\n"); err != nil {
			return "", err
		}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(within))
	return c.in.ReadString('\n')
}

const plenty = 10 * time.Second

func newProxy(t *testing.T) *Proxy {
	t.Helper()
	p, err := NewProxy("127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestProxyForwards(t *testing.T) {
	c := call(t, newProxy(t))
	if got, err := c.say("hello", plenty); got != "hello\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_ = c.conn.(*net.TCPConn).CloseWrite()
	if _, err := c.say("", plenty); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want EOF", err)
	}
}

func TestProxyCuts(t *testing.T) {
	p := newProxy(t)
	c := call(t, p)
	if _, err := c.say("hello", plenty); err != nil {
		t.Fatal(err)
	}
	p.Set(Weather{Cut: true})
	if _, err := c.say("", plenty); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an open connection: %v, want a reset", err)
	}
	// The reset may come before the client's connect has returned.
	if conn, err := net.Dial("tcp", p.Addr()); err == nil {
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(plenty))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a new connection: %v, want a reset", err)
		}
	}
	p.Set(Weather{})
	if got, err := call(t, p).say("again", plenty); got != "again\n" || err != nil {
		t.Errorf("when the weather cleared: %q, %v", got, err)
	}
}

func TestProxyDelays(t *testing.T) {
	p := newProxy(t)
	p.Set(Weather{Delay: 50 * time.Millisecond})
	c, began := call(t, p), time.Now()
	if _, err := c.say("hello", plenty); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("there and back in %s, want at least twice the delay", took)
	}
}

func TestProxyFallsSilent(t *testing.T) {
	p := newProxy(t)
	c := call(t, p)
	if _, err := c.say("hello", plenty); err != nil {
		t.Fatal(err)
	}
	p.Set(Weather{Silent: true})
	if _, err := c.say("held", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent connection: %v, want nothing at all", err)
	}
	if _, err := call(t, p).say("held", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a new connection: %v, want nothing at all", err)
	}
	p.Set(Weather{})
	if got, err := c.say("", plenty); got != "held\n" || err != nil {
		t.Errorf("when the weather cleared: %q, %v", got, err)
	}
}
