package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the times in /proc/PID/stat; Linux fixed it for programs.
const clockTick = 10 * time.Millisecond

// stat returns the fields of /proc/PID/stat that come after the command's name, which may
// itself hold spaces. The first of them is the state, number 3 of proc(5).
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[end+1:]))
	if end < 0 || len(fields) < 22 {
		return nil, fmt.Errorf("/proc/%d/stat is not understood: %q", pid, text)
	}
	return fields, nil
}

// processorTime is what a process has used so far, in user mode and in the kernel.
func processorTime(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// memory is a process's resident set now and at its highest, in MiB.
type memory struct{ Now, Peak float64 }

func memoryOf(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			m.Now = kib / 1024
		case "VmHWM:":
			m.Peak = kib / 1024
		}
	}
	return m, nil
}

// forgetPeak makes the highest resident set begin anew. Kernels that do not offer it leave
// the peak since the start, which is no less true.
func forgetPeak(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// childrenNamed finds the processes of our own that run a command.
func childrenNamed(command string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		fields, err := stat(pid)
		if err != nil || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		if name, _ := os.ReadFile(filepath.Join(dir, "comm")); strings.TrimSpace(string(name)) == command {
			pids = append(pids, pid)
		}
	}
	return pids
}

// loadAverage is the machine's, over one minute: who reads figures must know whether it
// was busy with something else before.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
