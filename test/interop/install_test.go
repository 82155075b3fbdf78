package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// envRequire set to 1 turns every skip for want of a client into a failure.
const envRequire = "KURIER_REQUIRE_INTEROP"

// installTimeout bounds the first, cold installation of a language's packages.
const installTimeout = 5 * time.Minute

// A language runs clients that are programs of their own.
type language struct {
	name    string
	command string // the interpreter
	debian  string // what to install when it is missing
	pins    []string
	// install puts the packages into an empty folder, which is renamed afterwards.
	install func(ctx context.Context, interpreter, dir, pins string) error
	// run is the command and the environment for a program, with the packages in dir.
	run func(interpreter, dir, program string) (command []string, env string)
}

var python = &language{
	name: "python", command: "python3", debian: "python3, python3-venv", pins: []string{"requirements.txt"},
	install: func(ctx context.Context, interpreter, dir, pins string) error {
		if err := output(ctx, pins, interpreter, "-m", "venv", dir); err != nil {
			return err
		}
		return output(ctx, pins, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet",
			"--disable-pip-version-check", "--no-deps", "-r", "requirements.txt")
	},
	run: func(_, dir, program string) ([]string, string) {
		return []string{filepath.Join(dir, "bin", "python"), "-B", program}, "PYTHONUNBUFFERED=1"
	},
}

var javascript = &language{
	name: "javascript", command: "node", debian: "nodejs, npm", pins: []string{"package.json", "package-lock.json"},
	install: func(ctx context.Context, _, dir, pins string) error {
		for _, name := range []string{"package.json", "package-lock.json"} {
			text, err := os.ReadFile(filepath.Join(pins, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				return err
			}
		}
		return output(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	},
	run: func(interpreter, dir, program string) ([]string, string) {
		return []string{interpreter, program}, "NODE_PATH=" + filepath.Join(dir, "node_modules")
	},
}

// output runs a command to its end; its output is in the error.
func output(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}

// skipOrFail skips the test with the reason, or fails it where KURIER_REQUIRE_INTEROP=1
// says that nothing may be left out.
func skipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(envRequire) == "1" {
		t.Fatalf("%s (and %s=1 says that this test must run)", reason, envRequire)
	}
	t.Skip(reason)
}

// source is the folder of a language's programs.
func (l *language) source() string {
	return filepath.Join(harness.Root(), "test", "interop", l.name)
}

// prepare finds the interpreter and installs the packages at first use. The test is
// skipped when that cannot be done here.
func (l *language) prepare(t testing.TB) (interpreter, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs " + l.name + " packages and the built binary")
	}
	interpreter, err := exec.LookPath(l.command)
	if err != nil {
		skipOrFail(t, fmt.Sprintf("there is no %s on PATH (Debian: %s)", l.command, l.debian))
	}
	dir, err = l.packages(interpreter)
	if err != nil {
		skipOrFail(t, fmt.Sprintf("the packages for %s cannot be installed (Debian: %s): %v", l.name, l.debian, err))
	}
	return interpreter, dir
}

// packages is the folder with the packages. Its name carries a hash of the pinned versions
// and of the interpreter. It is filled beside its place under a lock and renamed when it
// is whole: a run that is killed leaves nothing that a later one takes for complete.
func (l *language) packages(interpreter string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), installTimeout)
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "kurier-test")
	hash, err := l.hash(ctx, interpreter)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, "interop-"+l.name+"-"+hash)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	unlock, err := kafkatest.Lock(filepath.Join(home, "interop-"+l.name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := dir + ".half"
	if err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755)); err != nil {
		return "", err
	}
	if err := l.install(ctx, interpreter, half, l.source()); err != nil {
		return "", err
	}
	return dir, os.Rename(half, dir)
}

func (l *language) hash(ctx context.Context, interpreter string) (string, error) {
	version, err := exec.CommandContext(ctx, interpreter, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", interpreter, err)
	}
	h := sha256.New()
	fmt.Fprintln(h, interpreter, string(version))
	for _, name := range l.pins {
		text, err := os.ReadFile(filepath.Join(l.source(), name))
		if err != nil {
			return "", err
		}
		h.Write(text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
