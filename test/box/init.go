package box

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// initArg makes the test binary a box's first process.
const initArg = "box-init"

// The first process reads from specFD what it shall become, and writes to stateFD why it
// could not.
const (
	specFD  = 3
	stateFD = 4
)

// Init must be the first thing in TestMain. In a process that [Start] started it becomes
// the box's program and never returns; everywhere else it does nothing.
func Init() {
	if len(os.Args) != 2 || os.Args[1] != initArg {
		return
	}
	// Pdeathsig and credentials belong to a thread; the one that calls exec remains.
	runtime.LockOSThread()
	syscall.CloseOnExec(specFD)
	syscall.CloseOnExec(stateFD)
	fmt.Fprintf(os.NewFile(stateFD, "state"), "start a box: %v", become())
	os.Exit(127)
}

// become turns this process into the box's program. It returns only an error.
func become() error {
	var s Spec
	// The parent writes the specification when the network interface is there.
	if err := json.NewDecoder(os.NewFile(specFD, "spec")).Decode(&s); err != nil {
		return fmt.Errorf("read the specification: %w", err)
	}
	if err := configureNetwork(&s); err != nil {
		return err
	}
	if err := mounts(&s); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("set the hostname: %w", err)
	}
	if err := enter(&s); err != nil {
		return err
	}
	return run(&s)
}

func configureNetwork(s *Spec) error {
	if s.Address == "" {
		return nil
	}
	return ip("link set lo up", "addr add "+s.Address+"/24 dev eth0", "link set eth0 up", "route add default via "+gateway)
}

// mounts builds the box's view of files; it is private to the box's mount namespace.
func mounts(s *Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, m := range s.Mounts {
		target := filepath.Join(s.Root, m.Target)
		if err := mountPoint(m.Source, target); err != nil {
			return err
		}
		if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.Source, m.Target, err)
		}
		if m.ReadOnly {
			if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
				return fmt.Errorf("make %s read-only: %w", m.Target, err)
			}
		}
	}
	proc := filepath.Join(s.Root, "proc")
	if err := os.MkdirAll(proc, 0o555); err != nil {
		return fmt.Errorf("make /proc: %w", err)
	}
	if err := unix.Mount("proc", proc, "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// mountPoint makes the file or folder that something is mounted on, as Docker does.
func mountPoint(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// enter makes the root folder the root and drops root's rights.
func enter(s *Spec) error {
	dir := s.Dir
	if dir == "" {
		dir = "/"
	}
	err := errors.Join(unix.Chroot(s.Root), unix.Chdir(dir))
	if err == nil && s.UID != 0 {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(s.GID), syscall.Setuid(s.UID))
	}
	if err != nil {
		return fmt.Errorf("enter %s: %w", s.Root, err)
	}
	// Changing credentials made the kernel forget the request to die with the parent.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

func run(s *Spec) error {
	// Look the program up as the box would: with its PATH, in its root.
	os.Clearenv()
	for _, entry := range s.Env {
		for i := range entry {
			if entry[i] == '=' {
				_ = os.Setenv(entry[:i], entry[i+1:])
				break
			}
		}
	}
	path, err := exec.LookPath(s.Args[0])
	if err != nil {
		return fmt.Errorf("find %s: %w", s.Args[0], err)
	}
	return fmt.Errorf("exec %s: %w", path, syscall.Exec(path, s.Args, s.Env))
}
