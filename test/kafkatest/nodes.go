package kafkatest

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"
)

// Size is the number of nodes that this cluster was started with; 0 for an external one.
func (c *Cluster) Size() int { return len(c.nodes) }

// StopNode ends node i (from 0) as an operator does: leadership moves away first.
func (c *Cluster) StopNode(t testing.TB, i int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.nodes[i].proc.Stop(stopTimeout) {
		t.Logf("Kafka node %d did not stop within %s and was killed", i+1, stopTimeout)
	}
}

// KillNode ends node i (from 0) at once, as a power failure of that machine does.
func (c *Cluster) KillNode(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i].proc.Kill()
}

// SignalNode sends a signal, for example SIGSTOP and SIGCONT, to node i (from 0).
func (c *Cluster) SignalNode(t testing.TB, i int, sig syscall.Signal) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.nodes[i].proc.Signal(os.Signal(sig)); err != nil {
		t.Fatal(err)
	}
}

// StartNode starts node i (from 0) again on its old data and address, and waits until it
// answers. With others down it may know fewer brokers than there are.
func (c *Cluster) StartNode(t testing.TB, i int) {
	t.Helper()
	if err := c.startNode(i); err != nil {
		t.Fatal(err)
	}
}

func (c *Cluster) startNode(i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c.mu.Lock()
	n := c.nodes[i]
	err := n.start()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.await(ctx, n, 1)
}

// AwaitNodes waits until every running node sees the given number of brokers.
func (c *Cluster) AwaitNodes(t testing.TB, brokers int, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, n := range c.nodes {
		if !n.running() {
			continue
		}
		if err := c.await(ctx, n, brokers); err != nil {
			t.Fatal(err)
		}
	}
}
