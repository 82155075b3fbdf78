package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// Process is one Kurier process, started as often as needed. Its methods belong to the
// test's goroutine.
type Process struct {
	*harness.System
	t    testing.TB
	Name string
	runs []*harness.Command
}

// exitWithin is more than SHUTDOWN_TIMEOUT.
const exitWithin = 40 * time.Second

// Up starts the process, for the first time or again.
func (p *Process) Up() {
	p.t.Helper()
	p.Start(p.t)
	p.runs = append(p.runs, p.Command)
}

// Down sends SIGTERM and waits for a clean end.
func (p *Process) Down() {
	p.t.Helper()
	p.Command.Signal(p.t, syscall.SIGTERM)
	if code := p.Command.AwaitExit(p.t, exitWithin); code != 0 {
		p.t.Errorf("%s ended with status %d after SIGTERM", p.Name, code)
	}
}

// Owner names an incarnation in the History.
func (p *Process) owner(run int) string { return fmt.Sprintf("%s#%d", p.Name, run+1) }

// line is what is read of a log line.
type line struct {
	Time       time.Time
	Msg        string
	Group      string
	Partitions []int32
	Generation int32
}

// The messages that tell of partitions.
const (
	assignedMessage = "the group assigned partitions"
	leftMessage     = "the consumer group was left or could not be joined; joining again"
)

// Recount reads from the logs of all incarnations who had which partition.
func (p *Process) Recount(h *History) error {
	groups := map[string]int{}
	for i, t := range h.Triggers {
		groups[t.Group] = i
	}
	for run, command := range p.runs {
		lines := bufio.NewScanner(strings.NewReader(command.Stderr.String()))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			text := lines.Text()
			if !strings.Contains(text, assignedMessage) && !strings.Contains(text, leftMessage) {
				continue
			}
			var l line
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				return fmt.Errorf("a log line of %s: %w: %s", p.Name, err, text)
			}
			trigger, ok := groups[l.Group]
			switch {
			case !ok:
			case l.Msg == assignedMessage:
				h.Assignments = append(h.Assignments, Assignment{
					Trigger: trigger, At: h.At(l.Time), Generation: l.Generation, Owner: p.owner(run), Partitions: l.Partitions,
				})
			case l.Msg == leftMessage:
				h.Lefts = append(h.Lefts, Left{Trigger: trigger, At: h.At(l.Time), Owner: p.owner(run)})
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("the log of %s: %w", p.Name, err)
		}
	}
	return nil
}

// Fleet is a Kurier of several processes on one folder of manifests.
type Fleet struct {
	Receivers, Dispatchers []*Process
	Namespace              string
	version                int // of the manifests
	triggers               []Trigger
}

// The sizes of a run's fleet. Each process is one client of the Kafka, receivers first.
const (
	receivers   = 2
	dispatchers = 3
	// Partitions of the Broker's topic.
	Partitions = 12
)

// NewFleet prepares processes for triggers without starting them. bootstrap is where a
// client, receivers first, finds Kafka.
func NewFleet(t testing.TB, namespace string, triggers []Trigger, receivers, dispatchers int,
	bootstrap func(client int) string, env harness.Env,
) *Fleet {
	t.Helper()
	f := &Fleet{Namespace: namespace, triggers: triggers}
	env = harness.Env{
		"LOG_FORMAT": "json", "PRODUCE_TIMEOUT": "PT5S", "SHUTDOWN_TIMEOUT": "PT8S",
	}.With(env)
	var first *harness.System
	for client := range receivers + dispatchers {
		role, n := "receiver", client
		if client >= receivers {
			role, n = "dispatcher", client-receivers
		}
		p := &Process{t: t, Name: fmt.Sprintf("%s-%d", role, n)}
		own := env.With(harness.Env{"KAFKA_BOOTSTRAP_SERVERS": bootstrap(client), "INSTANCE_NAME": p.Name})
		if first == nil {
			first = harness.NewSystem(t, own, role)
			p.System = first
		} else {
			p.System = first.Sibling(t, own, role)
		}
		moor(t, p.System)
		if role == "receiver" {
			f.Receivers = append(f.Receivers, p)
		} else {
			f.Dispatchers = append(f.Dispatchers, p)
		}
	}
	return f
}

// All are receivers and dispatchers.
func (f *Fleet) All() []*Process {
	return append(append([]*Process(nil), f.Receivers...), f.Dispatchers...)
}

// Start starts all and waits until all are ready and all objects, too.
func (f *Fleet) Start() {
	for _, p := range f.All() {
		p.Up()
	}
	for _, p := range f.All() {
		p.AwaitReady(p.t)
	}
	f.AwaitTriggers()
}

// AwaitTriggers waits until all triggers are Ready.
func (f *Fleet) AwaitTriggers() {
	for _, t := range f.triggers {
		f.Dispatchers[0].AwaitObjects(f.Dispatchers[0].t, "trigger/"+f.Namespace+"/"+t.Name)
	}
}

// Write replaces the manifests.
func (f *Fleet) Write(manifests string) {
	p := f.All()[0]
	p.Write(p.t, "all.yaml", manifests, nil)
}

// Recount reads all logs.
func (f *Fleet) Recount(h *History) error {
	for _, p := range f.Dispatchers {
		if err := p.Recount(h); err != nil {
			return err
		}
	}
	return nil
}
