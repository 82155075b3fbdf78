package app

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Go's collector runs when the heap has doubled. Kurier keeps a few MiB alive
// and allocates that much many times a second under load, so it would spend an
// eighth of its processor time on collecting. tuneMemory lets garbage gather up
// to garbageRoom while it is busy; a heap larger than that, and one at rest, is
// collected as usual. The price is bounded: garbageRoom more resident memory.
const (
	garbageRoom = 64 << 20
	maxPercent  = 1000
	usualGOGC   = 100
)

// tuneMemory sets what GOGC and GOMEMLIMIT leave open: the pace of collections,
// and as soft limit nine tenths of what the container may have. undo restores
// what was. It is for one process that runs at a time.
func tuneMemory() (undo func()) {
	var undos []func()
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		if limit, ok := containerLimit("/proc/self/cgroup", "/sys/fs/cgroup"); ok {
			before := debug.SetMemoryLimit(limit / 10 * 9)
			undos = append(undos, func() { debug.SetMemoryLimit(before) })
		}
	}
	if _, set := os.LookupEnv("GOGC"); !set {
		undos = append(undos, newPacer().stop)
	}
	return func() {
		for _, f := range undos {
			f()
		}
	}
}

// pacer adapts the collector's percentage after each collection.
type pacer struct {
	mu      sync.Mutex
	stopped bool
	before  int // the percentage when it began
	percent int // that is set
	last    sight
}

// sight is what the runtime tells after a collection.
type sight struct {
	at        time.Time
	live      uint64 // bytes that survived
	allocated uint64 // bytes since the process began
}

func newPacer() *pacer {
	p := &pacer{percent: usualGOGC, last: look(time.Now())}
	p.before = debug.SetGCPercent(usualGOGC)
	p.arm()
	return p
}

func look(now time.Time) sight {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return sight{at: now, live: samples[0].Value.Uint64(), allocated: samples[1].Value.Uint64()}
}

// arm asks to be called after the next collection, which finds the mark dead.
func (p *pacer) arm() {
	mark := &[8]*byte{} // pointers keep it out of the blocks that tiny values share
	runtime.AddCleanup(mark, func(p *pacer) { p.collected() }, p)
}

func (p *pacer) collected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	now := look(time.Now())
	if percent := pace(p.last, now); percent*10 > p.percent*11 || percent*11 < p.percent*10 {
		debug.SetGCPercent(percent)
		p.percent = percent
	}
	p.last = now
	p.arm()
}

// pace chooses the percentage for what happened between two collections.
func pace(before, now sight) int {
	took := max(now.at.Sub(before.at), time.Microsecond).Seconds()
	live := max(float64(now.live), 1)
	busy := float64(now.allocated-before.allocated)/took > live // the heap would double within a second
	if !busy {
		return usualGOGC
	}
	return int(min(max(garbageRoom*usualGOGC/live, usualGOGC), maxPercent))
}

// stop restores what was. Nothing is set any more once it has returned.
func (p *pacer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	debug.SetGCPercent(p.before)
}

// containerLimit is the least memory limit of the process's control group and
// those above it, in bytes; false when there is none. list is the file that
// names the group, root where groups are mounted: version 2, or version 1.
func containerLimit(list, root string) (int64, bool) {
	text, err := os.ReadFile(list)
	if err != nil {
		return 0, false
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		top, file := root, "memory.max"
		if parts[1] != "" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			top, file = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		}
		// A container may see its group's files at the top, and its path as the host does.
		for group := filepath.Clean("/" + parts[2]); ; group = filepath.Dir(group) {
			if limit, ok := limitIn(filepath.Join(top, group, file)); ok {
				least = min(least, limit)
			}
			if group == "/" {
				break
			}
		}
	}
	return least, least < math.MaxInt64
}

// unlimited is above any memory there is: version 1 writes "none" as a number.
const unlimited = 1 << 60

func limitIn(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return limit, err == nil && limit > 0 && limit < unlimited
}
