package app

import (
	"errors"
	"log/slog"
	"strings"
	"sync"

	"kurier.dev/kurier/internal/kafka"
)

// clusters are the connections to Kafka, one for each set of bootstrap
// servers that the environment or a manifest names. Safe for concurrent use.
type clusters struct {
	fallback string         // KAFKA_BOOTSTRAP_SERVERS, for the empty name
	dial     kafka.DialFunc // of the embedded broker, which then serves every name; nil: TCP
	instance string
	logger   *slog.Logger

	mu   sync.Mutex
	open map[string]*kafka.Cluster
}

func newClusters(bootstrap []string, instance string, logger *slog.Logger) *clusters {
	return &clusters{fallback: strings.Join(bootstrap, ","), instance: instance, logger: logger, open: map[string]*kafka.Cluster{}}
}

// key is the connection that a name of the manifests leads to. The embedded
// broker stands for every Kafka there is.
func (c *clusters) key(name string) string {
	if name == "" || c.dial != nil {
		return c.fallback
	}
	return name
}

// get returns the connection for bootstrap servers as a Plan names them; the
// empty name is the environment's. It does no I/O.
func (c *clusters) get(name string) *kafka.Cluster {
	key := c.key(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	cluster := c.open[key]
	if cluster == nil {
		cluster = kafka.Open(kafka.Options{
			Brokers:  strings.Split(key, ","),
			ClientID: "kurier-" + c.instance,
			Dial:     c.dial,
			Logger:   c.logger,
		})
		c.open[key] = cluster
	}
	return cluster
}

// close flushes and closes every connection.
func (c *clusters) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, cluster := range c.open {
		errs = append(errs, cluster.Close())
	}
	return errors.Join(errs...)
}
