package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/client"
)

func (c *cli) healthCommand() *cobra.Command {
	var live bool
	var address string
	timeout := durationFlag(3 * time.Second)
	command := &cobra.Command{
		Use:   "health",
		Short: "exit 0 when the process here is ready; for container health checks",
		Long: `Asks the admin port at ADMIN_URL (http://localhost:9090) whether the process is
ready, and exits 0 or 1. It prints nothing when all is well, else the reason.`,
		Example: `  kurier health
  kurier health --live                                  # it lives, ready or not
  kurier health --url http://localhost:8080/healthz     # a display`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(command.Context(), time.Duration(timeout))
			defer cancel()
			if live && address != "" {
				return usage(command, "use --live or --url, not both")
			}
			if address != "" {
				return answers(ctx, address)
			}
			api, err := c.api()
			if err != nil {
				return err
			}
			if live {
				return api.Live(ctx)
			}
			return api.Ready(ctx)
		},
	}
	command.Flags().BoolVar(&live, "live", false, "ask only whether the process lives")
	command.Flags().StringVar(&address, "url", "", "ask this URL instead; any 2xx answer is healthy")
	command.Flags().Var(&timeout, "timeout", "longest wait for the answer")
	return command
}

// answers returns nil when the URL answers GET with 2xx.
func answers(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", address, response.Status)
	}
	return nil
}

// api is the client of the admin API at ADMIN_URL.
func (c *cli) api() (*client.Client, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	return client.New(config.AdminURL, nil)
}
