package main

import (
	"github.com/spf13/cobra"

	"kurier.dev/kurier/internal/app"
)

const fromEnvironment = `

Its settings come from the environment: kurier help env.
Ctrl-C (or SIGTERM) lets requests in flight finish, up to SHUTDOWN_TIMEOUT, and
then ends; a second Ctrl-C ends at once.`

// addRoles adds the commands that run until they are stopped.
func (c *cli) addRoles(root *cobra.Command) {
	c.addRole(root, app.RoleDev, "everything in one process, with examples; needs no Kafka",
		`Runs receiver, dispatcher, an embedded broker and example subscribers in one
process. Events are kept in DATA_DIR (.kurier), so the next start goes on where
this one stopped. Without MANIFESTS it uses the examples in DATA_DIR/manifests,
and watches them: edit one, save it, and it is live. At start it prints commands
to copy that try every example.`,
		`  kurier dev
  MANIFESTS=my/manifests kurier dev
  INGRESS_PORT=8090 ADMIN_PORT=9190 kurier dev`)
	c.addRole(root, app.RoleRun, "receiver and dispatcher in one process, on your Kafka",
		`Runs receiver and dispatcher in one process against KAFKA_BOOTSTRAP_SERVERS,
as the manifests in MANIFESTS say.`,
		`  KAFKA_BOOTSTRAP_SERVERS=localhost:9092 MANIFESTS=manifests kurier run`)
	c.addRole(root, app.RoleReceiver, "takes events over HTTP and stores them in Kafka",
		`Takes CloudEvents on INGRESS_PORT and answers 202 once Kafka has stored them.
Run as many as you like behind a load balancer.`,
		`  KAFKA_BOOTSTRAP_SERVERS=kafka:9092 MANIFESTS=manifests kurier receiver`)
	c.addRole(root, app.RoleDispatcher, "reads events from Kafka and delivers them",
		`Delivers the events of every Trigger and Subscription to its subscriber, with
retries and dead letters. Run several: they share the partitions.`,
		`  KAFKA_BOOTSTRAP_SERVERS=kafka:9092 MANIFESTS=manifests \
    INGRESS_URL=http://receiver:8080 kurier dispatcher`)
}

func (c *cli) addRole(root *cobra.Command, role app.Role, short, long, example string) {
	root.AddCommand(&cobra.Command{
		Use:     string(role),
		GroupID: groupRoles,
		Short:   short,
		Long:    long + fromEnvironment,
		Example: example,
		Args:    noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := c.load()
			if err != nil {
				return err
			}
			return c.run(command.Context(), c.hard, app.Options{
				Role: role, Config: config, Out: c.out, Err: c.err, Color: c.colour,
			})
		},
	})
}
