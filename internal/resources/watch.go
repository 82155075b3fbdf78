package resources

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How the watcher paces itself.
const (
	scanEvery = time.Second            // notifications may be missing: bind mounts, network file systems
	quiet     = 100 * time.Millisecond // without a change before it is told: editors write in several steps
	patience  = time.Second            // at most from the first change until it is told
)

// Watch tells when something below path may have changed: by the file system's
// notifications, and by a scan every second of names, sizes, times and what
// links lead to (MF-5). It takes its first look before it returns: call it
// before Load and no change is missed. The channel holds one signal; it is
// closed when ctx has ended and nothing of the watcher runs any more. A path
// that is not there yet, or not any more, is fine. A signal without a change is
// possible; a Reload then gives an equal Plan.
func Watch(ctx context.Context, path string, logger *slog.Logger) <-chan struct{} {
	w := &watcher{path: path, logger: logger, changes: make(chan struct{}, 1), watched: map[string]bool{}}
	notifier, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Warn("no notifications of file changes, scanning every second", "path", path, "error", err)
	} else {
		w.notifier = notifier
	}
	w.scan()
	go w.run(ctx)
	return w.changes
}

// watcher belongs to the goroutine of run, once that has started.
type watcher struct {
	path     string
	logger   *slog.Logger
	changes  chan struct{}
	notifier *fsnotify.Watcher // nil: scans alone
	watched  map[string]bool
	last     tree
	complain bool // a folder could not be watched, and the log said so
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.changes)
	var events chan fsnotify.Event
	var errs chan error
	if w.notifier != nil {
		defer w.notifier.Close()
		events, errs = w.notifier.Events, w.notifier.Errors
	}
	ticker := time.NewTicker(scanEvery)
	defer ticker.Stop()
	var settle <-chan time.Time // runs while a change is not told yet
	var first time.Time
	changed := func() {
		now := time.Now()
		if settle == nil {
			first = now
		}
		settle = time.After(min(quiet, max(0, first.Add(patience).Sub(now))))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			if w.concerns(event) {
				changed()
			}
		case err := <-errs:
			w.logger.Warn("notifications of file changes were lost, scanning", "path", w.path, "error", err)
			changed()
		case <-ticker.C:
			if w.scan() {
				changed()
			}
		case <-settle:
			settle = nil
			w.scan()
			w.tell()
		}
	}
}

// tell leaves a signal; one that is still there serves for both.
func (w *watcher) tell() {
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

// concerns tells whether a notification is about a manifest, a folder, or the
// link through which Kubernetes swaps a volume.
func (w *watcher) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Base(event.Name)
	if event.Name == filepath.Clean(w.path) || name == "..data" || isManifest(name) && !strings.HasPrefix(name, ".") {
		return true
	}
	if strings.HasPrefix(name, ".") {
		return false
	}
	info, err := os.Stat(event.Name)
	return err == nil && info.IsDir() || w.watched[event.Name]
}

// scan looks at everything below path, watches the folders that are new, and
// tells whether something differs from the last look.
func (w *watcher) scan() bool {
	now := look(w.path)
	differs := !now.same(w.last)
	w.last = now
	w.watch(now)
	return differs
}

// watch asks for notifications of every folder; those of a single file are its
// folder's, because editors replace the file.
func (w *watcher) watch(t tree) {
	if w.notifier == nil {
		return
	}
	dirs := t.dirs
	if len(dirs) == 0 {
		dirs = []string{filepath.Dir(w.path)}
	}
	wanted := make(map[string]bool, len(dirs))
	for _, dir := range dirs {
		wanted[dir] = true
		// A folder that was replaced has lost its watch: adding again is cheap.
		if err := w.notifier.Add(dir); err == nil {
			w.watched[dir] = true
		} else if !w.complain && !os.IsNotExist(err) {
			w.complain = true
			w.logger.Warn("no notifications of changes in a folder, scanning every second", "path", dir, "error", err)
		}
	}
	for dir := range w.watched {
		if !wanted[dir] {
			_ = w.notifier.Remove(dir) // gone already, most often
			delete(w.watched, dir)
		}
	}
}

// same tells whether two looks found the same files, unchanged as far as names,
// sizes, times and identities tell.
func (t tree) same(other tree) bool {
	if len(t.files) != len(other.files) || len(t.errs) != len(other.errs) {
		return false
	}
	for name, info := range t.files {
		there, ok := other.files[name]
		if !ok || !sameFile(info, there) {
			return false
		}
	}
	for name := range t.errs {
		if _, ok := other.errs[name]; !ok {
			return false
		}
	}
	return true
}

func sameFile(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
