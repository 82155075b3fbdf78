package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"kurier.dev/kurier/test/kafkatest"
)

// childWord as first argument makes this program one of its own helpers.
const childWord = "child"

// report is what a child tells: totals since it began. The parent subtracts.
type report struct {
	Error   string          `json:",omitempty"` // the first failure, or why it could not begin
	Address string          `json:",omitempty"` // in the first report, of those who listen
	Count   int64           // events done
	Failed  int64           // events that failed
	Bytes   int64           `json:",omitempty"`
	Latency counts          `json:",omitempty"`
	Times   map[int64]int64 `json:",omitempty"` // by the event's number: when, in ns since 1970
	Done    bool            // nothing more will come
}

// child is a helper process.
type child struct {
	name  string
	proc  *kafkatest.Process
	in    *os.File
	out   *json.Decoder
	first report
}

// startChild starts a role of this program and waits until it says that it is ready.
func startChild(role string, config any) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, childWord, role, string(text))
	return startTalker(role, cmd)
}

// startTalker starts a command that speaks as children do.
func startTalker(name string, cmd *exec.Cmd) (*child, error) {
	stdin, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, stdin.Close(), in.Close())
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	cmd.Env = append(os.Environ(), childEnvironment+"=1")
	proc, err := kafkatest.StartProcess(cmd)
	_ = stdin.Close()
	_ = stdout.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	c := &child{name: name, proc: proc, in: in, out: json.NewDecoder(bufio.NewReader(out))}
	if c.first, err = c.read(); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// childEnvironment tells the test binary of this package that it is to be a child.
const childEnvironment = "KURIER_BENCH_CHILD"

func (c *child) read() (report, error) {
	var r report
	if err := c.out.Decode(&r); err != nil {
		return r, fmt.Errorf("the %s process ended: %w", c.name, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("the %s process: %s", c.name, r.Error)
	}
	return r, nil
}

// ask returns the child's totals.
func (c *child) ask() (report, error) {
	if _, err := io.WriteString(c.in, "report\n"); err != nil {
		return report{}, fmt.Errorf("ask the %s process: %w", c.name, err)
	}
	return c.read()
}

// await asks until enough has been done, the child is done, or the time is over.
func (c *child) await(count int64, within time.Duration) (report, error) {
	for deadline := time.Now().Add(within); ; {
		r, err := c.ask()
		if err != nil || r.Done || r.Count >= count || time.Now().After(deadline) {
			return r, err
		}
		pause(20 * time.Millisecond)
	}
}

func (c *child) pid() int { return c.proc.PID() }

// stop ends the child and waits for its end.
func (c *child) stop() {
	_ = c.in.Close()
	c.proc.Stop(5 * time.Second)
}

// role is what a child does: begin starts its work and returns how to see its totals.
type role func(config []byte) (totals func() report, err error)

// roles are the children by name.
func roles() map[string]role {
	return map[string]role{
		"http-load":   as(beginLoad),
		"subscriber":  as(beginSubscriber),
		"fasthttp":    as(beginServer),
		"http-client": as(beginClient),
		"sarama-send": as(beginProduce),
		"sarama-read": as(beginConsume),
		"embedded":    as(beginEmbedded),
	}
}

// as makes a role of a function with a typed configuration.
func as[C any](begin func(C) (func() report, error)) role {
	return func(text []byte) (func() report, error) {
		var config C
		if err := json.Unmarshal(text, &config); err != nil {
			return nil, err
		}
		return begin(config)
	}
}

// runChild is main of a child: it reports when it is asked and ends with its input.
func runChild(name, config string) error {
	begin, ok := roles()[name]
	if !ok {
		return fmt.Errorf("there is no role %q", name)
	}
	out := json.NewEncoder(os.Stdout)
	totals, err := begin([]byte(config))
	if err != nil {
		return out.Encode(report{Error: err.Error()})
	}
	if err := out.Encode(totals()); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := out.Encode(totals()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// pause waits. What is measured takes its time; nothing is synchronised by it.
func pause(d time.Duration) { <-time.After(d) }
