package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kurier.dev/kurier/test/harness"
)

// TestBadEnvironment: every bad variable at once, with its value and what is allowed.
func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	_, stderr, code := harness.Run(t, harness.Env{
		"KAFKA_BOOTSTRAP_SERVERS": "localhost:1", "ADMIN_PORT": "lots", "PRODUCE_TIMEOUT": "30s", "STRICT_MANIFESTS": "perhaps",
	}, "run")
	if code != 2 {
		t.Errorf("status %d, want 2", code)
	}
	for _, want := range []string{"ADMIN_PORT", "lots", "PRODUCE_TIMEOUT", "use ISO 8601, for example PT30S", "STRICT_MANIFESTS", "perhaps"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("the message does not contain %q:\n%s", want, stderr)
		}
	}
}

// TestNoKafkaAddress: the roles say which variable is missing.
func TestNoKafkaAddress(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"run", "receiver", "dispatcher"} {
		_, stderr, code := harness.Run(t, harness.Env{"MANIFESTS": t.TempDir()}, role)
		if code != 2 || !strings.Contains(stderr, "KAFKA_BOOTSTRAP_SERVERS") {
			t.Errorf("kurier %s: status %d\n%s", role, code, stderr)
		}
	}
}

// TestBrokenManifests: all errors of all files with place and reason, the same from
// validate and from the server, which does not start.
func TestBrokenManifests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: b\n  subscriber: {uri: http://x}\n  delivery:\n    retry: -1\n",
		"b.yaml": "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\nspec:\n  delivery:\n    deadletterSink: {uri: http://x}\n",
		"c.yaml": "a: [b\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"a.yaml:8", "invalid value: -1: spec.delivery.retry", "b.yaml:6", "spec.delivery.deadletterSink", "c.yaml:"}
	stdout, stderr, code := harness.Run(t, nil, "validate", dir)
	if code != 1 || !containsAll(stdout+stderr, want) {
		t.Errorf("kurier validate: status %d\n%s%s", code, stdout, stderr)
	}
	s := harness.NewDev(t, nil)
	s.SetEnv("MANIFESTS", dir)
	s.Start(t)
	if code := s.Command.AwaitExit(t, harness.Wait); code != 1 || !containsAll(s.Command.Stderr.String()+s.Command.Stdout.String(), want) {
		t.Errorf("kurier dev: status %d\n%s", code, s.Command.Stderr.Tail(20))
	}
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// TestExamplesAreValid: the examples pass, strictly.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := harness.Run(t, harness.Env{"STRICT_MANIFESTS": "true"}, "validate", filepath.Join(harness.Root(), "deploy", "examples"))
	if code != 0 || !strings.Contains(stdout, "0 errors, 0 warnings") {
		t.Errorf("status %d\n%s%s", code, stdout, stderr)
	}
}

// TestPortInUse: one line that says which port, and what to do.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"INGRESS_PORT", "ADMIN_PORT"} {
		taken, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
		s := harness.NewDev(t, nil)
		s.SetEnv(variable, port)
		s.Start(t)
		code := s.Command.AwaitExit(t, harness.Wait)
		if code == 0 || len(s.Command.Stderr.Lines(port, variable)) == 0 {
			t.Errorf("%s taken: status %d\n%s", variable, code, s.Command.Stderr.Tail(20))
		}
	}
}

// TestDataFolderLocked: a second process on the same folder says so and ends.
func TestDataFolderLocked(t *testing.T) {
	t.Parallel()
	first, second := harness.NewDev(t, nil), harness.NewDev(t, nil)
	first.StartReady(t)
	second.SetEnv("DATA_DIR", first.Env()["DATA_DIR"])
	second.Start(t)
	code := second.Command.AwaitExit(t, harness.Wait)
	if code == 0 || len(second.Command.Stderr.Lines(first.Env()["DATA_DIR"])) == 0 {
		t.Errorf("status %d\n%s", code, second.Command.Stderr.Tail(20))
	}
	first.Command.Stop(t)
}

// TestUnknownFlags: status 2 and a hint, for flags, arguments and commands.
func TestUnknownFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"run", "--prot", "80"}, {"dev", "extra"}, {"devv"}, {"display", "--status", "abc"}, {"send"}} {
		_, stderr, code := harness.Run(t, harness.Env{"KAFKA_BOOTSTRAP_SERVERS": "localhost:1"}, args...)
		if code != 2 || stderr == "" {
			t.Errorf("kurier %s: status %d, %q", strings.Join(args, " "), code, stderr)
		}
	}
}

// TestDevKeepsEvents: what was accepted before a stop is delivered after the next start.
func TestDevKeepsEvents(t *testing.T) {
	t.Parallel()
	s := harness.NewDev(t, nil)
	w := newWorld(t, s)
	sub := harness.NewSubscriber(t, nil)
	addr := sub.Addr()
	w.broker("b", 3, "")
	w.trigger("t", "b", sub.URL, consumer{})
	w.write()
	s.StartReady(t)
	s.AwaitObjects(t, w.refs...)
	sub.Close()
	events := harness.Numbered("e", 20)
	w.send("b", events...)
	s.Command.Stop(t)
	again := harness.NewSubscriberAt(t, addr, nil)
	s.StartReady(t)
	again.AwaitReceived(t, len(events))
	w.settled(w.ref("trigger", "t"))
	if missing, repeats := harness.Missing(harness.IDsOf(events), again.IDs()); len(missing)+repeats > 0 {
		t.Errorf("missing %s, %d repeats", harness.Join(missing), repeats)
	}
	s.Command.Stop(t)
}
