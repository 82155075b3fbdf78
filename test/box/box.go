package box

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kurier.dev/kurier/test/kafkatest"
)

// Mount shows a file or folder of the machine inside a box.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Spec is what a box is.
type Spec struct {
	Root     string   // the folder that becomes /
	Mounts   []Mount  // in this order; mount points are made
	Hostname string   // required
	Address  string   // in the network; empty: the machine's own network
	Env      []string // the whole environment, name=value
	Args     []string // the program, looked up in the box's PATH, and its arguments
	Dir      string   // working folder; empty: /
	UID, GID int
}

// Box is a running box.
type Box struct {
	Spec Spec
	proc *kafkatest.Process
}

// Start starts a box whose output goes to out. network is nil for the machine's own.
func Start(spec Spec, network *Network, out io.Writer) (*Box, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the test binary: %w", err)
	}
	specIn, specOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer specOut.Close()
	stateIn, stateOut, err := os.Pipe()
	if err != nil {
		specIn.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer stateIn.Close()
	cmd := exec.Command(self, initArg)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{specIn, stateOut} // become specFD and stateFD
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if network != nil {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
		spec.Mounts = append(spec.Mounts,
			Mount{Source: network.hosts, Target: "/etc/hosts", ReadOnly: true},
			Mount{Source: network.dns, Target: "/etc/resolv.conf", ReadOnly: true})
	}
	proc, err := kafkatest.StartProcess(cmd)
	specIn.Close()
	stateOut.Close()
	if err != nil {
		return nil, err
	}
	if err := configure(proc, spec, network, specOut, stateIn); err != nil {
		proc.Kill()
		return nil, err
	}
	return &Box{Spec: spec, proc: proc}, nil
}

// configure connects the new process, tells it what to become, and waits until it did.
func configure(proc *kafkatest.Process, spec Spec, network *Network, specOut io.Writer, stateIn io.Reader) error {
	if network != nil {
		if err := network.connect(proc.PID()); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(specOut).Encode(spec); err != nil {
		return fmt.Errorf("configure a box: %w", err)
	}
	// The other end closes by itself when the program is executed; a failure is written first.
	problem, err := io.ReadAll(stateIn)
	if err == nil && len(problem) > 0 {
		err = errors.New(string(problem))
	}
	return err
}

// Done is closed when the box's program has ended.
func (b *Box) Done() <-chan struct{} { return b.proc.Done() }

// ExitCode waits for the program's end and returns its status; -1 after a signal.
func (b *Box) ExitCode() int { return b.proc.ExitCode() }

// Kill ends everything in the box at once.
func (b *Box) Kill() { b.proc.Kill() }

// Stop asks the program to end, and kills it when the time is over. It reports whether it
// ended by itself.
func (b *Box) Stop(within time.Duration) bool { return b.proc.Stop(within) }

// Environment is what the running program was given, as the kernel tells it.
func (b *Box) Environment() ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.proc.PID()))
	if err != nil {
		return nil, fmt.Errorf("read the environment of a box: %w", err)
	}
	return strings.Split(strings.TrimRight(string(text), "\x00"), "\x00"), nil
}

// Exec runs another program inside the box, with its user and environment, and returns
// what it wrote and its status.
func (b *Box) Exec(ctx context.Context, args ...string) (output string, status int, err error) {
	all := []string{"--target", fmt.Sprint(b.proc.PID()), "--mount", "--uts", "--ipc", "--pid", "--root", "--wd"}
	if b.Spec.Address != "" {
		all = append(all, "--net")
	}
	all = append(all, "--setgid", fmt.Sprint(b.Spec.GID), "--setuid", fmt.Sprint(b.Spec.UID), "--")
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return "", 0, err
	}
	cmd := exec.CommandContext(ctx, nsenter, append(all, args...)...)
	cmd.Env = b.Spec.Env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}
