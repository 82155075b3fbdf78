package harness

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kurier.dev/kurier/test/kafkatest"
)

// stopWithin is how long a process may take after SIGTERM: the default SHUTDOWN_TIMEOUT
// is 25 s, and no test wants it used up.
const stopWithin = 40 * time.Second

// raceExit is the exit status of a process in which the race detector found something.
const raceExit = 66

// Command is a running kurier command.
type Command struct {
	Args   []string
	Stdout *Output
	Stderr *Output
	proc   *kafkatest.Process
	quiet  bool // who runs it to its end shows what it wrote
}

// Env is a process's environment; nothing but PATH, HOME and the test's own is inherited.
type Env map[string]string

// With returns a copy in which the entries of more win.
func (e Env) With(more Env) Env {
	all := Env{}
	maps.Copy(all, e)
	maps.Copy(all, more)
	return all
}

func (e Env) list() []string {
	all := Env{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "TMPDIR": os.TempDir(),
		"GORACE": fmt.Sprintf("halt_on_error=1 exitcode=%d", raceExit)}.With(e)
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, name+"="+all[name])
	}
	return list
}

// Start starts `kurier args...` in dir (empty: a new folder). When the test ends the
// process is killed; when it failed, the end of the output is shown.
func Start(t testing.TB, env Env, dir string, args ...string) *Command {
	t.Helper()
	return start(t, Binary(t), nil, env, dir, args...)
}

func start(t testing.TB, binary string, stdin io.Reader, env Env, dir string, args ...string) *Command {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, env.list(), stdin
	c := &Command{Args: args, Stdout: &Output{}, Stderr: &Output{}}
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	proc, err := kafkatest.StartProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	c.proc = proc
	t.Cleanup(func() {
		c.proc.Kill()
		c.report(t)
	})
	return c
}

// report shows what a failed test's process wrote, and fails the test on a data race.
func (c *Command) report(t testing.TB) {
	t.Helper()
	if strings.Contains(c.Stderr.String(), "WARNING: DATA RACE") {
		t.Errorf("kurier %s has a data race:\n%s", strings.Join(c.Args, " "), c.Stderr.Tail(120))
		return
	}
	if t.Failed() && !c.quiet {
		t.Logf("kurier %s, end of standard error:\n%s", strings.Join(c.Args, " "), c.Stderr.Tail(60))
		t.Logf("kurier %s, end of standard output:\n%s", strings.Join(c.Args, " "), c.Stdout.Tail(20))
	}
}

// Run runs `kurier args...` to its end and returns its output and exit status.
func Run(t testing.TB, env Env, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return RunWithInput(t, env, "", args...)
}

// RunWithInput is Run with a text on standard input.
func RunWithInput(t testing.TB, env Env, input string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := start(t, Binary(t), strings.NewReader(input), env, "", args...)
	c.quiet = true
	code = c.AwaitExit(t, Wait)
	return c.Stdout.String(), c.Stderr.String(), code
}

// AwaitExit waits for the process's end and returns its exit status.
func (c *Command) AwaitExit(t testing.TB, within time.Duration) int {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.proc.Done():
		return c.proc.ExitCode()
	case <-timer.C:
		t.Fatalf("kurier %s did not end within %s", strings.Join(c.Args, " "), within)
		return 0
	}
}

// Exited tells whether the process has ended.
func (c *Command) Exited() bool {
	select {
	case <-c.proc.Done():
		return true
	default:
		return false
	}
}

// AwaitOutput waits for a line on either output that contains all the words.
func (c *Command) AwaitOutput(t testing.TB, within time.Duration, words ...string) {
	t.Helper()
	Eventually(t, within, fmt.Sprintf("kurier %s to write %q", strings.Join(c.Args, " "), words), func() error {
		if len(c.Stdout.Lines(words...))+len(c.Stderr.Lines(words...)) > 0 {
			return nil
		}
		if c.Exited() {
			return fmt.Errorf("it ended with status %d", c.proc.ExitCode())
		}
		return fmt.Errorf("no such line")
	})
}

// Signal sends a signal.
func (c *Command) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := c.proc.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Stop sends SIGTERM and expects a clean end: status 0, within the time a drain takes.
func (c *Command) Stop(t testing.TB) {
	t.Helper()
	c.Signal(t, syscall.SIGTERM)
	if code := c.AwaitExit(t, stopWithin); code != 0 {
		t.Fatalf("kurier %s ended with status %d after SIGTERM:\n%s", strings.Join(c.Args, " "), code, c.Stderr.Tail(30))
	}
}

// Kill ends the process as kill -9 does and waits for its end.
func (c *Command) Kill() { c.proc.Kill() }

// PID is the process's id.
func (c *Command) PID() int { return c.proc.PID() }
