package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // unknown flags and arguments, bad environment
)

// usageError is a call that the command does not understand.
type usageError struct {
	command string // "kurier send"
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// ExitCode is the process's exit status.
func (e *usageError) ExitCode() int { return exitUsage }

// usage returns an error of how the command was called.
func usage(command *cobra.Command, format string, arguments ...any) error {
	return &usageError{command.CommandPath(), fmt.Errorf(format, arguments...)}
}

// errSilent ends a command with status 1 when it has already said why.
var errSilent = errors.New("failed")

// execute runs one command line and returns the exit status. What went wrong
// is written to c.err.
func (c *cli) execute(ctx context.Context, arguments []string) int {
	root := c.root()
	root.SetArgs(append([]string{}, arguments...)) // never nil, for which cobra takes those of the process
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var misused *usageError
	switch {
	case errors.As(err, &misused):
		c.complain("%s: %v\nRun '%s --help' for how to use it.\n", misused.command, err, misused.command)
	case !errors.Is(err, errSilent):
		c.complain("kurier: %v\n", err)
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitFailed
}

// complain writes to standard error; there is nobody to tell when that fails.
func (c *cli) complain(format string, arguments ...any) {
	_, _ = fmt.Fprintf(c.err, format, arguments...)
}

// say writes to standard output.
func (c *cli) say(format string, arguments ...any) error {
	_, err := fmt.Fprintf(c.out, format, arguments...)
	return err
}

// noArguments refuses every argument.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return usage(command, "unknown argument %q", arguments[0])
	}
	return nil
}

// atMost accepts up to n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(command *cobra.Command, arguments []string) error {
		if len(arguments) > n {
			return usage(command, "unknown argument %q", arguments[n])
		}
		return nil
	}
}
