package compose

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/harness"
)

// stack is the running project.
type stack struct {
	project *types.Project
	network *box.Network
	images  map[string]*image // by service
	volumes map[string]string // named volume -> folder
	boxes   map[string]*container
}

// container is one replica of a service; it keeps its address and output across restarts.
type container struct {
	name, address string
	service       types.ServiceConfig
	image         *image
	output        *harness.Output
	running       *box.Box // nil when stopped
}

// newStack loads the file, builds the image, and prepares everything without starting it.
func newStack(t *testing.T) *stack {
	t.Helper()
	project, err := load(t.Context(), harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{project: project, network: box.NewNetwork(t),
		images: map[string]*image{}, volumes: map[string]string{}, boxes: map[string]*container{}}
	ours := buildImage(t, "")
	for name, service := range project.Services {
		s.images[name] = ours
		if strings.HasPrefix(service.Image, "apache/kafka:") {
			s.images[name] = s.kafka(t, service)
		}
	}
	for name := range project.Volumes {
		s.volumes[name] = t.TempDir()
	}
	return s
}

// buildImage carries out the Dockerfile. caRoots is as in [builder].
func buildImage(t *testing.T, caRoots string) *image {
	t.Helper()
	b := &builder{context: t.TempDir(), work: t.TempDir(), roots: map[string]string{}, caRoots: caRoots}
	if err := copyContext(harness.Root(), b.context); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(harness.Root(), "deploy", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := b.build(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func (s *stack) kafka(t *testing.T, service types.ServiceConfig) *image {
	t.Helper()
	var config strings.Builder
	for key, value := range serverProperties(variables(service)) {
		fmt.Fprintf(&config, "%s=%s\n", key, value)
	}
	img, err := kafkaImage(t.Context(), t.TempDir(), config.String())
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// create makes a replica of a service without starting it, as scaling does.
func (s *stack) create(t *testing.T, service, name string) *container {
	t.Helper()
	c := &container{
		name: name, address: s.network.Address(), service: s.project.Services[service],
		image: s.images[service], output: &harness.Output{},
	}
	s.boxes[name] = c
	t.Cleanup(func() {
		if c.running != nil {
			c.running.Kill()
		}
		if t.Failed() {
			t.Logf("%s, end of output:\n%s", name, c.output.Tail(40))
		}
	})
	for _, p := range c.service.Ports {
		if p.Published != "" {
			s.network.Publish(t, p.Published, fmt.Sprintf("%s:%d", c.address, p.Target))
		}
	}
	return c
}

// start starts a container; its service's name now resolves to it, too.
func (s *stack) start(t *testing.T, c *container) {
	t.Helper()
	running, err := box.Start(s.spec(t, c), s.network, c.output)
	if err != nil {
		t.Fatalf("start %s: %v", c.name, err)
	}
	c.running = running
	if err := s.network.Name(c.service.Name, c.address); err != nil {
		t.Fatal(err)
	}
}

// spec is what the file says about a container, and nothing else.
func (s *stack) spec(t *testing.T, c *container) box.Spec {
	t.Helper()
	entrypoint, command := c.image.entrypoint, c.image.cmd
	if c.service.Entrypoint != nil {
		entrypoint = c.service.Entrypoint
	}
	if c.service.Command != nil {
		command = c.service.Command
	}
	return box.Spec{
		Root: c.image.root, Mounts: append(append([]box.Mount(nil), c.image.mounts...), s.mounts(t, c)...),
		Hostname: c.name, Address: c.address, UID: c.image.uid, GID: c.image.gid,
		Env:  merge(c.image.env, engineEnvironment(c), environment(c.service)),
		Args: append(append([]string(nil), entrypoint...), command...),
	}
}

// engineEnvironment is what a container engine adds by itself.
func engineEnvironment(c *container) []string {
	return []string{"HOSTNAME=" + c.name, "HOME=/"}
}

// mounts are the volumes of the file.
func (s *stack) mounts(t *testing.T, c *container) []box.Mount {
	t.Helper()
	var all []box.Mount
	for _, v := range c.service.Volumes {
		source := v.Source
		if v.Type == types.VolumeTypeVolume {
			source = s.volumes[v.Source]
			// A new volume belongs to whom the image's folder belongs.
			if err := os.Chown(source, c.image.uid, c.image.gid); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, box.Mount{Source: source, Target: v.Target, ReadOnly: v.ReadOnly})
	}
	return all
}

// stop stops a container as `docker compose stop` does; it must end by itself, with
// status 0, within its grace period.
func (s *stack) stop(t *testing.T, c *container) {
	t.Helper()
	grace := 10 * time.Second
	if p := c.service.StopGracePeriod; p != nil {
		grace = time.Duration(*p)
	}
	if err := s.network.Forget(c.service.Name, c.address); err != nil {
		t.Fatal(err)
	}
	if !c.running.Stop(grace) {
		t.Errorf("%s did not stop within its grace period of %s", c.name, grace)
	} else if code := c.running.ExitCode(); code != 0 && c.service.Name != "kafka" {
		t.Errorf("%s ended with status %d when it was stopped", c.name, code) // Java says 143
	}
	c.running = nil
}

// healthy waits until the container's health check succeeds, as `up --wait` does.
func (s *stack) healthy(t *testing.T, c *container) {
	t.Helper()
	check := c.image.health
	if h := c.service.HealthCheck; h != nil {
		if h.Disable || len(h.Test) < 2 || h.Test[0] != "CMD" {
			t.Fatalf("%s: health check %v", c.name, h.Test)
		}
		check = h.Test[1:]
	}
	harness.Eventually(t, harness.Wait, c.name+" to be healthy", func() error {
		select {
		case <-c.running.Done():
			t.Fatalf("%s ended by itself with status %d", c.name, c.running.ExitCode())
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, status, err := c.running.Exec(ctx, check...)
		if err == nil && status != 0 {
			err = fmt.Errorf("%s: status %d: %s", strings.Join(check, " "), status, out)
		}
		return err
	})
}

// exec is `docker compose exec`.
func (s *stack) exec(t *testing.T, c *container, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, status, err := c.running.Exec(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out, status
}

// client is an HTTP client on the host.
func (s *stack) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: s.network.Dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}
