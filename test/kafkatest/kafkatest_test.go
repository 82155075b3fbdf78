package kafkatest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"kurier.dev/kurier/test/kafkatest"
)

// client connects to a cluster the way tests of a Kafka client do.
func client(t *testing.T, c *kafkatest.Cluster) sarama.Client {
	t.Helper()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Metadata.AllowAutoTopicCreation = false
	cl, err := sarama.NewClient(c.Brokers(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cl.Close() })
	return cl
}

func createTopic(t *testing.T, cl sarama.Client, name string, replicas int16) {
	t.Helper()
	admin, err := sarama.NewClusterAdminFromClient(cl)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: replicas}, false); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, cl sarama.Client, topic, value string) int64 {
	t.Helper()
	p, err := sarama.NewSyncProducerFromClient(cl)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, offset, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func consume(t *testing.T, cl sarama.Client, topic string, offset int64) string {
	t.Helper()
	c, err := sarama.NewConsumerFromClient(cl)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var p sarama.PartitionConsumer
	await(t, "a leader for "+topic, func() error { // it may just have been killed
		p, err = c.ConsumePartition(topic, 0, offset)
		return errors.Join(err, cl.RefreshMetadata(topic))
	})
	defer p.Close()
	select {
	case m := <-p.Messages():
		return string(m.Value)
	case <-time.After(time.Minute):
		t.Fatal("nothing was read within a minute")
		return ""
	}
}

func TestSharedStoresARecord(t *testing.T) {
	c := kafkatest.Shared(t)
	cl, topic := client(t, c), kafkatest.Name(t)
	createTopic(t, cl, topic, 1)
	if got := consume(t, cl, topic, produce(t, cl, topic, "hello")); got != "hello" {
		t.Fatalf("read %q, want hello", got)
	}
	if again := kafkatest.Shared(t); again.Bootstrap() != c.Bootstrap() {
		t.Fatalf("a second call started another Kafka: %s and %s", c.Bootstrap(), again.Bootstrap())
	}
}

// TestSettings: the quick Kafka never invents a topic, the one with Kafka's defaults does.
func TestSettings(t *testing.T) {
	for name, c := range map[string]*kafkatest.Cluster{"quick": kafkatest.Shared(t), "defaults": kafkatest.SharedDefaults(t)} {
		t.Run(name, func(t *testing.T) {
			if c.External() {
				t.Skip("the settings of an external Kafka are not ours")
			}
			cfg := sarama.NewConfig()
			cfg.Metadata.AllowAutoTopicCreation = true
			cfg.Metadata.Retry.Max = 8
			cl, err := sarama.NewClient(c.Brokers(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			_, err = cl.Partitions(kafkatest.Name(t))
			if created := err == nil; created != (name == "defaults") {
				t.Fatalf("topic created by asking for it: %v (%v)", created, err)
			}
		})
	}
}

// TestStopAndStart: a node keeps its data and its address across a kill.
func TestStopAndStart(t *testing.T) {
	c := kafkatest.Start(t, kafkatest.Options{Properties: map[string]string{"num.partitions": "1"}})
	cl, topic := client(t, c), kafkatest.Name(t)
	createTopic(t, cl, topic, 1)
	offset := produce(t, cl, topic, "kept")
	c.KillNode(0)
	c.StartNode(t, 0)
	if got := consume(t, client(t, c), topic, offset); got != "kept" {
		t.Fatalf("read %q after the restart, want kept", got)
	}
}

func TestThreeNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("three servers take 1.2 GB and ten seconds")
	}
	c := kafkatest.Start(t, kafkatest.Options{Nodes: 3})
	cl, topic := client(t, c), kafkatest.Name(t)
	createTopic(t, cl, topic, 3)
	offset := produce(t, cl, topic, "replicated")
	c.KillNode(2)
	if got := consume(t, cl, topic, offset); got != "replicated" {
		t.Fatalf("read %q with two of three nodes, want replicated", got)
	}
	c.StartNode(t, 2)
	c.AwaitNodes(t, 3, time.Minute)
}

// TestUnavailable: without java the reason says what to install.
func TestUnavailable(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := kafkatest.Libraries(t.Context())
	var missing *kafkatest.Unavailable
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "openjdk") {
		t.Fatalf("got %v, want an Unavailable that names the package to install", err)
	}
}

func TestFreePortsAreDifferentAndFree(t *testing.T) {
	ports, err := kafkatest.FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] || p < 1024 {
			t.Fatalf("port %d twice or privileged in %v", p, ports)
		}
		seen[p] = true
	}
}

func TestNameIsLegalAndNew(t *testing.T) {
	t.Run("with spaces, and a very long title that Kafka would refuse as it is "+strings.Repeat("x", 200), func(t *testing.T) {
		a, b := kafkatest.Name(t), kafkatest.Name(t)
		if a == b || !regexp.MustCompile(`^[a-z0-9-]{1,100}$`).MatchString(a) {
			t.Fatalf("bad names %q, %q", a, b)
		}
	})
}

func TestFormatProperties(t *testing.T) {
	got := kafkatest.FormatProperties(map[string]string{"b": "2", "a": "1"})
	if got != "a=1\nb=2\n" {
		t.Fatalf("got %q", got)
	}
}

// TestProcessDiesWithItsStarter starts this test binary again as a parent that has a child,
// kills the parent as nothing can catch, and waits for the child to be gone.
func TestProcessDiesWithItsStarter(t *testing.T) {
	if file := os.Getenv("KAFKATEST_PARENT"); file != "" {
		p, err := kafkatest.StartProcess(exec.Command("sleep", "600"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".new", []byte(strconv.Itoa(p.PID())), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		return
	}
	file := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	parent.Env = append(os.Environ(), "KAFKATEST_PARENT="+file)
	p, err := kafkatest.StartProcess(parent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	var pid int
	await(t, "the child's pid", func() error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(string(text))
		return err
	})
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the child's end", func() error {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(state), ") Z ") {
			return fmt.Errorf("process %d is still there", pid)
		}
		return nil
	})
}

// await polls a condition for up to a minute.
func await(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("waited a minute for %s: %v", what, err)
		case <-tick.C:
		}
	}
}
