package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/app"
)

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version, for bug reports",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			return c.say("kurier %s (%s, %s/%s)\n", versionText(c.version), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}

// versionText is what the linker set, else what Go knows about the build.
func versionText(linked string) string {
	if linked != "" {
		return linked
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := build.Main.Version
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" && text == "(devel)" {
			text = fmt.Sprintf("devel-%.12s", setting.Value)
		}
	}
	return text
}

// environmentTopic is the help topic "env".
func (c *cli) environmentTopic() *cobra.Command {
	return &cobra.Command{
		Use:    "env",
		Hidden: true, // the help of help names it
		Short:  "the environment variables, their defaults and meanings",
		Long:   "Durations are ISO 8601 (PT30S is 30 seconds), sizes are bytes.\n\n" + app.EnvTable(),
	}
}
