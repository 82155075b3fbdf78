package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// order is what a sending program reads: a request with one event, or a batch.
type order struct {
	Mode   mode    `json:"mode"`
	Events []event `json:"events"`
}

// outcome is what a sender tells about a request.
type outcome struct {
	Status int    `json:"status"` // 0: the SDK sent nothing
	Error  string `json:"error"`
	Body   []byte `json:"body"` // as sent
}

// told is what a subscriber tells about a request.
type told struct {
	Port       int               `json:"port"` // in the first line only
	Path       string            `json:"path"`
	Attributes map[string]string `json:"attributes"`
	Data       []byte            `json:"data"`
	Error      string            `json:"error"`
}

func (l *language) cmd(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	interpreter, dir := l.prepare(t)
	command, env := l.run(interpreter, dir, filepath.Join(l.source(), program))
	cmd := exec.Command(command[0], append(command[1:], args...)...)
	cmd.Env = append(os.Environ(), env)
	return cmd
}

// call runs a program to its end: values go to its standard input as JSON, a line each,
// and each line of its output is read as T.
func call[T any](t testing.TB, l *language, input []any, program string, args ...string) []T {
	t.Helper()
	var lines bytes.Buffer
	var stdout, stderr harness.Output
	for _, value := range input {
		if err := json.NewEncoder(&lines).Encode(value); err != nil {
			t.Fatal(err)
		}
	}
	cmd := l.cmd(t, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &lines, &stdout, &stderr
	process, err := kafkatest.StartProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	harness.Eventually(t, harness.Wait, program+" to end", func() error {
		select {
		case <-process.Done():
			return nil
		default:
			return fmt.Errorf("it is running; so far:\n%s%s", stdout.String(), stderr.String())
		}
	})
	if code := process.ExitCode(); code != 0 {
		t.Fatalf("%s %v ended with status %d:\n%s%s", program, args, code, stdout.String(), stderr.String())
	}
	var all []T
	for decoder := json.NewDecoder(strings.NewReader(stdout.String())); decoder.More(); {
		var one T
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%s printed %s: %v", program, stdout.String(), err)
		}
		all = append(all, one)
	}
	return all
}

// subscriber is a client's subscriber and what it has told so far.
type subscriber struct {
	url string
	mu  sync.Mutex
	all []told
}

func (s *subscriber) tell(one told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, one)
}

// got is what came to a path, by the id that the SDK read.
func (s *subscriber) got(path string) map[string]told {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := map[string]told{}
	for _, one := range s.all {
		if one.Path == path {
			by[one.Attributes["id"]] = one
		}
	}
	return by
}

// subscribe starts a language's subscriber, which ends with the test.
func (l *language) subscribe(t testing.TB, program string) *subscriber {
	t.Helper()
	cmd := l.cmd(t, program)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr harness.Output
	cmd.Stdout, cmd.Stderr = write, &stderr
	process, err := kafkatest.StartProcess(cmd)
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	s := &subscriber{}
	port, ended := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(port)
		for lines := bufio.NewReader(read); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				if err != io.EOF {
					stderr.Write([]byte(err.Error()))
				}
				return
			}
			var one told
			if err := json.Unmarshal(line, &one); err != nil {
				one.Error = fmt.Sprintf("%s: %v", line, err)
			}
			if one.Port != 0 {
				port <- one.Port
				continue
			}
			s.tell(one)
		}
	}()
	t.Cleanup(func() {
		process.Kill()
		<-ended
		read.Close()
		if t.Failed() {
			t.Logf("%s: %s", program, stderr.String())
		}
	})
	number, ok := <-port
	if !ok {
		t.Fatalf("%s ended at once: %s", program, stderr.String())
	}
	s.url = fmt.Sprintf("http://127.0.0.1:%d", number)
	return s
}
