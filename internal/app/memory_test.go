package app

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const mib = 1 << 20
	start := time.Now()
	for _, c := range []struct {
		name            string
		live, allocated uint64
		after           time.Duration
		want            int
	}{
		{"at rest", 5 * mib, 5 * mib, 2 * time.Minute, 100},
		{"busy, small", 16 * mib, 16 * mib, 50 * time.Millisecond, 400},
		{"busy, tiny", mib, 4 * mib, 50 * time.Millisecond, 1000},
		{"busy, large", 300 * mib, 300 * mib, 100 * time.Millisecond, 100},
		{"busy, nothing alive", 0, 4 * mib, 50 * time.Millisecond, 1000},
		{"the clock stood still", 32 * mib, mib, 0, 200},
	} {
		before := sight{at: start, allocated: 1000}
		now := sight{at: start.Add(c.after), live: c.live, allocated: 1000 + c.allocated}
		if got := pace(before, now); got != c.want {
			t.Errorf("%s: %d %%, want %d", c.name, got, c.want)
		}
	}
}

// kept keeps garbage from being optimised away.
var kept []byte

// The heap of a busy process is collected less often, and what was is restored.
func TestPacer(t *testing.T) {
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	p := newPacer()
	deadline := time.Now().Add(time.Minute)
	for raised := false; !raised; {
		if time.Now().After(deadline) {
			t.Fatal("the pace never changed")
		}
		kept = make([]byte, 1<<20)
		runtime.Gosched()
		p.mu.Lock()
		raised = p.percent > usualGOGC
		p.mu.Unlock()
	}
	p.stop()
	if got := debug.SetGCPercent(70); got != 70 {
		t.Errorf("%d %% after the end, want what was", got)
	}
	runtime.GC()
	p.collected() // one that was on its way
	if got := debug.SetGCPercent(70); got != 70 {
		t.Errorf("%d %% set after the end", got)
	}
}

func TestTuneMemoryLeavesTheUsersChoice(t *testing.T) {
	t.Setenv("GOGC", "55")
	t.Setenv("GOMEMLIMIT", "1GiB")
	before, limit := debug.SetGCPercent(55), debug.SetMemoryLimit(1<<30)
	defer func() { debug.SetGCPercent(before); debug.SetMemoryLimit(limit) }()
	undo := tuneMemory()
	defer undo()
	if percent, limit := debug.SetGCPercent(55), debug.SetMemoryLimit(-1); percent != 55 || limit != 1<<30 {
		t.Errorf("GOGC %d, limit %d: not what the user said", percent, limit)
	}
}

func TestContainerLimit(t *testing.T) {
	for _, c := range []struct {
		name, list string
		files      map[string]string
		want       int64
	}{
		{"none", "0::/\n", map[string]string{"memory.max": "max\n"}, 0},
		{"container", "0::/\n", map[string]string{"memory.max": "1000000\n"}, 1000000},
		{"path of the host", "0::/pods/a\n", map[string]string{"memory.max": "1000000\n"}, 1000000},
		{"least of all", "0::/pods/a\n", map[string]string{"pods/memory.max": "500", "pods/a/memory.max": "700"}, 500},
		{"version 1", "5:cpu,cpuacct:/x\n4:memory:/x\n", map[string]string{"memory/x/memory.limit_in_bytes": "300", "memory/memory.limit_in_bytes": "9223372036854771712"}, 300},
		{"nonsense", "x\n0::/\n", map[string]string{"memory.max": "many"}, 0},
	} {
		root := t.TempDir()
		list := filepath.Join(root, "list")
		writeFile(t, list, c.list)
		for name, text := range c.files {
			writeFile(t, filepath.Join(root, name), text)
		}
		if got, ok := containerLimit(list, root); ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, got, ok, c.want)
		}
	}
	if _, ok := containerLimit(filepath.Join(t.TempDir(), "none"), t.TempDir()); ok {
		t.Error("a limit without control groups")
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
