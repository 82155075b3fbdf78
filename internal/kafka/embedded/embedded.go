// Package embedded runs a single-node Kafka broker inside this process, for
// `kurier dev` and for tests. It is a broker for a laptop or an edge box: one
// node, one copy of the data, flushed by the operating system. It survives
// kill -9, not a power cut, and is not made for high availability.
//
// It is the fake broker kfake behind guards of our own: it cannot be reached
// over the network unless asked for, refuses frames that are not Kafka's,
// deletes only what is settled, never reuses an offset, and keeps others away
// from its data folder.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of the embedded broker.
type Options struct {
	// DataDir is the folder that keeps topics, offsets and events; it is
	// created. Empty: everything is in memory and gone with Close.
	DataDir string
	// MaxBytes bounds the stored events; 0 means no bound. When it comes near,
	// events that every group has settled are removed, oldest first; if that
	// does not help, produce requests are refused until it does. Unsettled
	// events are never removed.
	MaxBytes int64
	// Port is the TCP port on 127.0.0.1 for other programs; 0 means no TCP port
	// at all: only Dial reaches the broker.
	Port int
	// CheckEvery is the pace of the retention check. Default 1 s.
	CheckEvery time.Duration
	// Logger gets what an operator should know. nil discards.
	Logger *slog.Logger
}

const (
	// address is what the broker calls itself when it has no TCP port.
	address = "127.0.0.1:9092"
	// lockName is the lock file in the data folder.
	lockName = "lock"
	// storeName is the folder in the data folder that the broker owns.
	storeName = "kafka"
	// forever is used where the broker would delete by itself, in a way that
	// lets it reuse offsets after a restart: about 30 years in milliseconds.
	forever = "1000000000000"
	// groupsFor is how long offsets of groups without members are kept, in
	// minutes: 100 years. A development environment may lie idle for weeks.
	groupsFor = "52560000"
)

// Broker is a running embedded broker. Safe for concurrent use.
type Broker struct {
	o       Options
	logger  *slog.Logger
	lock    *os.File
	network *network
	cluster *kfake.Cluster
	keeper  *keeper
	once    sync.Once
	err     error
}

// Start starts a broker. Errors: *LockedError, *NotWritableError, a port in
// use, or a data folder that cannot be read.
func Start(o Options) (*Broker, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CheckEvery <= 0 {
		o.CheckEvery = time.Second
	}
	b := &Broker{o: o, logger: o.Logger}
	if err := b.start(); err != nil {
		_ = b.release() // the first error says more
		return nil, err
	}
	return b, nil
}

func (b *Broker) start() (err error) {
	if b.o.DataDir != "" {
		if b.lock, err = lockFolder(b.o.DataDir); err != nil {
			return err
		}
	}
	if b.network, err = listen(b.o.Port, newBudget(b.o.MaxBytes/betweenChecks)); err != nil {
		return err
	}
	if b.cluster, err = kfake.NewCluster(b.options()...); err != nil {
		return fmt.Errorf("embedded broker: %w", err)
	}
	if b.o.DataDir == "" && b.o.MaxBytes == 0 {
		return nil
	}
	b.keeper, err = startKeeper(b)
	return err
}

func (b *Broker) options() []kfake.Opt {
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("kurier-embedded"),
		kfake.ListenFn(func(_, _ string) (net.Listener, error) { return b.network, nil }),
		kfake.WithLogger(logger{b.logger}),
		kfake.GroupMinSessionTimeout(10 * time.Millisecond),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms":    forever,
			"log.segment.bytes":         fmt.Sprint(segmentBytes(b.o.MaxBytes, 1)),
			"offsets.retention.minutes": groupsFor,
		}),
	}
	if b.o.DataDir != "" {
		options = append(options, kfake.DataDir(b.store()))
	}
	return options
}

func (b *Broker) store() string { return filepath.Join(b.o.DataDir, storeName) }

// Brokers returns the bootstrap servers, one address. With Port 0 it can be
// reached with Dial alone.
func (b *Broker) Brokers() []string { return []string{b.network.Addr().String()} }

// Dial connects to the broker inside the process, whatever the address.
func (b *Broker) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return b.network.dial(ctx) }

// Kfake is the broker behind the guards, for tests that inject faults.
func (b *Broker) Kfake() *kfake.Cluster { return b.cluster }

// Usage is how much the broker stores.
type Usage struct {
	Bytes, MaxBytes int64 // MaxBytes 0: no bound
	Full            bool  // new events are refused
}

// Usage returns what the last check found; without a bound and a data folder
// nothing is checked.
func (b *Broker) Usage() Usage {
	if b.keeper == nil {
		return Usage{}
	}
	return b.keeper.usage()
}

// Close writes everything to disk, ends all connections and unlocks the data
// folder. It may be called more than once.
func (b *Broker) Close() error {
	b.once.Do(func() { b.err = b.release() })
	return b.err
}

func (b *Broker) release() error {
	if b.keeper != nil {
		b.keeper.stop()
	}
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.network != nil {
		b.network.Close()
	}
	if b.lock != nil {
		return b.lock.Close() // unlocks
	}
	return nil
}

// logger hands on what the broker reports as errors; the rest is about its
// clients' requests, which the clients report themselves.
type logger struct{ l *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.l.Error("embedded broker", "says", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.l.Debug("embedded broker", "says", fmt.Sprintf(format, args...))
	default:
	}
}
