package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// tally counts a child's work. Safe for concurrent use.
type tally struct {
	count, failed, bytes atomic.Int64
	latency              histogram
	finished             atomic.Bool

	mu    sync.Mutex
	first string
	times map[int64]int64 // nil: not wanted
}

func (t *tally) done(took time.Duration) {
	t.count.Add(1)
	t.latency.add(took)
}

// fail counts a failure and keeps the first one's text.
func (t *tally) fail(text string) {
	if t.failed.Add(1) == 1 {
		t.mu.Lock()
		t.first = text
		t.mu.Unlock()
	}
}

// at notes when an event came by; the first time counts.
func (t *tally) at(number int64, when time.Time) {
	t.mu.Lock()
	if _, known := t.times[number]; !known {
		t.times[number] = when.UnixNano()
	}
	t.mu.Unlock()
}

func (t *tally) report() report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := report{
		Count: t.count.Load(), Failed: t.failed.Load(), Bytes: t.bytes.Load(), Latency: t.latency.snapshot(),
		Error: t.first, Done: t.finished.Load(),
	}
	if t.times != nil {
		r.Times = make(map[int64]int64, len(t.times))
		for number, when := range t.times {
			r.Times[number] = when
		}
	}
	return r
}
