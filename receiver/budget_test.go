package receiver_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"kurier.dev/kurier/receiver"
)

type record = sarama.ProducerMessage

// registry reads metrics back.
type registry struct{ *prometheus.Registry }

func newRegistry() registry { return registry{prometheus.NewRegistry()} }

// value sums the series of a metric that have the given labels (name, value…).
func (r registry) value(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.Metric {
			if matches(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func matches(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.Label {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// The requests' budget comes back when Kafka's client returns the records, not
// when the clients were answered.
func TestBudgetOfRequests(t *testing.T) {
	k := &fakeKafka{hold: make(chan struct{}), forever: true}
	reg := newRegistry()
	f := start(t, k, receiver.Config{MaxInflightRequests: 3, ProduceTimeout: 10 * time.Millisecond, Registerer: reg})
	for range 3 {
		if got := f.binary("/ns/name", "x"); got.code != 503 {
			t.Fatalf("%d", got.code)
		}
	}
	c := f.dial() // no byte of the body is there
	c.send(postLines + "Content-Length: 5\r\n\r\n")
	if got := c.answer(); got.code != 429 {
		t.Fatalf("%d %s", got.code, got.detail)
	}
	if got := f.binary("/ns/other", "x"); got.code != 404 {
		t.Errorf("the route is checked first: %d", got.code)
	}
	if got := reg.value(t, "kurier_ingress_inflight_requests"); got != 3 {
		t.Errorf("%v requests in flight", got)
	}
	close(k.hold)
	eventually(t, "the budget is back", func() bool {
		return reg.value(t, "kurier_ingress_inflight_requests") == 0 && reg.value(t, "kurier_ingress_inflight_bytes") == 0
	})
	if got := f.binary("/ns/name", "x"); got.code != 503 {
		t.Errorf("%d", got.code)
	}
}

// Each record of a batch holds the budget.
func TestBudgetOfBatches(t *testing.T) {
	k := &fakeKafka{hold: make(chan struct{})}
	reg := newRegistry()
	f := start(t, k, receiver.Config{Registerer: reg})
	got := f.do("POST", "/ns/name", "["+validJSON+","+validJSON+"]", "Content-Type", "application/cloudevents-batch+json")
	if got.code != 202 || reg.value(t, "kurier_ingress_inflight_requests") != 1 {
		t.Fatalf("%d, %v requests in flight", got.code, reg.value(t, "kurier_ingress_inflight_requests"))
	}
	close(k.hold)
	eventually(t, "the budget is back", func() bool { return reg.value(t, "kurier_ingress_inflight_bytes") == 0 })
}

// Bytes: many clients that stop in the middle of large bodies get 429 once the
// budget is full; memory stays within it.
func TestBudgetOfBytes_JW7(t *testing.T) {
	const clients, budget = 100, 32 << 20
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{MaxEventBytes: 4 << 20, MaxInflightBytes: budget, Registerer: reg})
	before := heap()
	part := strings.Repeat("x", 1<<20+1)
	open := make([]*rawConn, 0, clients)
	for range clients {
		c := f.dial()
		_, _ = io.WriteString(c, postLines+"Content-Length: 3145728\r\n\r\n"+part) // may be refused on the way
		open = append(open, c)
	}
	refused := func() int { return int(reg.value(t, "kurier_ingress_requests_total", "code", "429")) }
	most := budget / (2 << 20) // each that got this far has room for 2 MiB
	eventually(t, "everyone has a place or an answer", func() bool { return refused() >= clients-most })
	if got := reg.value(t, "kurier_ingress_inflight_bytes"); got > budget {
		t.Errorf("%v bytes reserved", got)
	}
	if grown := heap() - before; grown > budget+16<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	for _, c := range open {
		_ = c.Close()
	}
	eventually(t, "the budget is back", func() bool { return reg.value(t, "kurier_ingress_inflight_bytes") == 0 })
	if got := f.binary("/ns/name", "x"); got.code != 202 {
		t.Errorf("%d", got.code)
	}
}

// Clients that announce much and send nothing do not keep others out.
func TestAnnouncedBytesAreNotHeld(t *testing.T) {
	const clients = 200
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{MaxEventBytes: 4 << 20, MaxInflightBytes: 32 << 20, Registerer: reg})
	for range clients {
		f.dial().send(postLines + "Content-Length: 3145728\r\n\r\nx")
	}
	eventually(t, "all are waited for", func() bool { return reg.value(t, "kurier_ingress_inflight_requests") == clients })
	if got := f.binary("/ns/name", strings.Repeat("x", 1<<20)); got.code != 202 {
		t.Errorf("%d %s", got.code, got.detail)
	}
}

// A body of unknown length is read against the budget as it grows.
func TestBudgetOfChunkedBytes(t *testing.T) {
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{MaxEventBytes: 1 << 20, MaxBatchBytes: 1 << 10, MaxInflightBytes: 3 << 20, Registerer: reg})
	chunk := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"
	var open []*rawConn
	for len(open) < 20 && reg.value(t, "kurier_ingress_requests_total", "code", "429") == 0 {
		c := f.dial()
		open = append(open, c)
		if _, err := io.WriteString(c, postLines+"Transfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 10)); err != nil {
			break
		}
	}
	eventually(t, "one is refused", func() bool { return reg.value(t, "kurier_ingress_requests_total", "code", "429") > 0 })
	if len(open) < 3 {
		t.Errorf("refused with %d connections", len(open))
	}
	for _, c := range open {
		_ = c.Close()
	}
	eventually(t, "the budget is back", func() bool { return reg.value(t, "kurier_ingress_inflight_bytes") == 0 })
}

// Large headers that arrive slowly are part of the budget as well.
func TestBudgetOfHeaders(t *testing.T) {
	reg := newRegistry()
	f := start(t, &fakeKafka{}, receiver.Config{MaxEventBytes: 1 << 10, MaxBatchBytes: 1 << 10, MaxInflightBytes: 200 << 10, Registerer: reg})
	for range 4 {
		f.dial().send(postLines + strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 60))
	}
	eventually(t, "the fourth is refused", func() bool { return reg.value(t, "kurier_ingress_requests_total", "code", "429") == 1 })
	if got := reg.value(t, "kurier_ingress_inflight_bytes"); got != 3*64<<10 {
		t.Errorf("%v bytes reserved", got)
	}
}

// Idle connections hold no buffers, whatever they sent before. Both ends of
// each are in this process; the client's has no buffer either.
func TestIdleConnectionsAreCheap(t *testing.T) {
	const connections = 1000
	f := start(t, &fakeKafka{}, receiver.Config{})
	large := postLines + "Ce-X: " + strings.Repeat("y", 8000) + "\r\nContent-Length: 0\r\n\r\n"
	small := withBody("x")
	answer := make([]byte, 4096)
	before := heap() + stacks()
	for i := range connections {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		request := small
		if i%10 == 0 {
			request = large
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 202 ") {
			t.Fatalf("%s, %v", answer[:n], err)
		}
	}
	f.kafka.mu.Lock()
	f.kafka.records = nil
	f.kafka.mu.Unlock()
	each := (heap() + stacks() - before) / connections
	t.Logf("%d bytes per idle connection, both ends", each)
	if each > 16<<10 {
		t.Errorf("an idle connection holds %d bytes", each)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func stacks() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}
