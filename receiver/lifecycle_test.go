package receiver_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/receiver"
)

// Drain refuses new events politely and lets those under way end.
func TestDrain(t *testing.T) {
	k := &fakeKafka{entered: make(chan struct{}, 10), err: nil}
	release := make(chan struct{})
	k.err = func(*record) error { <-release; return nil }
	f := start(t, k, receiver.Config{})
	under, idle := f.dial(), f.dial()
	idle.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := idle.answer(); got.code != 200 {
		t.Fatalf("%d", got.code)
	}
	under.send(withBody("x"))
	<-k.entered
	f.r.Drain()
	f.r.Drain()
	idle.send(postLines + "Content-Length: 5\r\n\r\nhello")
	if got := idle.answer(); got.code != 503 || got.header.Get("Connection") != "close" || !strings.Contains(got.detail, "shutting down") {
		t.Errorf("%d %v %s", got.code, got.header, got.detail)
	}
	idle.closed()
	if got := f.binary("/ns/other", ""); got.code != 404 {
		t.Errorf("the route is checked first: %d", got.code)
	}
	close(release)
	if got := under.answer(); got.code != 202 || got.header.Get("Connection") != "close" {
		t.Errorf("%d %v", got.code, got.header)
	}
	under.closed()
}

// Shutdown waits for what is under way, closes what is idle, and can be called
// again.
func TestShutdown(t *testing.T) {
	k := &fakeKafka{entered: make(chan struct{}, 10)}
	release := make(chan struct{})
	k.err = func(*record) error { <-release; return nil }
	f := start(t, k, receiver.Config{})
	under, idle := f.dial(), f.dial()
	idle.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
	idle.answer()
	under.send(withBody("x"))
	<-k.entered
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- f.r.Shutdown(context.Background()) }()
	}
	idle.closed()
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v with a request under way", err)
	default:
	}
	close(release)
	if got := under.answer(); got.code != 202 {
		t.Errorf("%d", got.code)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	if _, err := net.DialTimeout("tcp", f.addr, patience); err == nil {
		t.Error("the port is still open")
	}
}

// When time is up, connections are cut and produces cancelled.
func TestShutdownGivesUp(t *testing.T) {
	k := &fakeKafka{entered: make(chan struct{}, 10), forever: true}
	f := start(t, k, receiver.Config{})
	slow, stuck := f.dial(), f.dial()
	slow.send(postLines + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	slow.toldToGoOn()
	slow.send("hel")
	stuck.send(withBody("x"))
	<-k.entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := f.r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	slow.closed()
}

func TestShutdownBeforeServe(t *testing.T) {
	r, err := receiver.New(receiver.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(ln); !errors.Is(err, receiver.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

func TestServeOnABrokenListener(t *testing.T) {
	r, err := receiver.New(receiver.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := r.Serve(ln); err == nil {
		t.Error("Serve returned nil")
	}
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// A connection above the limit is told so.
func TestMaxConnections(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{MaxConnections: 2})
	for range 2 {
		c := f.dial()
		c.send(withBody("x"))
		if got := c.answer(); got.code != 202 {
			t.Fatalf("%d", got.code)
		}
	}
	c := f.dial()
	if got := c.answer(); got.code != 503 || !strings.Contains(got.detail, "all 2 connections are in use") {
		t.Errorf("%d %s", got.code, got.detail)
	}
	c.closed()
}

// Connections without a file descriptor work too.
func TestPipe(t *testing.T) {
	f := start(t, &fakeKafka{}, receiver.Config{})
	ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- f.r.Serve(ln) }()
	client, server := net.Pipe()
	ln.conns <- server
	c := &rawConn{Conn: client, t: t, br: newReader(client)}
	for range 2 {
		go func() { _, _ = client.Write([]byte(withBody("x"))) }()
		if got := c.answer(); got.code != 202 {
			t.Errorf("%d", got.code)
		}
	}
	if err := f.r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	c.closed()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }
