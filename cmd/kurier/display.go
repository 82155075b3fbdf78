package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/display"
)

// displayFlags are the flags of kurier display.
type displayFlags struct {
	host    string
	port    uint16
	delay   durationFlag
	reply   display.Reply
	plain   bool
	options display.Options
}

func (c *cli) displayCommand() *cobra.Command {
	f := &displayFlags{}
	command := &cobra.Command{
		Use:   "display",
		Short: "a subscriber that prints each event it gets",
		Long: `Prints each event as Knative's event_display does, and answers 202, or whatever
you tell it: an error, a delay, a reply. Two paths answer by themselves, for
Triggers that point there: /status/503 (any code) and /delay/PT2S.`,
		Example: `  kurier display --port 8088
  kurier display --status 503                         # fail everything
  kurier display --fail-first 3                       # fail three requests, then accept
  kurier display --fail-type demo.fail --delay PT1S
  kurier display --reply-type order.checked --reply-data '{"ok": true}'
  kurier display --echo --reply-type order.checked    # the event itself, renamed`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error { return c.display(command, f) },
	}
	f.register(command)
	return command
}

func (f *displayFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.host, "host", "", "`ADDRESS` to listen on (default all)")
	flags.Uint16Var(&f.port, "port", 8080, "`PORT` to listen on; 0: any free one")
	flags.StringVar(&f.options.Label, "label", "", "`TEXT` before each line")
	flags.BoolVar(&f.plain, "no-colour", false, "never colour the label")
	flags.IntVar(&f.options.Status, "status", 0, "`CODE` to answer (default 202, or 200 with a reply)")
	flags.Var(&f.delay, "delay", "wait before each answer, for example PT2S")
	flags.IntVar(&f.options.FailFirst, "fail-first", 0, "fail the first `N` requests")
	flags.StringArrayVar(&f.options.FailTypes, "fail-type", nil, "fail every event of this `TYPE` (repeatable)")
	flags.IntVar(&f.options.FailStatus, "fail-status", 503, "`CODE` of failed requests")
	flags.StringVar(&f.reply.Type, "reply-type", "", "reply with an event of this `TYPE`")
	flags.StringVar(&f.reply.Source, "reply-source", "", "`SOURCE` of the reply (default /kurier/display)")
	flags.StringVar(&f.reply.Data, "reply-data", "", "`DATA` of the reply")
	flags.StringVar(&f.reply.ContentType, "reply-content-type", "", "content `TYPE` of the reply's data (default application/json)")
	flags.BoolVar(&f.reply.Echo, "echo", false, "reply with the event received; the --reply flags change it")
}

func (c *cli) display(command *cobra.Command, f *displayFlags) error {
	o := f.options
	o.Addr = net.JoinHostPort(f.host, strconv.Itoa(int(f.port)))
	o.Delay = time.Duration(f.delay)
	o.Printer = display.NewPrinter(c.out, c.colour && !f.plain)
	switch {
	case f.reply.Echo || f.reply.Type != "":
		o.Reply = &f.reply
	case f.reply != display.Reply{}:
		return usage(command, "a reply needs --reply-type, or --echo")
	}
	if err := o.Check(); err != nil {
		return usage(command, "%w", err)
	}
	server, err := display.New(o)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is taken by another process: choose another with --port", f.port)
	}
	if err != nil {
		return err
	}
	c.complain("kurier display listens on port %d; Ctrl-C ends it\n", server.Addr().(*net.TCPAddr).Port)
	return server.Run(command.Context())
}
