// Command kurier is the one binary: the roles, and the commands to work with
// them. It holds flags, texts and exit statuses; everything else is in the
// packages it calls.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"kurier.dev/kurier/internal/app"
)

// version is set by the linker; see versionText.
var version string

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	graceful, hard := stops(signals, lastGrace, os.Exit)
	c := &cli{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		colour:  term.IsTerminal(int(os.Stdout.Fd())),
		hard:    hard,
		load:    app.LoadConfig,
		run:     app.Run,
		now:     time.Now,
		version: version,
	}
	os.Exit(c.execute(graceful, os.Args[1:]))
}

// cli is what the commands share. Tests fill it with buffers.
type cli struct {
	in       io.Reader
	out, err io.Writer
	colour   bool            // out is a terminal that shows colours
	hard     context.Context // done: end now
	load     func() (app.Config, error)
	run      func(ctx, hard context.Context, o app.Options) error
	now      func() time.Time
	version  string
}

// lastGrace is what a process that was told to end at once has left.
const lastGrace = 2 * time.Second

// stops turns signals into contexts: the first ends graceful, the second ends
// hard, and the process with status 1 if it has not ended by itself a moment
// later.
func stops(signals <-chan os.Signal, grace time.Duration, exit func(status int)) (graceful, hard context.Context) {
	graceful, stop := context.WithCancel(context.Background())
	hard, cut := context.WithCancel(context.Background())
	go func() {
		<-signals
		stop()
		<-signals
		cut()
		<-time.After(grace)
		exit(exitFailed)
	}()
	return graceful, hard
}
