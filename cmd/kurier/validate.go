package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/app"
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
			options := resourceOptions(&config)
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

// resourceOptions are the settings that decide what a manifest means.
func resourceOptions(config *app.Config) resources.Options {
	return resources.Options{
		IngressURL:              ingressURL(config),
		ServiceURLTemplate:      config.ServiceURLTemplate,
		ServiceURLs:             config.ServiceURLs,
		Strict:                  config.StrictManifests,
		DefaultBrokerClass:      config.DefaultBrokerClass,
		DefaultDelivery:         config.DefaultDelivery,
		DeliveryTimeout:         time.Duration(config.DeliveryTimeout),
		RetryBackoffMax:         time.Duration(config.RetryBackoffMax),
		RetryAfterMax:           time.Duration(config.RetryAfterMax),
		Concurrency:             config.DeliveryConcurrency,
		DeadLetterTopicTemplate: config.DeadLetterTopicTemplate,
	}
}
