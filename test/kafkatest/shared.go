package kafkatest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Environment variables that this package reads.
const (
	// EnvExternal names an existing Kafka, host:port, that Shared uses.
	EnvExternal = "KURIER_TEST_KAFKA"
	// EnvRequire set to 1 turns every skip for want of a tool into a failure.
	EnvRequire = "KURIER_REQUIRE_KAFKA"
)

// dirPrefix begins the names of our temporary folders; the process id follows.
const dirPrefix = "kurier-kafka-"

// one is a Kafka started at most once per test binary.
type one struct {
	mu      sync.Mutex
	options Options
	cluster *Cluster
	err     error
}

// The two Kafkas that tests of one binary share. They are the one exception to "no
// globals": the test binary is the only scope that Go offers for sharing between tests.
var (
	quick    = &one{}
	defaults = &one{options: Options{KafkaDefaults: true}}
)

func (o *one) get() (*Cluster, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cluster == nil && o.err == nil {
		o.cluster, o.err = launch(context.Background(), o.options)
	}
	return o.cluster, o.err
}

func (o *one) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cluster != nil {
		o.cluster.Close()
	}
	o.cluster, o.err = nil, nil
}

// Shared returns the one-node Kafka of this test binary, starting it when the first test
// asks. Tests must use topics and groups of their own ([Name]) and must not stop it.
// The binary's TestMain must run [Main].
func Shared(t testing.TB) *Cluster {
	t.Helper()
	if addr := os.Getenv(EnvExternal); addr != "" {
		return &Cluster{external: addr}
	}
	return require(t, quick.get)
}

// SharedDefaults is like Shared with [Options.KafkaDefaults]; never an external Kafka.
func SharedDefaults(t testing.TB) *Cluster {
	t.Helper()
	return require(t, defaults.get)
}

// Start starts a Kafka for this test alone and stops it when the test ends.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := require(t, func() (*Cluster, error) { return launch(context.Background(), o) })
	t.Cleanup(c.Close)
	return c
}

func require(t testing.TB, start func() (*Cluster, error)) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs a real Kafka")
	}
	c, err := start()
	var missing *Unavailable
	switch {
	case errors.As(err, &missing):
		SkipOrFail(t, missing.Error())
	case err != nil:
		t.Fatal(err)
	}
	return c
}

// SkipOrFail skips the test with the reason, or fails it where KURIER_REQUIRE_KAFKA=1
// says that nothing may be left out.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(EnvRequire) == "1" {
		t.Fatalf("%s (and %s=1 says that this test must run)", reason, EnvRequire)
	}
	t.Skip(reason)
}

// M is what TestMain gets, and what goleak.VerifyTestMain takes.
type M interface{ Run() int }

type main struct{ tests M }

// Main wraps a test binary's tests so that the shared Kafkas are stopped after the last
// one, before leaks are looked for:
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(kafkatest.Main(m)) }
func Main(tests M) M { return main{tests} }

func (m main) Run() int {
	defer quick.close()
	defer defaults.close()
	return m.tests.Run()
}

// Name makes a name that is legal for topics and groups and new in this Kafka, even when
// an earlier run left its own behind.
func Name(t testing.TB) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, t.Name())
	return strings.ToLower(clean[max(0, len(clean)-60):]) + "-" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(ClusterID()[:8]))
}

// removeStale removes the folders of test binaries that were killed.
func removeStale(temp string) {
	dirs, _ := filepath.Glob(filepath.Join(temp, dirPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		id, err := strconv.Atoi(pid)
		if err != nil || errors.Is(syscall.Kill(id, 0), syscall.ESRCH) {
			os.RemoveAll(dir)
		}
	}
}
