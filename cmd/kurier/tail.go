package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/admin"
	"kurier.dev/kurier/internal/client"
	"kurier.dev/kurier/internal/display"
	"kurier.dev/kurier/internal/event"
)

// errEnough ends a tail that has shown what was asked for.
var errEnough = errors.New("enough")

// tailFlags are the flags of kurier tail.
type tailFlags struct {
	deadLetters bool
	from        string
	max         int
	output      choiceFlag
}

func (c *cli) tailCommand() *cobra.Command {
	f := &tailFlags{output: choiceFlag{"text", []string{"text", "json"}}}
	command := &cobra.Command{
		Use:   "tail KIND/NAMESPACE/NAME",
		Short: "watch the events of a broker, channel or sink, or dead letters",
		Long: `Shows events as they pass through a Broker, channel or KafkaSink, or those that a
Trigger or Subscription reads, from ADMIN_URL. It disturbs nobody: no consumer
group is joined and no position moves. Ctrl-C ends it.

With --dead-letters it shows what a Trigger or Subscription could not deliver,
and why.`,
		Example: `  kurier tail broker/default/orders
  kurier tail channel/default/pingevents --from oldest
  kurier tail trigger/default/orders --dead-letters --from 10
  kurier tail broker/default/orders -o json | jq .type`,
		Args: oneObject,
		RunE: func(command *cobra.Command, arguments []string) error { return c.tail(command, f, arguments[0]) },
	}
	flags := command.Flags()
	flags.BoolVar(&f.deadLetters, "dead-letters", false, "show the dead letters instead; begins with the oldest unless --from says otherwise")
	flags.StringVar(&f.from, "from", "newest", "where to begin: oldest, newest, or a number of last events")
	flags.IntVarP(&f.max, "max", "n", 0, "end after `N` events (default never)")
	flags.VarP(&f.output, "output", "o", "form: text, or json with an event per line")
	return command
}

// oneObject asks for one argument that names an object.
func oneObject(command *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return usage(command, "say of which object, for example broker/default/orders")
	}
	if err := atMost(1)(command, arguments); err != nil {
		return err
	}
	if _, err := client.ParseRef(arguments[0]); err != nil {
		return usage(command, "%w", err)
	}
	return nil
}

func (c *cli) tail(command *cobra.Command, f *tailFlags, object string) error {
	ref, err := client.ParseRef(object)
	if err != nil {
		return usage(command, "%w", err)
	}
	if _, err := admin.ParseFrom(f.from); err != nil {
		return usage(command, "--%w", err)
	}
	if f.deadLetters && !command.Flags().Changed("from") {
		f.from = "oldest"
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	if f.deadLetters {
		c.noteSink(command.Context(), api, ref)
	}
	shown := 0
	err = api.Tail(command.Context(), ref, client.TailOptions{DeadLetters: f.deadLetters, From: f.from}, func(line []byte) error {
		if err := c.show(line, f.output.value); err != nil {
			return err
		}
		if shown++; shown == f.max {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// noteSink tells somebody who asks for dead letters that they go elsewhere. An
// error is left to the tail, which meets it again.
func (c *cli) noteSink(ctx context.Context, api *client.Client, ref client.Ref) {
	object, err := api.Get(ctx, ref)
	if err != nil || object.EffectiveDelivery == nil || object.EffectiveDelivery.DeadLetterSink == "" {
		return
	}
	c.complain("note: the dead letters of %s go to its dead letter sink, %s; here is only what the sink is not for\n",
		ref, object.EffectiveDelivery.DeadLetterSink)
}

// show writes one event.
func (c *cli) show(line []byte, output string) error {
	if output == "json" {
		return c.say("%s\n", line)
	}
	m, err := event.FromStructured(line)
	if err != nil {
		return fmt.Errorf("the server sent what is no CloudEvent: %w", err)
	}
	return c.say("%s", tailText(m))
}

// tailText is the form of kurier display; the error extensions of a dead letter
// are taken out of the extensions and shown in clear at the end.
func tailText(m *event.Message) string {
	var why strings.Builder
	rest := m.Clone()
	for _, name := range []string{event.ErrorDest, event.ErrorCode, event.ErrorData, event.Reason} {
		if value, ok := m.Get(name); ok {
			rest.Delete(name)
			fmt.Fprintf(&why, "  %s: %s\n", name, strings.ReplaceAll(display.Printable(inClear(name, value)), "\n", "\n    "))
		}
	}
	if why.Len() == 0 {
		return display.Format(m)
	}
	return display.Format(rest) + "Error,\n" + why.String()
}

// inClear explains an error extension's value.
func inClear(name, value string) string {
	switch name {
	case event.ErrorCode:
		if code, err := strconv.Atoi(value); err == nil && http.StatusText(code) != "" {
			return value + " " + http.StatusText(code)
		}
	case event.ErrorData:
		if decoded, err := base64.StdEncoding.DecodeString(value); err == nil {
			return strings.TrimSpace(strings.ToValidUTF8(string(decoded), "\uFFFD")) // cut anywhere, also within a character
		}
	}
	return value
}
