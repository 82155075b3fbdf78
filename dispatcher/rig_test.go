package dispatcher

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/kafka"
	"kurier.dev/kurier/internal/kafka/embedded"
)

// rig is a Kafka in this process and a Dispatcher on it.
type rig struct {
	t        *testing.T
	cluster  *kafka.Cluster
	d        *Dispatcher
	registry *prometheus.Registry
}

func newRig(t *testing.T) *rig {
	t.Helper()
	broker, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	cluster := kafka.Open(kafka.Options{Brokers: broker.Brokers(), Dial: broker.Dial})
	t.Cleanup(func() { _ = cluster.Close() })
	r := &rig{t: t, cluster: cluster, registry: prometheus.NewRegistry()}
	r.d, err = New(Config{
		Clusters:   r.conn,
		Logger:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registerer: r.registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.d.Shutdown(ctx)
	})
	return r
}

func (r *rig) conn(string) (ClusterConn, error) {
	return ClusterConn{
		Brokers: r.cluster.Brokers(), Sarama: r.cluster.ConsumerConfig(),
		Commits: r.cluster.CommitClient, Producer: r.cluster,
	}, nil
}

// topic creates a topic and pins groups at its start.
func (r *rig) topic(name string, partitions int32, groups ...string) {
	r.t.Helper()
	if _, err := r.cluster.EnsureTopic(r.t.Context(), kafka.TopicSpec{Name: name, Partitions: partitions, Replication: 1, Create: true}); err != nil {
		r.t.Fatal(err)
	}
	for _, group := range groups {
		if err := r.cluster.Pin(r.t.Context(), group, name, kafka.Initial{Kind: kafka.Earliest}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// produce stores n events with ids from first on.
func (r *rig) produce(topic string, first, n int, more ...string) {
	r.t.Helper()
	for i := first; i < first+n; i++ {
		m := minEvent(more...)
		m.Set("id", strconv.Itoa(i))
		rec, err := m.Record(topic, false)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.cluster.Produce(r.t.Context(), rec, func() {}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// records reads what a topic holds, once it holds n.
func (r *rig) records(topic string, n int) []*sarama.ConsumerMessage {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	var list []*sarama.ConsumerMessage
	_ = r.cluster.Tail(ctx, topic, kafka.TailFrom{Kind: kafka.TailOldest}, func(rec *sarama.ConsumerMessage) error {
		if list = append(list, rec); len(list) == n {
			cancel()
		}
		return nil
	})
	if len(list) != n {
		r.t.Fatalf("topic %s holds %d records, want %d", topic, len(list), n)
	}
	return list
}

func (r *rig) apply(subs ...Subscription) {
	r.t.Helper()
	if err := r.d.Apply(context.Background(), subs); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) status(name string) Status {
	r.t.Helper()
	s, ok := r.d.Status("Trigger", "default", name)
	if !ok {
		r.t.Fatalf("no status of %s", name)
	}
	return s
}

// sub is a Trigger on topic "source" with its own group.
func sub(name, url string, change func(*Subscription)) Subscription {
	return trigger(func(s *Subscription) {
		s.Name, s.Group, s.Subscriber.URL, s.Concurrency = name, "group-"+name, url, 20
		s.Reply = Reply{}
		s.Order = consumer.Unordered
		if change != nil {
			change(s)
		}
	})
}

// place is a subscriber, reply address or sink: it records what it gets; answer decides.
type place struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	got    []*http.Request
	bodies []string
	now    int
	most   int
}

func newPlace(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *place {
	p := &place{answer: answer}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.got, p.bodies = append(p.got, r), append(p.bodies, string(body))
		p.now++
		p.most = max(p.most, p.now)
		answer := p.answer
		p.mu.Unlock()
		if answer != nil {
			answer(w, r)
		} else {
			w.WriteHeader(http.StatusAccepted)
		}
		p.mu.Lock()
		p.now--
		p.mu.Unlock()
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *place) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.got)
}

// ids counts requests by event.
func (p *place) ids() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := map[string]int{}
	for _, r := range p.got {
		ids[r.Header.Get("ce-id")]++
	}
	return ids
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func header(rec *sarama.ConsumerMessage, name string) string {
	for _, h := range rec.Headers {
		if string(h.Key) == name {
			return string(h.Value)
		}
	}
	return ""
}
