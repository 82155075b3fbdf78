package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"kurier.dev/kurier/internal/event"
)

// sendFlags are the flags of kurier send.
type sendFlags struct {
	to          string
	eventType   string
	source      string
	id          string
	subject     string
	data        string
	contentType string
	extensions  []string
	key         string
	keys        []string
	structured  bool
	batch       bool
	repeat      int
	rate        float64
	timeout     durationFlag
}

func (c *cli) sendCommand() *cobra.Command {
	f := &sendFlags{timeout: durationFlag(60 * time.Second)}
	command := &cobra.Command{
		Use:   "send TARGET [FILE]",
		Short: "send events and show what the receiver answers",
		Long: `Sends one event made of flags, or the events of FILE (- is standard input):
CloudEvents in JSON, one after the other or in an array.

TARGET is a URL, or KIND/NAMESPACE/NAME of a broker, channel (also kafkachannel,
inmemorychannel), sink, sequence or parallel, which is looked for at INGRESS_URL.

In --data, --subject and --id the text {n} is replaced by the event's number.
Exits 1 when an event was refused or got no answer; nothing is sent twice.`,
		Example: `  kurier send broker/default/orders --type order.created --data '{"id": 1}'
  kurier send broker/default/orders --type tick --data '{"n": {n}}' --repeat 100 --rate 10
  kurier send broker/default/orders --type order.paid --keys ann,bob --repeat 6
  kurier send channel/default/pingevents events.json
  kurier send http://localhost:8080/default/orders --type x --extension region=eu`,
		Args: atMost(2),
		RunE: func(command *cobra.Command, arguments []string) error { return c.send(command, f, arguments) },
	}
	f.register(command)
	return command
}

func (f *sendFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.to, "to", "", "`TARGET`, instead of the first argument")
	flags.StringVar(&f.eventType, "type", "dev.kurier.example", "`TYPE` of the event")
	flags.StringVar(&f.source, "source", "/kurier/send", "`SOURCE` of the event")
	flags.StringVar(&f.id, "id", "", "`ID` of the event (default a random UUID)")
	flags.StringVar(&f.subject, "subject", "", "`SUBJECT` of the event")
	flags.StringVar(&f.data, "data", "", "`DATA` of the event; @FILE reads it from a file")
	flags.StringVar(&f.contentType, "content-type", "", "content `TYPE` of the data (default application/json, or text/plain when it is no JSON)")
	flags.StringArrayVar(&f.extensions, "extension", nil, "extension as `NAME=VALUE` (repeatable)")
	flags.StringVar(&f.key, "key", "", "partition `KEY`: events with the same key stay in order")
	flags.StringSliceVar(&f.keys, "keys", nil, "partition keys `A,B,C`, taken in turn")
	flags.BoolVar(&f.structured, "structured", false, "send the event as one JSON document instead of headers and body")
	flags.BoolVar(&f.batch, "batch", false, "send all events in one request")
	flags.IntVar(&f.repeat, "repeat", 1, "send `N` events")
	flags.Float64Var(&f.rate, "rate", 0, "`EVENTS` per second at most (default as fast as answers come)")
	flags.Var(&f.timeout, "timeout", "longest wait for an answer")
}

func (c *cli) send(command *cobra.Command, f *sendFlags, arguments []string) error {
	target, file, err := f.arguments(command, arguments)
	if err != nil {
		return err
	}
	config, err := c.load()
	if err != nil {
		return err
	}
	address, err := targetURL(target, ingressURL(&config))
	if err != nil {
		return usage(command, "%w", err)
	}
	source, closeSource, err := f.open(command, c.in, file)
	if err != nil {
		return err
	}
	defer closeSource()
	run := &sending{
		post:       newPoster(address, time.Duration(f.timeout)),
		structured: f.structured,
		limit:      rate.NewLimiter(rate.Inf, 1),
		say:        c.say,
	}
	if f.rate > 0 {
		run.limit.SetLimit(rate.Limit(f.rate))
	}
	defer run.post.close()
	if f.batch {
		err = run.batch(command.Context(), source)
	} else {
		err = run.each(command.Context(), source)
	}
	return errors.Join(err, run.sum())
}

// arguments sorts out the target and the file, and what does not go together.
func (f *sendFlags) arguments(command *cobra.Command, arguments []string) (target, file string, err error) {
	target = f.to
	if target == "" {
		if len(arguments) == 0 {
			return "", "", usage(command, "a target is missing, for example broker/default/orders or http://localhost:8080/default/orders")
		}
		target, arguments = arguments[0], arguments[1:]
	}
	if len(arguments) > 1 {
		return "", "", usage(command, "unknown argument %q", arguments[1])
	}
	if len(arguments) == 1 {
		file = arguments[0]
	}
	changed := command.Flags().Changed
	switch {
	case file != "" && changed("repeat"):
		err = usage(command, "--repeat goes with an event made of flags, not with a file")
	case file != "" && changed("data"):
		err = usage(command, "--data and a file do not go together")
	case changed("key") && changed("keys"):
		err = usage(command, "use --key or --keys, not both")
	case f.repeat < 1:
		err = usage(command, "--repeat %d: allowed: 1 or more", f.repeat)
	case f.rate < 0 || changed("rate") && f.rate == 0:
		err = usage(command, "--rate %v: allowed: more than 0", f.rate)
	}
	return target, file, err
}

// open returns where the events come from.
func (f *sendFlags) open(command *cobra.Command, in io.Reader, file string) (eventSource, func(), error) {
	overlay, err := f.overlay(command, file == "")
	if err != nil {
		return nil, nil, err
	}
	if file == "" {
		made, err := f.made()
		if err != nil {
			return nil, nil, err
		}
		return overlay.over(made), func() {}, nil
	}
	if file == "-" {
		stream := interruptible(command.Context(), in)
		return overlay.over(eventsOf(stream, "standard input")), func() { _ = stream.Close() }, nil // it was only read
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	return overlay.over(eventsOf(opened, file)), func() { _ = opened.Close() }, nil // it was only read
}

// overlay collects what flags set on every event. With all they are those that
// make an event; otherwise only what the user gave, for events of a file.
func (f *sendFlags) overlay(command *cobra.Command, all bool) (*overlay, error) {
	o := &overlay{keys: f.keys}
	set := func(flag, name, value string) {
		if command.Flags().Changed(flag) || all && value != "" {
			o.attributes = append(o.attributes, event.Attribute{Name: name, Value: value})
		}
	}
	set("type", event.Type, f.eventType)
	set("source", event.Source, f.source)
	set("id", event.ID, f.id)
	set("subject", event.Subject, f.subject)
	set("content-type", event.DataContentType, f.contentType)
	set("key", event.PartitionKey, f.key)
	for _, extension := range f.extensions {
		name, value, ok := strings.Cut(extension, "=")
		if !ok || name == "" {
			return nil, usage(command, "--extension %q: allowed: NAME=VALUE", extension)
		}
		o.attributes = append(o.attributes, event.Attribute{Name: strings.ToLower(name), Value: value})
	}
	return o, nil
}
