package memory

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// TestBlackHoledKafka: 100,000 requests with a produce timeout of a second against a
// Kafka that takes connections and says nothing.
func TestBlackHoledKafka(t *testing.T) {
	const requests, senders, body = 100_000, 4000, 16 << 10
	kafka := kafkatest.Start(t, kafkatest.Options{})
	s, namespace := process(t, kafka, "receiver", harness.Env{"PRODUCE_TIMEOUT": "PT1S"})
	s.Write(t, "m.yaml", brokerManifest, broker{namespace, 10})
	s.StartReady(t)
	s.AwaitCondition(t, "broker/"+namespace+"/b", "Ready", "True")
	kafka.SignalNode(t, 0, syscall.SIGSTOP)
	defer kafka.SignalNode(t, 0, syscall.SIGCONT)

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: harness.Wait}
	defer client.CloseIdleConnections()
	data := bytes.Repeat([]byte("x"), body)
	var next atomic.Int64
	var codes sync.Map
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for next.Add(1) <= requests {
				code, err := post(client, s.Broker(namespace, "b"), data)
				if err != nil {
					code = -1 // closed on the way: the answer came before the body was read
				}
				n, _ := codes.LoadOrStore(code, new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
		})
	}
	sending.Wait()
	codes.Range(func(code, n any) bool {
		t.Logf("answer %v: %d times", code, n.(*atomic.Int64).Load())
		if code == http.StatusAccepted {
			t.Error("an event was acknowledged that nobody stored")
		}
		return true
	})
	within(t, s, "100,000 requests, `PRODUCE_TIMEOUT` 1 s, Kafka takes connections and says nothing", 512)
}

func post(client *http.Client, url string, data []byte) (int, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	for name, value := range map[string]string{"Id": "1", "Source": "/memory", "Type": "com.example.memory", "Specversion": "1.0"} {
		req.Header.Set("Ce-"+name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, nil
}

// TestSlowSenders: 10,000 connections each send a body of 3 MiB, a little at a time. Who
// finds no room is told so; the memory stays within its budget.
func TestSlowSenders(t *testing.T) {
	var limit syscall.Rlimit
	const connections, body, piece = 10_000, 3 << 20, 16 << 10
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < connections+500 {
		t.Skipf("the limit of open files is %d, want %d: ulimit -n", limit.Cur, connections+500)
	}
	s, namespace := process(t, kafkatest.Shared(t), "receiver", nil)
	s.Write(t, "m.yaml", brokerManifest, broker{namespace, 10})
	s.StartReady(t)
	s.AwaitCondition(t, "broker/"+namespace+"/b", "Ready", "True")
	head := fmt.Sprintf("POST /%s/b HTTP/1.1\r\nHost: x\r\nContent-Type: application/cloudevents-batch+json\r\nContent-Length: %d\r\n\r\n", namespace, body)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range connections {
		c, err := net.DialTimeout("tcp", strings.TrimPrefix(s.Ingress, "http://"), harness.Wait)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		_, _ = io.WriteString(c, head)
	}
	block := bytes.Repeat([]byte(" "), piece)
	for sent := 0; sent < body-1; sent += piece {
		for i, c := range open {
			if c == nil {
				continue
			}
			_ = c.SetWriteDeadline(time.Now().Add(harness.Wait))
			if _, err := c.Write(block[:min(piece, body-1-sent)]); err != nil {
				_ = c.Close() // refused
				open[i] = nil
			}
		}
		open = compact(open)
		if len(open)*body <= 256<<20 {
			break // those that are left have their place
		}
	}
	refused := metric(t, s, "kurier_ingress_requests_total")
	t.Logf("%d of %d have a place, %d answers", len(open), connections, refused)
	if len(open) == 0 || refused == 0 {
		t.Errorf("%d connections have a place, %d answers: want both", len(open), refused)
	}
	within(t, s, "10,000 connections that send 3 MiB each, slowly", 512)
}

func compact(all []net.Conn) []net.Conn {
	kept := all[:0]
	for _, c := range all {
		if c != nil {
			kept = append(kept, c)
		}
	}
	return kept
}
