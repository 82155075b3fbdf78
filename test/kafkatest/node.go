package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// LogConfig is a log4j2 configuration that writes warnings to standard output; without
// one Kafka logs at length.
const LogConfig = `<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c: %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`

// quickJava are options for a server that lives for seconds: a small heap, the collector
// with the least start-up work, no long-term compilation.
func quickJava() []string {
	return []string{"-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"}
}

// node is one Kafka server. Its fields are set once; proc changes under the cluster's lock.
type node struct {
	id, port, controllerPort int
	dir, dataDir             string
	libs                     string
	java                     []string
	proc                     *Process
}

// write fills the node's folder with its configuration.
func (n *node) write(settings map[string]string) error {
	if err := os.MkdirAll(n.dataDir, 0o755); err != nil {
		return fmt.Errorf("create the data folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "log4j2.xml"), []byte(LogConfig), 0o644); err != nil {
		return fmt.Errorf("write log4j2.xml: %w", err)
	}
	if err := os.WriteFile(n.config(), []byte(FormatProperties(settings)), 0o644); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	return nil
}

func (n *node) config() string  { return filepath.Join(n.dir, "server.properties") }
func (n *node) logFile() string { return filepath.Join(n.dir, "kafka.log") }

// command is a java call with Kafka's jars on the class path.
func (n *node) command(ctx context.Context, args ...string) *exec.Cmd {
	all := append([]string{"-cp", filepath.Join(n.libs, "*"),
		"-Dlog4j2.configurationFile=" + filepath.Join(n.dir, "log4j2.xml")}, n.java...)
	cmd := exec.CommandContext(ctx, "java", append(all, args...)...)
	cmd.Dir = n.dir
	return cmd
}

// format prepares the data folder, as kafka-storage.sh does.
func (n *node) format(ctx context.Context, clusterID string) error {
	cmd := n.command(ctx, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", n.config())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage of node %d: %w\n%s", n.id, err, tail(string(out), 20))
	}
	return nil
}

// start starts the server without waiting until it answers.
func (n *node) start() error {
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log file: %w", err)
	}
	defer log.Close()
	cmd := n.command(context.Background(), "kafka.Kafka", n.config())
	cmd.Stdout, cmd.Stderr = log, log
	n.proc, err = StartProcess(cmd)
	return err
}

// stopTimeout is how long a node may take for a controlled shutdown.
const stopTimeout = 30 * time.Second

// running tells whether the server has been started and has not ended.
func (n *node) running() bool {
	select {
	case <-n.proc.Done():
		return false
	default:
		return true
	}
}

func (n *node) logTail() string {
	text, err := os.ReadFile(n.logFile())
	if errors.Is(err, os.ErrNotExist) {
		return "(no log)"
	}
	return tail(string(text), 40)
}
