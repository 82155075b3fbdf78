package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `Kurier takes CloudEvents over HTTP, keeps them in Kafka and delivers them to
your services, with retries and dead letters, as Knative's manifests say.

First steps, with nothing else installed:
  kurier dev                                          run everything, with examples
  kurier send broker/default/orders --type greeting --data '{"hello": "world"}'
  kurier status                                       see what is ready
  kurier tail broker/default/orders                   see what passes`

// root builds the tree of commands.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "kurier COMMAND",
		Short:         "CloudEvents in over HTTP, kept in Kafka, delivered to your services",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,

		DisableFlagsInUseLine: true,
		RunE:                  func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return usage(command, "%w", err) })
	root.AddGroup(
		&cobra.Group{ID: groupRoles, Title: "Run:"},
		&cobra.Group{ID: groupUse, Title: "Use:"},
	)
	c.addRoles(root)
	for _, command := range []*cobra.Command{
		c.sendCommand(), c.tailCommand(), c.statusCommand(), c.validateCommand(),
		c.displayCommand(), c.healthCommand(), c.versionCommand(),
	} {
		command.GroupID = groupUse
		root.AddCommand(command)
	}
	root.AddCommand(c.environmentTopic())
	root.SetHelpCommand(helpCommand())
	root.SetUsageTemplate(usageTemplate)
	return root
}

const (
	groupRoles = "roles"
	groupUse   = "use"
)

// usageTemplate is what follows a command's explanation in its help.
const usageTemplate = `Usage:
  {{.UseLine}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- $commands := .Commands}}{{range $group := .Groups}}

{{.Title}}
{{- range $commands}}{{if eq .GroupID $group.ID}}
  {{rpad .Name .NamePadding}} {{.Short}}
{{- end}}{{end}}{{end}}
{{- if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{- end}}
{{- if .HasAvailableSubCommands}}

'{{.CommandPath}} COMMAND --help' explains a command, '{{.CommandPath}} help env' the environment.
{{- end}}
`

// knownCommand refuses what is no command, and says what may have been meant.
func knownCommand(root *cobra.Command, arguments []string) error {
	if len(arguments) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	hint := ""
	if similar := root.SuggestionsFor(arguments[0]); len(similar) > 0 {
		hint = "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return usage(root, "unknown command %q%s", arguments[0], hint)
}

// helpCommand is cobra's, with status 2 for a topic that is none.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		GroupID: groupUse,
		Short:   "explain a command, or the environment: help env",
		RunE: func(command *cobra.Command, arguments []string) error {
			topic, rest, err := command.Root().Find(arguments)
			if topic == nil || err != nil || len(rest) > 0 {
				return usage(command.Root(), "no help about %q", strings.Join(arguments, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}
