package chaos

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// noise is what a busy machine may add to a figure that nothing should change.
const noise = 250 * time.Millisecond

// TestOneSubscriberDoesNotDisturbTheOthers: beside a healthy trigger stand four whose
// subscribers hang, are slow, answer without end, or refuse connections. The healthy one
// gets every event, about as soon as before.
func TestOneSubscriberDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	const delivery = "{retry: 3, backoffPolicy: exponential, backoffDelay: PT0.1S}"
	s := newSmall(t, 4, 1, nil, wish{name: "healthy", delivery: delivery})
	s.subs[0].Decide(func(*http.Request, *Request) int { return http.StatusAccepted })
	stopSending := s.flow(300)
	delays := func(what string) time.Duration {
		from := s.history.Now()
		const enough = 1500
		arrived := s.await("deliveries", enough, func(r *Request) bool { return r.Begin > from && r.accepted() })
		var took []time.Duration
		s.history.mu.Lock()
		for _, r := range arrived {
			if e := &s.history.Events[r.Event]; e.Acked != Never {
				took = append(took, max(0, r.Begin-e.Acked))
			}
		}
		s.history.mu.Unlock()
		slices.Sort(took)
		t.Logf("%s: half of the events took %s, 99 %% %s from the 202 to the subscriber", what, median(took), took[len(took)*99/100])
		return median(took)
	}
	alone := delays("alone")

	slow := harness.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		wait(r, 3*time.Second)
	}))
	hanging := harness.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = refusing.Close()
	for name, uri := range map[string]string{
		"slow": slow.URL, "hanging": hanging.URL, "refusing": "http://" + refusing.Addr().String(),
		"endless": harness.NewFlood(t, http.Header{}),
	} {
		s.specs = append(s.specs, spec{name: name, uri: uri, delivery: delivery})
	}
	s.write()
	for _, spec := range s.specs[1:] {
		s.Dispatchers[0].AwaitStatus(t, "trigger/"+s.Namespace+"/"+spec.name, "work", func(o *harness.Object) bool {
			return o.Status.Delivery.InFlight+o.Status.Delivery.Waiting > 0
		})
	}
	if beside := delays("beside the others"); beside > 2*alone+noise {
		t.Errorf("half of the events took %s and more, and %s when the trigger was alone", beside, alone)
	}
	stopSending()
	s.drained()
	for event, o := range s.judge().Outcomes[0] {
		if o.Delivered != 1 {
			t.Errorf("event %d was delivered %d times", event, o.Delivered)
			break
		}
	}
}

// TestJW8OneTopicDoesNotDelayAnother: 5,000 requests at a topic that is gone, at one that
// Kurier may not write to, and at one whose buffer is full because its leader is silent,
// on a real Kafka. Meanwhile another topic answers no more than 100 ms later than before,
// leaving aside what a busy machine adds.
func TestJW8OneTopicDoesNotDelayAnother(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: needs a real Kafka and the built binary")
	}
	t.Run("missing or forbidden", func(t *testing.T) {
		t.Parallel()
		b := newBeside(t, kafkatest.Options{Properties: map[string]string{
			"authorizer.class.name":          "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"allow.everyone.if.no.acl.found": "true",
		}}, map[string]int32{"good": 1, "missing": 1, "forbidden": 1})
		b.spoil(t)
		b.storm(t, "missing")
		b.storm(t, "forbidden")
	})
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		b := newBeside(t, kafkatest.Options{Nodes: 2}, map[string]int32{"good": 1, "full": 2})
		b.kafka.SignalNode(t, 1, syscall.SIGSTOP)
		b.storm(t, "full")
	})
}

// beside is a receiver with a topic that is well and others that will not be.
type beside struct {
	*harness.System
	kafka            *kafkatest.Cluster
	namespace        string
	topics           map[string]string
	halfAlone, alone time.Duration
}

// newBeside makes each topic on one node, and measures the answers for the good one.
func newBeside(t *testing.T, options kafkatest.Options, nodes map[string]int32) *beside {
	t.Helper()
	b := &beside{kafka: kafkatest.Start(t, options), namespace: harness.Namespace(t), topics: map[string]string{}}
	b.System = harness.NewSystem(t, harness.Env{"KAFKA_BOOTSTRAP_SERVERS": b.kafka.Bootstrap(), "PRODUCE_TIMEOUT": "PT5S"}, "receiver")
	for name, node := range nodes {
		b.topics[name] = b.namespace + "-" + name
		create(t, b.kafka, b.topics[name], node)
		b.Write(t, name+".yaml", "apiVersion: eventing.knative.dev/v1alpha1\nkind: KafkaSink\n"+
			"metadata: {name: {{.Name}}, namespace: {{.Namespace}}}\n"+
			"spec: {topic: {{.Topic}}, bootstrapServers: [{{.Bootstrap}}]}\n",
			map[string]string{"Name": name, "Namespace": b.namespace, "Topic": b.topics[name], "Bootstrap": b.kafka.Bootstrap()})
	}
	b.StartReady(t)
	for name := range nodes {
		b.AwaitCondition(t, "kafkasink/"+b.namespace+"/"+name, "Ready", "True")
	}
	b.halfAlone, b.alone = b.probe(t, "alone")
	return b
}

