// Package app wires the roles of Kurier into one process and runs it. It is
// the only place that reads the environment; it decides nothing about events.
package app

import (
	"context"
	"io"
)

// Role is what a process does.
type Role string

// The roles.
const (
	RoleDev        Role = "dev"        // everything in one process on an embedded broker
	RoleRun        Role = "run"        // receiver and dispatcher against Kafka
	RoleReceiver   Role = "receiver"   // events in
	RoleDispatcher Role = "dispatcher" // events out
)

// Options are what main hands over.
type Options struct {
	Role   Role
	Config Config
	Out    io.Writer // what a person reads: events of displays, lines to copy
	Err    io.Writer // the log
}

// Run runs a process until ctx ends and everything it started has ended.
// hard, when it is done, ends the drain at once.
func Run(ctx, hard context.Context, o Options) error {
	_, _, _ = ctx, hard, o
	return nil
}
