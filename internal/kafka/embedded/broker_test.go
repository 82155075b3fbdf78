package embedded

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"go.uber.org/goleak"

	"kurier.dev/kurier/test/harness"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o Options) *Broker {
	t.Helper()
	b, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// clientOptions choose versions whose offset commits name topics, not their ids.
func clientOptions(b *Broker) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(b.Brokers()...), kgo.Dialer(b.Dial), kgo.MaxVersions(kversion.V3_0_0()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
}

func client(t *testing.T, b *Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	options = append(clientOptions(b), options...)
	cl, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	harness.Holds(t, 15*time.Second, what, holds)
}

func mustCreate(t *testing.T, b *Broker, topic string, partitions int32, configs map[string]string) {
	t.Helper()
	if err := b.Kfake().CreateTopic(topic, partitions, configs); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, cl *kgo.Client, topic string, partition int32, size, n int) {
	t.Helper()
	for range n {
		rec := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strings.Repeat("x", size))}
		if err := cl.ProduceSync(testContext(t), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecondProcessIsKeptAway(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{DataDir: dir})
	var locked *LockedError
	if _, err := Start(Options{DataDir: dir}); !errors.As(err, &locked) || locked.Dir != dir || locked.PID != os.Getpid() ||
		!strings.Contains(err.Error(), "data folder "+dir+" is in use by another process (pid ") {
		t.Errorf("second start: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, Options{DataDir: dir})
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := []string{filepath.Join(file, "data")}
	if os.Geteuid() != 0 { // root may write everywhere
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		var unwritable *NotWritableError
		if _, err := Start(Options{DataDir: dir}); !errors.As(err, &unwritable) || unwritable.Dir != dir ||
			!strings.Contains(err.Error(), "is not writable: ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestPortOnlyWhenAsked(t *testing.T) {
	b := start(t, Options{})
	if conn, err := net.DialTimeout("tcp", b.Brokers()[0], time.Second); err == nil {
		conn.Close()
		t.Error("somebody listens on " + b.Brokers()[0] + " (another program on this machine, or we do)")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if _, err := Start(Options{Port: port}); err == nil || !strings.Contains(err.Error(), "choose another port or none") {
		t.Errorf("a port in use: %v", err)
	}
	ln.Close()
	b = start(t, Options{Port: port})
	mustCreate(t, b, "t", 1, nil)
	outside, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	produce(t, outside, "t", 0, 10, 1)
	produce(t, client(t, b), "t", 0, 10, 1)
	if end := b.Kfake().PartitionInfo("t", 0).HighWatermark; end != 2 {
		t.Errorf("%d records", end)
	}
}

func TestDialAfterClose(t *testing.T) {
	b := start(t, Options{})
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Dial(t.Context(), "tcp", "any:1"); !errors.Is(err, errClosed) {
		t.Errorf("dial: %v", err)
	}
}

// Whatever is sent to it, the broker goes on for everybody else.
func TestGarbageHurtsNobody(t *testing.T) {
	b := start(t, Options{})
	mustCreate(t, b, "t", 1, nil)
	frames := map[string][]byte{
		"http":              []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"tls":               {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
		"unknown key":       {0, 0, 0, 12, 3, 231, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
		"negative key":      {0, 0, 0, 12, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
		"negative version":  {0, 0, 0, 12, 0, 3, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0, 0},
		"too small":         {0, 0, 0, 2, 0, 3, 0, 1},
		"negative size":     {0xff, 0xff, 0xff, 0xff, 0, 3, 0, 1},
		"huge size":         {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1},
		"truncated request": {0, 0, 0, 12, 0, 3, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0x7f, 0x7f},
		"cut off":           {0, 0, 0},
	}
	for name, frame := range frames {
		conn, err := b.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(frame) // the broker may close in the middle
		if name != "cut off" {
			if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection is not closed", name)
			}
		}
		conn.Close()
	}
	produce(t, client(t, b), "t", 0, 10, 1)
}

// Every API key and version with an empty body; unknown keys end the fake
// broker's process when they reach it.
func TestEveryKeyHurtsNobody(t *testing.T) {
	b := start(t, Options{})
	mustCreate(t, b, "t", 1, nil)
	for key := -2; key < 130; key++ {
		for version := range 20 {
			conn, err := b.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = conn.Write([]byte{0, 0, 0, 10, byte(key >> 8), byte(key), 0, byte(version), 0, 0, 0, 1, 0xff, 0xff})
			conn.Close()
		}
	}
	produce(t, client(t, b), "t", 0, 10, 1)
}

func TestErrorsOfTheBrokerAreLogged(t *testing.T) {
	var text strings.Builder
	l := logger{slog.New(slog.NewTextHandler(&text, nil))}
	l.Logf(1, "disk %s", "full")
	l.Logf(3, "request")
	if !strings.Contains(text.String(), `says="disk full"`) || strings.Contains(text.String(), "request") {
		t.Errorf("log: %s", text.String())
	}
}
