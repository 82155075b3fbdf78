package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options choose what kind of Kafka is started. The zero value is one quick node.
type Options struct {
	// Nodes is the size of the cluster; 0 means 1. Each takes about 400 MB.
	Nodes int
	// Properties are added to every node's server.properties and win over ours.
	Properties map[string]string
	// KafkaDefaults leaves Kafka's own defaults in place where ours are quicker or
	// stricter: topics are created by accident, the first join of a group takes 3 s.
	KafkaDefaults bool
	// JavaOptions replace the options for a short-lived server; measurements want
	// for example "-Xmx1g" alone.
	JavaOptions []string
}

// startTimeout bounds one try to start a cluster on a slow, busy machine.
const startTimeout = 5 * time.Minute

// startTries: between choosing a free port and Kafka's bind another process may take it.
const startTries = 3

// Cluster is a running Kafka. Its methods may be called from any goroutine.
type Cluster struct {
	external string // bootstrap servers of an existing Kafka; no node is ours then
	dir      string
	mu       sync.Mutex // guards the nodes' processes
	nodes    []*node
}

// launch starts a cluster and waits until every node knows all others.
func launch(ctx context.Context, o Options) (*Cluster, error) {
	libs, err := Libraries(ctx)
	if err != nil {
		return nil, err
	}
	removeStale(os.TempDir())
	for try := 1; ; try++ {
		c, err := launchOnce(ctx, libs, o)
		if err == nil {
			return c, nil
		}
		if try == startTries || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
}

func launchOnce(ctx context.Context, libs string, o Options) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := prepare(libs, o)
	if err != nil {
		return nil, err
	}
	if err := c.boot(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// prepare chooses ports and writes each node's folder.
func prepare(libs string, o Options) (*Cluster, error) {
	count := max(o.Nodes, 1)
	java := o.JavaOptions
	if java == nil {
		java = quickJava()
	}
	ports, err := FreePorts(2 * count)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("create a folder: %w", err)
	}
	c := &Cluster{dir: dir}
	var voters []string
	for i := range count {
		n := &node{id: i + 1, port: ports[2*i], controllerPort: ports[2*i+1], libs: libs, java: java}
		n.dir = filepath.Join(dir, fmt.Sprintf("node%d", n.id))
		n.dataDir = filepath.Join(n.dir, "data")
		c.nodes = append(c.nodes, n)
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", n.id, n.controllerPort))
	}
	for _, n := range c.nodes {
		if err := n.write(properties(n, strings.Join(voters, ","), o, count)); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	return c, nil
}

// boot formats, starts and awaits all nodes at once.
func (c *Cluster) boot(ctx context.Context) error {
	id := ClusterID()
	group, groupCtx := errgroup.WithContext(ctx)
	for _, n := range c.nodes {
		group.Go(func() error {
			if err := n.format(groupCtx, id); err != nil {
				return err
			}
			return n.start()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := c.await(ctx, n, len(c.nodes)); err != nil {
			return err
		}
	}
	return nil
}

// await waits until a node answers and sees the given number of brokers.
func (c *Cluster) await(ctx context.Context, n *node, brokers int) error {
	err := poll(ctx, n.proc.Done(), func() error { return answers(ctx, n.addr(), brokers) })
	if err != nil {
		return fmt.Errorf("wait for Kafka node %d: %w\n%s", n.id, err, n.logTail())
	}
	return nil
}

func (n *node) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// ClusterID makes the 22 characters that name a new cluster.
func ClusterID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] &= 0x7f           // an id must not begin with a dash
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Brokers are the addresses of all nodes, host:port each.
func (c *Cluster) Brokers() []string {
	if c.external != "" {
		return strings.Split(c.external, ",")
	}
	addrs := make([]string, 0, len(c.nodes))
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr())
	}
	return addrs
}

// Bootstrap is Brokers joined by commas, as KAFKA_BOOTSTRAP_SERVERS takes them.
func (c *Cluster) Bootstrap() string { return strings.Join(c.Brokers(), ",") }

// External tells that the Kafka is not ours: its nodes cannot be stopped, its settings
// are unknown, and it may hold topics and groups of earlier runs.
func (c *Cluster) External() bool { return c.external != "" }

// Close kills the nodes and removes their folders. It may be called more than once.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		if n.proc != nil {
			n.proc.Kill()
		}
	}
	if c.dir != "" {
		os.RemoveAll(c.dir)
	}
}
