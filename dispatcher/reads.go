package dispatcher

import (
	"log/slog"
	"strings"
	"sync"

	"kurier.dev/kurier/consumer"
)

// reads are the Streams through which all subscriptions read, one for each set of
// bootstrap servers. Safe for concurrent use.
type reads struct {
	logger *slog.Logger

	mu   sync.Mutex
	open map[string]*consumer.Streams
}

// of returns the Streams of a cluster.
func (r *reads) of(conn *ClusterConn) *consumer.Streams {
	key := strings.Join(conn.Brokers, ",")
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.open[key]
	if s == nil {
		s = consumer.NewStreams(conn.Brokers, conn.Sarama, r.logger)
		if r.open == nil {
			r.open = map[string]*consumer.Streams{}
		}
		r.open[key] = s
	}
	return s
}

// close ends all of them; nobody reads any more.
func (r *reads) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.open {
		s.Close()
	}
	r.open = nil
}
