package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"kurier.dev/kurier/internal/client"
	"kurier.dev/kurier/internal/status"
)

// statusFlags are the flags of kurier status.
type statusFlags struct {
	wait    bool
	timeout durationFlag
	output  choiceFlag
}

// waitInterval is how often --wait asks.
const waitInterval = 250 * time.Millisecond

func (c *cli) statusCommand() *cobra.Command {
	f := &statusFlags{
		timeout: durationFlag(90 * time.Second),
		output:  choiceFlag{"table", []string{"table", "json", "yaml"}},
	}
	command := &cobra.Command{
		Use:   "status [KIND/NAMESPACE/NAME]",
		Short: "what is ready, what lags, and why something does not deliver",
		Long: `Asks the running Kurier at ADMIN_URL (http://localhost:9090) how its objects are:
a table of all, or everything about one. LAG counts events that are not settled
yet, WAITING those that wait for a retry, HELD dead letters that cannot be
written. Exits 1 when an object is not ready.`,
		Example: `  kurier status
  kurier status trigger/default/orders           # why does it not deliver?
  kurier status --wait --timeout PT90S           # for scripts: until all are ready
  kurier status broker/default/orders -o json`,
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) == 0 {
				return nil
			}
			return oneObject(command, arguments)
		},
		RunE: func(command *cobra.Command, arguments []string) error { return c.status(command, f, arguments) },
	}
	flags := command.Flags()
	flags.BoolVar(&f.wait, "wait", false, "wait until everything asked for is ready, also for Kurier to start")
	flags.Var(&f.timeout, "timeout", "longest wait")
	flags.VarP(&f.output, "output", "o", "form of the answer")
	return command
}

func (c *cli) status(command *cobra.Command, f *statusFlags, arguments []string) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(command.Context(), time.Duration(f.timeout))
	defer cancel()
	q := &query{api: api}
	if len(arguments) == 1 {
		ref, err := client.ParseRef(arguments[0])
		if err != nil {
			return usage(command, "%w", err)
		}
		q.ref = &ref
	}
	if f.wait {
		err = q.wait(ctx)
	} else {
		err = q.ask(ctx)
	}
	// What was seen last is shown even when the wait was in vain.
	if q.objects != nil {
		err = errors.Join(c.writeStatus(q, f.output.value), err)
	}
	if command.Context().Err() != nil {
		return errSilent // Ctrl-C
	}
	if err != nil {
		return err
	}
	if len(q.unready()) > 0 {
		return errSilent
	}
	return nil
}

// query is what kurier status wants to know, and what it has learnt.
type query struct {
	api     *client.Client
	ref     *client.Ref // nil: all objects
	objects []status.Object
}

// ask fills in the objects.
func (q *query) ask(ctx context.Context) error {
	if q.ref == nil {
		objects, err := q.api.List(ctx)
		if err == nil {
			q.objects = objects
		}
		return err
	}
	object, err := q.api.Get(ctx, *q.ref)
	if err != nil {
		return err
	}
	q.objects = []status.Object{*object}
	return nil
}

// wait asks until everything is ready, the process itself included: before it
// has read its manifests there are no objects that could be unready.
func (q *query) wait(ctx context.Context) error {
	var process error
	err := client.Poll(ctx, waitInterval, func(ctx context.Context) (bool, error) {
		if err := q.ask(ctx); err != nil {
			if client.NotFound(err) {
				return false, &client.AnswerError{Code: 503, Detail: err.Error()} // it may yet be saved
			}
			return false, err
		}
		process = q.api.Ready(ctx)
		return process == nil && len(q.unready()) == 0, process
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if unready := q.unready(); len(unready) > 0 {
		return fmt.Errorf("not ready in time: %s", strings.Join(unready, ", "))
	}
	return fmt.Errorf("not ready in time: %w", err)
}

// unready names the objects that are not ready.
func (q *query) unready() []string {
	var refs []string
	for i := range q.objects {
		if !q.objects[i].Ready() {
			refs = append(refs, q.objects[i].Ref())
		}
	}
	slices.Sort(refs)
	return refs
}

// writeStatus writes what q has learnt.
func (c *cli) writeStatus(q *query, output string) error {
	var answer any = status.NewList(q.objects)
	if q.ref != nil {
		answer = &q.objects[0]
	}
	switch output {
	case "json":
		text, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return err
		}
		return c.say("%s\n", text)
	case "yaml":
		text, err := yaml.Marshal(answer)
		if err != nil {
			return err
		}
		return c.say("%s", text)
	}
	if q.ref != nil {
		return c.say("%s", objectText(&q.objects[0], c.now()))
	}
	return c.say("%s", tableText(q.objects, c.now()))
}
