package resources

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const deadline = 10 * time.Second

func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

// watching starts a watcher that ends with the test, and looks that it does.
func watching(t *testing.T, path string) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes := Watch(ctx, path, quietLogger())
	t.Cleanup(func() {
		cancel()
		for {
			select {
			case _, open := <-changes:
				if !open {
					return
				}
			case <-time.After(deadline):
				t.Fatal("the watcher does not end")
			}
		}
	})
	return changes
}

// until waits for signals until a load of path satisfies done.
func until(t *testing.T, changes <-chan struct{}, path string, done func(*Plan) bool) {
	t.Helper()
	limit := time.After(deadline)
	for {
		select {
		case <-changes:
			if plan, _ := Load(path, options()); done(plan) {
				return
			}
		case <-limit:
			t.Fatal("the change is not told")
		}
	}
}

func brokers(names ...string) func(*Plan) bool {
	return func(p *Plan) bool {
		if len(p.Objects) != len(names) {
			return false
		}
		for i, o := range p.Objects {
			if o.Name != names[i] {
				return false
			}
		}
		return true
	}
}

func TestWatchFolder(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "sub", "b.yaml")
	write(t, a, brokerText("a", "{}"))
	changes := watching(t, dir)

	write(t, a, brokerText("x", "{}")) // same size: the notification tells
	until(t, changes, dir, brokers("x"))

	write(t, b, brokerText("y", "{}")) // a new folder and a file in it
	until(t, changes, dir, brokers("x", "y"))

	write(t, b, brokerText("z", "{}")) // in the new folder
	until(t, changes, dir, brokers("x", "z"))

	write(t, a+"~", brokerText("w", "{}")) // as editors save: write aside, rename over
	if err := os.Rename(a+"~", a); err != nil {
		t.Fatal(err)
	}
	until(t, changes, dir, brokers("w", "z"))

	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	until(t, changes, dir, brokers("z"))

	if err := os.RemoveAll(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	until(t, changes, dir, brokers())
}

// TestWatchVolume swaps a volume as Kubernetes does.
func TestWatchVolume(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..1", "a.yaml"), brokerText("a", "{}"))
	link(t, "..1", filepath.Join(dir, "..data"))
	link(t, filepath.Join("..data", "a.yaml"), filepath.Join(dir, "a.yaml"))
	if plan, err := Load(dir, options()); err != nil || !brokers("a")(plan) {
		t.Fatalf("the files of the volume are read once each: %v", err)
	}
	changes := watching(t, dir)
	for _, name := range []string{"b", "c"} {
		inner := "..2" + name
		write(t, filepath.Join(dir, inner, "a.yaml"), brokerText(name, "{}"))
		link(t, inner, filepath.Join(dir, "..data_tmp"))
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		until(t, changes, dir, brokers(name))
	}
}

// TestWatchMissing: the folder comes later, goes, and comes again.
func TestWatchMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	changes := watching(t, dir)
	write(t, filepath.Join(dir, "a.yaml"), brokerText("a", "{}"))
	until(t, changes, dir, brokers("a"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	until(t, changes, dir, brokers())
	write(t, filepath.Join(dir, "b.yaml"), brokerText("b", "{}"))
	until(t, changes, dir, brokers("b"))
}

func TestWatchFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	write(t, file, brokerText("a", "{}"))
	changes := watching(t, file)
	write(t, file+".new", brokerText("b", "{}"))
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	until(t, changes, file, brokers("b"))
}

// TestWatchWithoutNotifications: the scan alone is enough, for bind mounts and
// network file systems.
func TestWatchWithoutNotifications(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{path: dir, logger: quietLogger(), changes: make(chan struct{}, 1), watched: map[string]bool{}}
	w.scan()
	ended := make(chan struct{})
	go func() { defer close(ended); w.run(ctx) }()
	write(t, filepath.Join(dir, "a.yaml"), brokerText("a", "{}"))
	until(t, w.changes, dir, brokers("a"))
	cancel()
	<-ended
}

// TestSameTree is what a scan compares.
func TestSameTree(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, "x")
	first := look(dir)
	if !first.same(look(dir)) {
		t.Error("an untouched folder differs")
	}
	for _, change := range []struct {
		name string
		make func()
	}{
		{"size", func() { write(t, file, "xy") }},
		{"time", func() { _ = os.Chtimes(file, time.Time{}, time.Unix(1, 0)) }},
		{"identity", func() {
			write(t, file+".new", "xy")
			_ = os.Chtimes(file+".new", time.Time{}, time.Unix(1, 0))
			_ = os.Rename(file+".new", file)
		}},
		{"name", func() { _ = os.Rename(file, filepath.Join(dir, "b.yaml")) }},
		{"gone", func() { _ = os.Remove(filepath.Join(dir, "b.yaml")) }},
	} {
		change.make()
		next := look(dir)
		if next.same(first) {
			t.Errorf("%s: no difference", change.name)
		}
		first = next
	}
}
