package main

import (
	"errors"
	"fmt"
	"time"
)

// figures are what one window of one variant showed.
type figures struct {
	Part, Scenario, Variant string
	Events                  int64
	Seconds                 float64
	PerSecond               float64
	MiBPerSecond            float64            `json:",omitempty"`
	CPU                     map[string]float64 // microseconds per event, by process
	P50, P99, Worst         float64            // milliseconds; 0: not measured
	Peak                    float64            `json:",omitempty"` // resident, in MiB, of the program that is measured
}

// window says what is looked at and when it ends.
type window struct {
	counter *child         // whose count and latencies count
	pids    map[string]int // whose processor time counts, by name
	memory  int            // whose resident set counts; 0: nobody's
	from    int64          // events before the window
	events  int64          // and in it, at most
	lasts   time.Duration  // at most
}

// measure waits for the window's begin and its end, and compares the two.
func measure(w window) (figures, error) {
	var f figures
	first, err := look(w)
	if err != nil {
		return f, err
	}
	if _, err := w.counter.await(w.from, longest); err != nil {
		return f, err
	}
	if w.memory != 0 {
		forgetPeak(w.memory)
	}
	begin, err := look(w)
	if err != nil {
		return f, err
	}
	if _, err := w.counter.await(begin.count.Count+w.events, w.lasts); err != nil {
		return f, err
	}
	end, err := look(w)
	if err != nil {
		return f, err
	}
	if end.count.Failed > 0 {
		return f, fmt.Errorf("%d events failed", end.count.Failed)
	}
	if w.memory != 0 {
		m, err := memoryOf(w.memory)
		if err != nil {
			return f, err
		}
		f.Peak = m.Peak
	}
	if n := end.count.Count - begin.count.Count; n == 0 || n < w.events/10 && end.count.Done {
		begin = first // it was over before it was looked at: a run of very few events
	}
	return f, f.compare(begin, end)
}

// sight is what was seen at one moment.
type sight struct {
	at    time.Time
	count report
	cpu   map[string]time.Duration
}

func look(w window) (s sight, err error) {
	if s.count, err = w.counter.ask(); err != nil {
		return s, err
	}
	s.at = time.Now()
	s.cpu = map[string]time.Duration{}
	for name, pid := range w.pids {
		if s.cpu[name], err = processorTime(pid); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (f *figures) compare(begin, end sight) error {
	f.Events = end.count.Count - begin.count.Count
	if f.Events <= 0 {
		return errors.New("no event came through")
	}
	f.Seconds = end.at.Sub(begin.at).Seconds()
	f.PerSecond = float64(f.Events) / f.Seconds
	f.MiBPerSecond = float64(end.count.Bytes-begin.count.Bytes) / f.Seconds / (1 << 20)
	f.CPU = map[string]float64{}
	for name := range end.cpu {
		f.CPU[name] = float64((end.cpu[name] - begin.cpu[name]).Microseconds()) / float64(f.Events)
	}
	latency := end.count.Latency.since(begin.count.Latency)
	f.P50, f.P99, f.Worst = milliseconds(latency.quantile(0.5)), milliseconds(latency.quantile(0.99)), milliseconds(latency.quantile(1))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cpuOf is the processor time per event of a process, in microseconds.
func (f *figures) cpuOf(name string) float64 { return f.CPU[name] }
