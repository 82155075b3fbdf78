package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"kurier.dev/kurier/test/kafkatest"
)

// EnvBinary names a kurier binary to test instead of building one.
const EnvBinary = "KURIER_TEST_BINARY"

// built are the binaries of this test binary: see [Binary] and [PlainBinary].
var built, plain binary

type binary struct {
	once sync.Once
	path string
	err  error
}

// PlainBinary is like Binary, but never has the race detector, which multiplies the
// memory of a process.
func PlainBinary(t testing.TB) string { return plain.get(t, false) }

// Binary returns the path of the kurier binary, built once per test binary, with the race
// detector when this test binary has it; with -short the test is skipped. A data race ends the process with status 66.
func Binary(t testing.TB) string { return built.get(t, raceEnabled) }

func (b *binary) get(t testing.TB, race bool) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: needs the built binary")
	}
	if path := os.Getenv(EnvBinary); path != "" {
		return path
	}
	b.once.Do(func() { b.path, b.err = build(race) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// build writes into the module's bin folder, which git ignores, under a name of its own:
// `go build` then links again only what changed, and test binaries share the result.
func build(race bool) (string, error) {
	name := "kurier-test"
	args := []string{"build"}
	if race {
		name, args = "kurier-test-race", append(args, "-race")
	}
	bin := filepath.Join(Root(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("make the folder for binaries: %w", err)
	}
	unlock, err := kafkatest.Lock(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(bin, name)
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/kurier")...)
	cmd.Dir = Root()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build kurier: %w\n%s", err, out.String())
	}
	return path, nil
}

// Root is the repository's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
