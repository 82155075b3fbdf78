// Package embedded runs a single-node Kafka broker inside this process, for
// `kurier dev` and for tests. It is a development broker: one node, one copy of
// the data, made for a laptop or an edge box, never for high availability.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Options of the embedded broker.
type Options struct {
	// DataDir is the folder that keeps topics, offsets and events; it is
	// created. Empty: everything is in memory and gone with Close.
	DataDir string
	// MaxBytes bounds the stored events; 0 means no bound. When it is reached,
	// events that every group has settled are removed first; if that does not
	// help, produce requests are refused until it does. Unsettled events are
	// never removed.
	MaxBytes int64
	// Port is the TCP port on 127.0.0.1 for other programs; 0 means no TCP port
	// at all: only Dial reaches the broker.
	Port int
	// CheckEvery is the pace of the retention check. Default 1 s.
	CheckEvery time.Duration
	// Logger gets what an operator should know. nil discards.
	Logger *slog.Logger
}

// Broker is a running embedded broker.
type Broker struct{}

// LockedError is returned by Start when another process uses the data folder.
type LockedError struct {
	Dir string
	PID int // of the holder; 0 when unknown
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("data folder %s is in use by another process (pid %d): stop it, or set DATA_DIR to another folder", e.Dir, e.PID)
}

// NotWritableError is returned by Start when the data folder cannot be used.
type NotWritableError struct {
	Dir string
	Err error
}

func (e *NotWritableError) Error() string {
	return fmt.Sprintf("data folder %s is not writable: %v: change its permissions, or set DATA_DIR to another folder", e.Dir, e.Err)
}

// Unwrap returns the system's error.
func (e *NotWritableError) Unwrap() error { return e.Err }

func Start(o Options) (*Broker, error)                                             { return &Broker{}, nil }
func (b *Broker) Brokers() []string                                                { return nil }
func (b *Broker) Dial(ctx context.Context, network, addr string) (net.Conn, error) { return nil, nil }
func (b *Broker) Close() error                                                     { return nil }
