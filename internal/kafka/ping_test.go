package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// lines is a log that tests read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestPing(t *testing.T) {
	onBoth(t, func(t *testing.T, tg target) {
		c := tg.open(t)
		for range 3 {
			if err := c.Ping(testContext(t)); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestWaitReadySaysWhatItWaitsFor(t *testing.T) {
	tg := onEmbedded(t)
	var up atomic.Bool
	var log lines
	c := tg.open(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Brokers = []string{"kafka.example:9092"}
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !up.Load() {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return tg.dial(ctx, network, addr)
		}
	})
	ctx, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	if err := c.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without Kafka: %v", err)
	}
	ready := make(chan error, 1)
	go func() { ready <- c.WaitReady(testContext(t)) }()
	eventually(t, "it says that it waits", func() bool {
		return strings.Contains(log.String(), `msg="waiting for Kafka" at=kafka.example:9092 reason="connection refused"`)
	})
	up.Store(true)
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "waiting for Kafka") != 1 || !strings.Contains(text, `msg="Kafka answers" at=kafka.example:9092`) {
		t.Errorf("log:\n%s", text)
	}
}

func TestDescribe(t *testing.T) {
	wrap := func(err error) error {
		return sarama.Wrap(sarama.ErrOutOfBrokers, &net.OpError{Op: "dial", Err: err})
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{wrap(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		{wrap(&net.DNSError{Name: "kafka", IsNotFound: true}), "no such host kafka"},
		{wrap(&net.DNSError{Name: "kafka", IsTimeout: true}), "cannot look up kafka"},
		{wrap(os.ErrDeadlineExceeded), "no answer in time"},
		{context.DeadlineExceeded, "no answer in time"},
		{sarama.Wrap(sarama.ErrOutOfBrokers, io.EOF), "connection closed"},
		{fmt.Errorf("x: %w", sarama.ErrInvalidTopic), "x: kafka server: The request attempted to perform an operation on an invalid topic"},
		{sarama.ErrInvalidTopic, "The request attempted to perform an operation on an invalid topic"},
	} {
		if got := Describe(tc.err); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}
