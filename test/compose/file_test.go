package compose

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t.Context(), harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestServices(t *testing.T) {
	p := project(t)
	for _, want := range strings.Fields("kafka receiver dispatcher event-display1 event-display2 event-display3 event-display4") {
		s, ok := p.Services[want]
		if !ok {
			t.Errorf("no service %s", want)
			continue
		}
		if s.ContainerName != "" {
			t.Errorf("%s has a container_name, which forbids scaling", want)
		}
		if s.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("%s: restart is %q", want, s.Restart)
		}
		if len(s.DependsOn) > 0 {
			t.Errorf("%s depends on %v; any order of start works", want, s.GetDependencies())
		}
		if want != "kafka" && (s.Build == nil || s.Image == "") {
			t.Errorf("%s must be built and have a name", want)
		}
	}
}

// TestScaledServicesHaveNoHostPorts: two replicas cannot share one.
func TestScaledServicesHaveNoHostPorts(t *testing.T) {
	p := project(t)
	for _, name := range strings.Fields("dispatcher event-display1") {
		if ports := p.Services[name].Ports; len(ports) > 0 {
			t.Errorf("%s: %+v", name, ports)
		}
	}
}

// TestGracePeriod: Docker must not kill a process that still drains.
func TestGracePeriod(t *testing.T) {
	for _, name := range []string{"receiver", "dispatcher"} {
		s := project(t).Services[name]
		if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) <= 25*time.Second {
			t.Errorf("%s: stop_grace_period %v is not above SHUTDOWN_TIMEOUT, 25 s", name, s.StopGracePeriod)
		}
	}
}

// TestKafkaVersion: the image is the release that the tests run against.
func TestKafkaVersion(t *testing.T) {
	if got, want := project(t).Services["kafka"].Image, "apache/kafka:"+kafkatest.Version; got != want {
		t.Errorf("image %s, tested is %s", got, want)
	}
}

func TestKafkaSettings(t *testing.T) {
	got := serverProperties(variables(project(t).Services["kafka"]))
	for name, want := range map[string]string{
		"process.roles": "broker,controller", "auto.create.topics.enable": "false",
		"group.initial.rebalance.delay.ms": "0", "offsets.topic.replication.factor": "1",
		"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
		"advertised.listeners": "INSIDE://kafka:9092,HOST://localhost:29092",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	if _, ok := got["cluster.id"]; ok || variables(project(t).Services["kafka"])["CLUSTER_ID"] == "" {
		t.Error("the cluster's id is CLUSTER_ID, not a setting")
	}
	mounted := project(t).Services["kafka"].Volumes
	if len(mounted) != 1 || mounted[0].Target != "/var/lib/kafka/data" ||
		!strings.HasPrefix(got["log.dirs"], "/var/lib/kafka/data/") {
		t.Errorf("the log dirs %s are not on the volume %+v", got["log.dirs"], mounted)
	}
}

func TestServerProperties(t *testing.T) {
	got := kafkatest.FormatProperties(serverProperties(map[string]string{
		"KAFKA_NODE_ID": "1", "KAFKA_A__B": "2", "KAFKA_C___D": "3", "CLUSTER_ID": "x",
		"KAFKA_HEAP_OPTS": "-Xmx1g", "OTHER": "y",
	}))
	if got != "a_b=2\nc-d=3\nnode.id=1\n" {
		t.Errorf("got\n%s", got)
	}
}

// TestVariablesExist: every variable of our services is one that Kurier reads; a misspelt
// one would be ignored.
func TestVariablesExist(t *testing.T) {
	stdout, stderr, code := harness.Run(t, nil, "help", "env")
	if code != 0 {
		t.Fatalf("kurier help env: status %d: %s", code, stderr)
	}
	known := regexp.MustCompile(`\b[A-Z][A-Z_]+\b`).FindAllString(stdout, -1)
	for name, s := range project(t).Services {
		if name == "kafka" {
			continue
		}
		for variable := range s.Environment {
			if !slices.Contains(known, variable) {
				t.Errorf("%s sets %s, which Kurier does not know", name, variable)
			}
		}
	}
}

func TestDockerfile(t *testing.T) {
	stages, err := parseDockerfile(text(t, "deploy/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) < 2 || stages[len(stages)-1].base != "scratch" {
		t.Fatalf("want a build stage and an image from scratch: %+v", stages)
	}
	wanted := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(text(t, "go.mod"))[1]
	if got := stages[0].base; got != "golang:"+wanted {
		t.Errorf("built with %s, but go.mod says go %s", got, wanted)
	}
}

func TestParseDockerfile(t *testing.T) {
	stages, err := parseDockerfile("# a comment\nFROM golang:1 AS build\nRUN --mount=a --mount=b one \\\n  # not this\n  two\nFROM scratch\nCOPY --from=build /x /y\n")
	if err != nil {
		t.Fatal(err)
	}
	run, cp := stages[0].steps[0], stages[1].steps[0]
	if stages[0].name != "build" || strings.Join(run.fields(), " ") != "one two" || run.flags["mount"] != "a b" || run.line != 3 {
		t.Errorf("RUN: %+v", run)
	}
	if cp.flags["from"] != "build" || cp.text != "/x /y" {
		t.Errorf("COPY: %+v", cp)
	}
	for _, bad := range []string{"RUN x", "FROM scratch\nONBUILD RUN x"} {
		if _, err := parseDockerfile(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestIgnore(t *testing.T) {
	rules := parseIgnore("# comment\n.git\n**/*_test.go\n*.md\ndocs/\n**/testdata")
	for path, want := range map[string]bool{
		".git": true, ".git/config": true, ".gitignore": false, "a_test.go": true, "x/y/b_test.go": true,
		"README.md": true, "x/README.md": false, "docs/a.txt": true, "x/docs": false, "x/testdata/y": true, "main.go": false,
	} {
		if got := rules.match(path); got != want {
			t.Errorf("%s: ignored %v, want %v", path, got, want)
		}
	}
}
