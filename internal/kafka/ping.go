package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

const (
	firstWait = 250 * time.Millisecond
	maxWait   = 2 * time.Second
	// sayAgain is how often the same reason for waiting is logged.
	sayAgain = 30 * time.Second
)

// Ping returns nil when a broker of the cluster answers, else why none does.
// It is cheap enough for a readiness probe: calls at the same time share one
// question, so probes do not pile up behind a Kafka that does not answer.
func (c *Cluster) Ping(ctx context.Context) error {
	answer := c.pings.join(func(p *ping) error {
		return c.start(func() {
			p.err = c.ping()
			c.pings.leave(p)
		})
	})
	select {
	case <-answer.done:
		return answer.err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ctx.Done():
		return ErrClosed
	}
}

func (c *Cluster) ping() error {
	conn, err := c.admin.conn(c.ctx)
	if err != nil {
		return err
	}
	err = conn.anyBroker(func(b *sarama.Broker) error {
		_, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 0})
		return err
	})
	if unreachable(err) {
		c.admin.drop(conn.client)
	}
	return err
}

// pings is the question under way, if any.
type pings struct {
	mu      sync.Mutex
	current *ping
}

type ping struct {
	done chan struct{}
	err  error // valid when done is closed
}

// join returns the question under way; ask starts one when there is none.
func (p *pings) join(ask func(*ping) error) *ping {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		return p.current
	}
	asked := &ping{done: make(chan struct{})}
	if err := ask(asked); err != nil {
		asked.err = err
		close(asked.done)
		return asked
	}
	p.current = asked
	return asked
}

func (p *pings) leave(answered *ping) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = nil
	close(answered.done)
}

// WaitReady returns when Kafka answers, or with the context's error. While it
// waits it logs why, not more often than needed.
func (c *Cluster) WaitReady(ctx context.Context) error {
	var said string
	var saidAt time.Time
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		err := c.Ping(ctx)
		switch {
		case err == nil:
			if said != "" {
				c.logger.Info("Kafka answers", "at", c.address())
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed):
			return err
		}
		if reason := Describe(err); reason != said || time.Since(saidAt) >= sayAgain {
			c.logger.Warn("waiting for Kafka", "at", c.address(), "reason", reason, "next try in", wait)
			said, saidAt = reason, time.Now()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (c *Cluster) address() string { return strings.Join(c.o.Brokers, ",") }

// Describe turns an error of the Kafka client into the few words a person
// needs: "connection refused", "no such host", "no answer in time". Other
// errors keep their text.
func Describe(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "no such host " + dns.Name
		}
		return "cannot look up " + dns.Name
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	}
	text := err.Error()
	for _, noise := range []string{"kafka: client has run out of available brokers to talk to: ", "kafka server: ", "kafka: "} {
		text = strings.TrimPrefix(text, noise)
	}
	return text
}

// unreachable reports whether no broker could be asked at all.
func unreachable(err error) bool {
	return errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrBrokerNotFound) ||
		errors.Is(err, sarama.ErrControllerNotAvailable)
}
