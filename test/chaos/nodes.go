package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// Nodes is the size of the Kafka that runs are played on.
const Nodes = 3

// Kafka is a cluster whose nodes advertise, for each of a number of clients, a proxy of
// that client's own: listener C0 is for the first client, and so on. The nodes talk to
// each other, and the test to them, past the proxies.
type Kafka struct {
	dir   string
	libs  string
	nodes []*node
}

type node struct {
	id, inside, controller int
	clients                []int // ports behind the proxies
	proxies                []*Proxy
	dir                    string

	mu   sync.Mutex
	proc *kafkatest.Process
}

// StartKafka starts a cluster for that many clients; it ends with the test. Without Java
// the test is skipped, or fails where KURIER_REQUIRE_KAFKA=1.
func StartKafka(t testing.TB, clients int) *Kafka {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	defer cancel()
	libs, err := kafkatest.Libraries(ctx)
	var missing *kafkatest.Unavailable
	if errors.As(err, &missing) {
		kafkatest.SkipOrFail(t, missing.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	k := &Kafka{dir: t.TempDir(), libs: libs}
	t.Cleanup(k.close)
	if err := k.prepare(clients); err != nil {
		t.Fatal(err)
	}
	if err := k.boot(ctx); err != nil {
		t.Fatal(err)
	}
	return k
}

// prepare chooses ports, starts the proxies and writes the nodes' folders.
func (k *Kafka) prepare(clients int) error {
	ports, err := ports(Nodes * (2 + clients))
	if err != nil {
		return err
	}
	next := func() (p int) { p, ports = ports[0], ports[1:]; return p }
	var voters []string
	for i := range Nodes {
		n := &node{id: i + 1, inside: next(), controller: next(), dir: filepath.Join(k.dir, fmt.Sprint("node", i+1))}
		for range clients {
			port := next()
			p, err := NewProxy("127.0.0.1:0", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return err
			}
			n.clients, n.proxies = append(n.clients, port), append(n.proxies, p)
		}
		k.nodes = append(k.nodes, n)
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", n.id, n.controller))
	}
	for _, n := range k.nodes {
		if err := n.write(strings.Join(voters, ",")); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) write(voters string) error {
	if err := os.MkdirAll(filepath.Join(n.dir, "data"), 0o755); err != nil {
		return fmt.Errorf("create a node's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "log4j2.xml"), []byte(kafkatest.LogConfig), 0o644); err != nil {
		return fmt.Errorf("write log4j2.xml: %w", err)
	}
	text := kafkatest.FormatProperties(n.properties(voters))
	if err := os.WriteFile(filepath.Join(n.dir, "server.properties"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	return nil
}

// properties are those of a small cluster that notices a dead node within seconds.
func (n *node) properties(voters string) map[string]string {
	listeners := []string{fmt.Sprintf("INSIDE://127.0.0.1:%d", n.inside)}
	advertised := []string{listeners[0]}
	protocols := []string{"INSIDE:PLAINTEXT", "CONTROLLER:PLAINTEXT"}
	for i, port := range n.clients {
		listeners = append(listeners, fmt.Sprintf("C%d://127.0.0.1:%d", i, port))
		advertised = append(advertised, fmt.Sprintf("C%d://%s", i, n.proxies[i].Addr()))
		protocols = append(protocols, fmt.Sprintf("C%d:PLAINTEXT", i))
	}
	listeners = append(listeners, fmt.Sprintf("CONTROLLER://127.0.0.1:%d", n.controller))
	return map[string]string{
		"process.roles": "broker,controller", "node.id": fmt.Sprint(n.id), "controller.quorum.voters": voters,
		"listeners": strings.Join(listeners, ","), "advertised.listeners": strings.Join(advertised, ","),
		"listener.security.protocol.map": strings.Join(protocols, ","),
		"controller.listener.names":      "CONTROLLER", "inter.broker.listener.name": "INSIDE",
		"log.dirs": filepath.Join(n.dir, "data"), "num.network.threads": "1", "num.io.threads": "4",
		"auto.create.topics.enable": "false", "group.initial.rebalance.delay.ms": "0",
		"broker.heartbeat.interval.ms": "500", "broker.session.timeout.ms": "3000",
		"default.replication.factor": "3", "min.insync.replicas": "2",
		"offsets.topic.replication.factor": "3", "offsets.topic.num.partitions": "6",
		"transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2",
		"share.coordinator.state.topic.replication.factor": "3", "share.coordinator.state.topic.min.isr": "2",
	}
}

// command is a java call with Kafka's jars on the class path.
func (k *Kafka) command(ctx context.Context, n *node, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "java", append([]string{
		"-cp", filepath.Join(k.libs, "*"), "-Dlog4j2.configurationFile=" + filepath.Join(n.dir, "log4j2.xml"),
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
	}, args...)...)
	cmd.Dir = n.dir
	return cmd
}

// boot formats and starts all nodes and waits until they know each other.
func (k *Kafka) boot(ctx context.Context) error {
	id := kafkatest.ClusterID()
	for _, n := range k.nodes {
		config := filepath.Join(n.dir, "server.properties")
		if out, err := k.command(ctx, n, "kafka.tools.StorageTool", "format", "-t", id, "-c", config).CombinedOutput(); err != nil {
			return fmt.Errorf("format the storage of node %d: %w\n%s", n.id, err, out)
		}
	}
	for i := range k.nodes {
		if err := k.launch(i); err != nil {
			return err
		}
	}
	return k.Await(Nodes)
}

// launch starts a node without waiting for it.
func (k *Kafka) launch(i int) error {
	n := k.nodes[i]
	log, err := os.OpenFile(filepath.Join(n.dir, "kafka.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open a node's log: %w", err)
	}
	defer log.Close()
	cmd := k.command(context.Background(), n, "kafka.Kafka", filepath.Join(n.dir, "server.properties"))
	cmd.Stdout, cmd.Stderr = log, log
	proc, err := kafkatest.StartProcess(cmd)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.proc = proc
	return nil
}

// Kill ends node i (from 0) at once.
func (k *Kafka) Kill(i int) {
	k.nodes[i].mu.Lock()
	defer k.nodes[i].mu.Unlock()
	if k.nodes[i].proc != nil {
		k.nodes[i].proc.Kill()
	}
}

// Await waits until every node knows that many brokers and every partition of every
// topic has all its replicas in sync.
func (k *Kafka) Await(brokers int) error {
	return harness.Until(harness.Wait, func() error {
		for _, n := range k.nodes {
			if err := n.whole(brokers); err != nil {
				return err
			}
		}
		return nil
	})
}

// askWithin bounds one question to a node.
const askWithin = 5 * time.Second

func (n *node) whole(brokers int) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(n.addr()), kgo.RequestRetries(0))
	if err != nil {
		return fmt.Errorf("configure a client: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask node %d for metadata: %w", n.id, err)
	}
	if len(resp.Brokers) < brokers || resp.ControllerID < 0 {
		return fmt.Errorf("node %d knows %d of %d brokers", n.id, len(resp.Brokers), brokers)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if len(p.ISR) < len(p.Replicas) || p.Leader < 0 {
				return fmt.Errorf("partition %d of %s has %d of %d replicas in sync", p.Partition, *topic.Topic, len(p.ISR), len(p.Replicas))
			}
		}
	}
	return nil
}

func (n *node) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.inside) }

// Inside are the addresses past the proxies.
func (k *Kafka) Inside() []string {
	var all []string
	for _, n := range k.nodes {
		all = append(all, n.addr())
	}
	return all
}

// Bootstrap are the addresses of a client's proxies, comma-separated.
func (k *Kafka) Bootstrap(client int) string {
	var all []string
	for _, n := range k.nodes {
		all = append(all, n.proxies[client].Addr())
	}
	return strings.Join(all, ",")
}

// Proxy is the one between a client and a node, both from 0.
func (k *Kafka) Proxy(client, node int) *Proxy { return k.nodes[node].proxies[client] }

// close ends nodes and proxies.
func (k *Kafka) close() {
	for i, n := range k.nodes {
		k.Kill(i)
		for _, p := range n.proxies {
			p.Close()
		}
	}
}