// probe sends to the good topic, and tells in what time half of the answers came, and
// nearly all.
func (b *beside) probe(t *testing.T, what string) (half, most time.Duration) {
	t.Helper()
	sender := harness.NewSender(t)
	var took []time.Duration
	for i := range 100 {
		began := time.Now()
		sender.Send(t, b.Sink(b.namespace, "good"), harness.Event{ID: fmt.Sprint(i), Data: []byte("{}")})
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	half, most = median(took), took[95]
	t.Logf("%s: half of the answers took %s, 95 %% %s, all %s", what, half, most, last(took))
	return half, most
}

// storm sends 5,000 requests at a topic, and meanwhile to the good one.
func (b *beside) storm(t *testing.T, name string) {
	t.Helper()
	const delay = 100 * time.Millisecond
	codes, stop := storm(t, b.Sink(b.namespace, name), 5000)
	half, most := b.probe(t, "5,000 requests at the topic that is "+name)
	stop()
	if half > b.halfAlone+delay+noise || most > b.alone+10*delay+noise {
		t.Errorf("%s: half of the answers took %s and more, and %s alone; 95 %% up to %s, and %s alone",
			name, half, b.halfAlone, most, b.alone)
	}
	t.Logf("%s answered %v", name, codes)
	for code := range codes {
		if code/100 == 2 {
			t.Errorf("%s answered %d", name, code)
		}
	}
}

// create makes a topic of two partitions on one node.
func create(t *testing.T, kafka *kafkatest.Cluster, name string, node int32) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(kafka.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for p := range int32(2) {
		topic.ReplicaAssignment = append(topic.ReplicaAssignment,
			kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: p, Replicas: []int32{node}})
	}
	req.Topics = append(req.Topics, topic)
	if resp, err := req.RequestWith(t.Context(), c); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("%v %+v", err, resp)
	}
}

// spoil takes one topic away and forbids writing to another one.
func (b *beside) spoil(t *testing.T) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(b.kafka.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gone := kmsg.NewPtrDeleteTopicsRequest()
	gone.TopicNames = []string{b.topics["missing"]}
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(b.topics["missing"])
	gone.Topics = append(gone.Topics, topic)
	if resp, err := gone.RequestWith(t.Context(), c); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("%v %+v", err, resp)
	}
	deny := kmsg.NewPtrCreateACLsRequest()
	acl := kmsg.NewCreateACLsRequestCreation()
	acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, b.topics["forbidden"], kmsg.ACLResourcePatternTypeLiteral
	acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:*", "*", kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeDeny
	deny.Creations = append(deny.Creations, acl)
	if resp, err := deny.RequestWith(t.Context(), c); err != nil || resp.Results[0].ErrorCode != 0 {
		t.Fatalf("%v %+v", err, resp)
	}
}

// storm sends n requests at once; stop waits for their answers, which codes then counts.
func storm(t *testing.T, url string, n int) (codes map[int]int, stop func()) {
	t.Helper()
	const senders = 1000
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: harness.Wait}
	codes = map[int]int{}
	var mu sync.Mutex
	var sending sync.WaitGroup
	numbers := make(chan int, n)
	for i := range n {
		numbers <- i
	}
	close(numbers)
	for range senders {
		sending.Go(func() {
			for range numbers {
				req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(strings.Repeat("x", 1000))))
				if err != nil {
					panic(err)
				}
				for name, value := range map[string]string{"Id": "1", "Source": "/chaos", "Type": "com.example.chaos", "Specversion": "1.0"} {
					req.Header.Set("Ce-"+name, value)
				}
				code := 0
				if resp, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					code = resp.StatusCode
				}
				mu.Lock()
				codes[code]++
				mu.Unlock()
			}
		})
	}
	return codes, func() { sending.Wait(); client.CloseIdleConnections() }
}

// TestJW4ARebalanceWithAHundredInFlight: 100 requests hang, each may take ten minutes. A
// second dispatcher joins and has its partitions within ten seconds; those that stay are
// not interrupted.
func TestJW4ARebalanceWithAHundredInFlight(t *testing.T) {
	t.Parallel()
	s := newSmall(t, 4, 2, nil, wish{name: "t", delivery: "{retry: 0, timeout: PT10M}"})
	s.subs[0].Decide(func(r *http.Request, _ *Request) int {
		<-r.Context().Done()
		return 0
	})
	s.has(0, 0, 2)
	s.Dispatchers[1].Down()
	s.has(0, 0, 4)
	s.many(400, NoKey)
	open := func(r *Request) bool { return r.End == Never }
	s.await("100 requests on the wire", 100, open)
	began := s.history.Now()
	s.Dispatchers[1].Up()
	given := s.has(1, 0, 2)
	s.await("a request of the new owner", 1, func(r *Request) bool {
		return r.Begin > given.At && slices.Contains(given.Partitions, r.Partition)
	})
	const most, slack = 10 * time.Second, 5 * time.Second // the process's start counts in
	took := s.history.Now() - began
	t.Logf("the rebalance took %s from the start of the process", took)
	if took > most+slack {
		t.Errorf("the rebalance took %s, want at most %s", took, most)
	}
	for _, r := range s.requests(func(r *Request) bool { return r.End != Never }) {
		if !slices.Contains(given.Partitions, r.Partition) {
			t.Errorf("a request of partition %d, which stayed, was cut", r.Partition)
			break
		}
	}
}
