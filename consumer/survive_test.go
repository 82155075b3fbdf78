package consumer

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka goes away and comes back: the consumer says so, goes on where it was,
// and repeats nothing that was committed.
func TestKafkaRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRig(t, 2, kfake.DataDir(dir))
	_, port, err := net.SplitHostPort(r.cluster.ListenAddrs()[0])
	r.must(err)
	number, err := strconv.Atoi(port)
	r.must(err)
	r.produce(0, 10, nil)
	log := newCallLog()
	c := r.start(r.config("g", Ordered), log.handler(byPartition, settle))
	r.eventually("the first records are committed", func() bool { o, _ := r.committed("g", 0); return o == 10 })
	r.cluster.Close()
	r.eventually("status tells of it", func() bool { return c.Stats().LastError != "" })
	r.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.Ports(number))
	r.must(err)
	t.Cleanup(r.cluster.Close)
	r.produce(1, 10, nil)
	r.eventually("everything is settled", func() bool { return log.count() == 20 })
	if n := log.callsOf(0, 9); n != 1 {
		t.Errorf("a committed record was called %d times", n)
	}
	r.eventually("status is well again", func() bool { s := c.Stats(); return s.State == StateAssigned && s.LastError == "" })
}

// A consumer without a Kafka waits, says why, and stops at once.
func TestNoKafka(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	base := sarama.NewConfig()
	base.Version = sarama.V3_0_0_0
	base.Metadata.Retry.Max = 0
	c, err := New(Config{Brokers: []string{addr}, Sarama: base, Group: "g", Topic: "t",
		Commits: func() (sarama.Client, error) { return nil, net.ErrClosed }}, settle)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	eventually(t, "status says why", func() bool { s := c.Stats(); return s.State == StateConnecting && s.LastError != "" })
	cancel()
	eventually(t, "Run returns", func() bool { return len(done) > 0 })
	if err := c.Run(ctx); !errors.Is(err, ErrStarted) {
		t.Errorf("a second Run says %v, want ErrStarted", err)
	}
}

// A broker that takes connections and says nothing any more does not hold up
// the end for its read timeout.
func TestCutUnderASilentBroker(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.base.Net.ReadTimeout = time.Minute
	r.produce(0, 1, nil)
	c := r.start(r.config("g", Ordered), settle)
	r.eventually("it works", func() bool { return c.Stats().Settled == 1 })
	speak := make(chan struct{})
	t.Cleanup(func() { close(speak) })
	seen := make(chan struct{}, 1)
	r.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		select {
		case seen <- struct{}{}:
		default:
		}
		r.cluster.SleepControl(func() { <-speak })
		return nil, nil, false
	})
	<-seen
	c.end()
	c.Cut()
	began := time.Now()
	select {
	case err := <-c.done:
		c.done <- err
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
	if d := time.Since(began); d > leaveTime+5*time.Second {
		t.Errorf("Run took %s to return", d)
	}
}

// A member that Kafka does not know any more joins again.
func TestUnknownMemberJoinsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.produce(0, 5, nil)
	log := newCallLog()
	c := r.start(r.config("g", Unordered), log.handler(nil, settle))
	r.eventually("it works", func() bool { return log.count() == 5 })
	r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID, Count: 1})
	r.eventually("it has joined again", func() bool { return c.Stats().Rebalances >= 2 && c.Stats().State == StateAssigned })
	r.produce(0, 5, nil)
	r.eventually("it works again", func() bool { return log.count() == 10 })
}

// Another program is a member of the group and speaks another protocol: Kurier says so,
// tries again, loses nothing, and goes on when the other one has left.
func TestAForeignMemberInTheGroup(t *testing.T) {
	r := newRig(t, 2)
	r.produce(0, 5, nil)
	r.produce(1, 5, nil)
	other, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ConsumerGroup(r.group),
		kgo.ConsumeTopics(r.topic), kgo.Balancers(kgo.RangeBalancer()), kgo.DisableAutoCommit())
	r.must(err)
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if fetched := other.PollFetches(ctx); fetched.Err() != nil {
		t.Fatal(fetched.Err())
	}
	log := newCallLog()
	c := r.start(r.config(r.group, Unordered), log.handler(nil, settle))
	r.eventually("the status to say why", func() bool { return c.Stats().LastError != "" })
	t.Logf("status: %s: %s", c.Stats().State, c.Stats().LastError)
	if n := log.count(); n > 0 {
		t.Errorf("%d records were handled beside the other member", n)
	}
	other.Close()
	r.eventually("all records to be settled", func() bool { return log.count() == 10 })
}
