package harness

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"kurier.dev/kurier/test/kafkatest"
)

// System is a Kurier with a folder of manifests: one process or several, as the test
// starts them. Its manifests are live: what Apply writes, the processes pick up.
type System struct {
	*Sender
	Command   *Command // the process that takes events; restarted ones replace it
	Manifests string   // the folder
	Ingress   string   // http://127.0.0.1:port
	Admin     string   // http://127.0.0.1:port
	Binary    string   // empty: Binary(t)
	env       Env
	args      []string
}

// ports are chosen for a process and not used by anything else of this test binary.
func ports(t testing.TB, n int) []int {
	t.Helper()
	p, err := kafkatest.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// NewSystem prepares a system for `kurier args...` without starting it. env may override
// all but the ports and the folder of manifests.
func NewSystem(t testing.TB, env Env, args ...string) *System {
	t.Helper()
	p := ports(t, 2)
	s := &System{
		Sender: NewSender(t), Manifests: t.TempDir(), args: args,
		Ingress: fmt.Sprintf("http://127.0.0.1:%d", p[0]), Admin: fmt.Sprintf("http://127.0.0.1:%d", p[1]),
	}
	s.env = Env{"DATA_DIR": t.TempDir(), "LOG_LEVEL": "info", "INSTANCE_NAME": args[0]}.With(env).With(Env{
		"MANIFESTS": s.Manifests, "INGRESS_PORT": fmt.Sprint(p[0]), "ADMIN_PORT": fmt.Sprint(p[1]),
		"ADMIN_URL": s.Admin,
	})
	return s
}

// NewDev prepares `kurier dev`, which has an embedded broker.
func NewDev(t testing.TB, env Env) *System {
	t.Helper()
	return NewSystem(t, env, "dev")
}

// NewRun prepares `kurier run` against a Kafka.
func NewRun(t testing.TB, bootstrap string, env Env) *System {
	t.Helper()
	return NewSystem(t, Env{"KAFKA_BOOTSTRAP_SERVERS": bootstrap}.With(env), "run")
}

// Sibling prepares another process on the same manifests and Kafka with ports of its own,
// for example a dispatcher beside a receiver.
func (s *System) Sibling(t testing.TB, env Env, args ...string) *System {
	t.Helper()
	p := ports(t, 2)
	return &System{
		Sender: s.Sender, Manifests: s.Manifests, args: args,
		Ingress: fmt.Sprintf("http://127.0.0.1:%d", p[0]), Admin: fmt.Sprintf("http://127.0.0.1:%d", p[1]),
		env: s.env.With(env).With(Env{
			"INGRESS_PORT": fmt.Sprint(p[0]), "ADMIN_PORT": fmt.Sprint(p[1]), "INGRESS_URL": s.Ingress,
			"ADMIN_URL": fmt.Sprintf("http://127.0.0.1:%d", p[1]),
		}),
	}
}

// Start starts the process, or starts it again after it ended.
func (s *System) Start(t testing.TB) {
	t.Helper()
	if s.Binary == "" {
		s.Binary = Binary(t)
	}
	s.Command = start(t, s.Binary, nil, s.env, "", s.args...)
}

// StartReady starts the process and waits until it is ready.
func (s *System) StartReady(t testing.TB) {
	t.Helper()
	s.Start(t)
	s.AwaitReady(t)
}

// AwaitReady waits until /readyz answers 200.
func (s *System) AwaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, Wait, "kurier "+strings.Join(s.args, " ")+" to be ready", func() error {
		if s.Command.Exited() {
			return fmt.Errorf("it ended with status %d", s.Command.proc.ExitCode())
		}
		status, body, err := s.Get(s.Admin + "/readyz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		return err
	})
}

// Env is the process's environment, for commands such as status that talk to it.
func (s *System) Env() Env { return s.env }

// UnsetEnv takes a variable away for the next start.
func (s *System) UnsetEnv(name string) {
	s.env = s.env.With(nil)
	delete(s.env, name)
}

// SetEnv changes a variable for the next start.
func (s *System) SetEnv(name, value string) { s.env = s.env.With(Env{name: value}) }

// Write fills a template and writes it into the folder of manifests, as an editor does
// that saves to a new file and renames it.
func (s *System) Write(t testing.TB, file, manifests string, values any) {
	t.Helper()
	tmpl, err := template.New(file).Option("missingkey=error").Parse(manifests)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := tmpl.Execute(&text, values); err != nil {
		t.Fatal(err)
	}
	temporary := filepath.Join(s.Manifests, "."+file+".tmp")
	if err := os.WriteFile(temporary, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, filepath.Join(s.Manifests, file)); err != nil {
		t.Fatal(err)
	}
}

// Remove removes a file of manifests.
func (s *System) Remove(t testing.TB, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(s.Manifests, file)); err != nil {
		t.Fatal(err)
	}
}

// Broker, Channel and Sink are the addresses that events go to.
func (s *System) Broker(namespace, name string) string {
	return s.Ingress + "/" + namespace + "/" + name
}

// Channel is the address of a channel of any kind.
func (s *System) Channel(namespace, name string) string {
	return s.Ingress + "/channels/" + namespace + "/" + name
}

// Sink is the address of a KafkaSink.
func (s *System) Sink(namespace, name string) string {
	return s.Ingress + "/sinks/" + namespace + "/" + name
}

// Namespace makes a name for the objects of one test: topics and groups are named after
// it, so that tests which share a Kurier or a Kafka do not meet.
func Namespace(t testing.TB) string {
	t.Helper()
	name := kafkatest.Name(t)
	return "t" + name[max(0, len(name)-24):]
}
