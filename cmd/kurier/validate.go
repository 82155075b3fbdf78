package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/resources"
)

func (c *cli) validateCommand() *cobra.Command {
	var strict bool
	command := &cobra.Command{
		Use:   "validate [PATH...]",
		Short: "check manifests as the server would",
		Long: `Reads manifests (folders or files; without PATH those in MANIFESTS) and prints
every error with file, line, field and reason, exactly as the server would.
Prints ok and exits 0 when there is none, else exits 1. Nothing is started and Kafka is not asked.`,
		Example: `  kurier validate manifests
  kurier validate broker.yaml triggers/
  kurier validate --strict manifests        # unknown kinds are errors, too`,
		RunE: func(command *cobra.Command, paths []string) error {
			config, err := c.load()
			if err != nil {
				return err
			}
			if len(paths) == 0 {
				paths = []string{config.Manifests}
			}
			options := config.ResourceOptions(ingressURL(&config))
			options.Strict = options.Strict || strict
			text, ok := resources.Validate(paths, options)
			if !ok {
				return errors.Join(errSilent, c.say("%s", text))
			}
			problems, sum := lastLine(text)
			return c.say("%sok: %s", problems, sum)
		},
	}
	command.Flags().BoolVar(&strict, "strict", false, "an unknown apiVersion or kind is an error (as STRICT_MANIFESTS=true)")
	return command
}

// lastLine splits text before its last line.
func lastLine(text string) (before, last string) {
	i := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') + 1
	return text[:i], text[i:]
}
