package compose

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"kurier.dev/kurier/test/box"
)

// image is what `docker build` makes: a folder of files and how to run them.
type image struct {
	root       string
	env        []string
	uid, gid   int
	entrypoint []string
	cmd        []string
	health     []string // the command of HEALTHCHECK
	mounts     []box.Mount
}

// builder carries out the stages of a Dockerfile.
type builder struct {
	context string            // the files that Docker would send
	work    string            // where stages have their roots
	roots   map[string]string // stage name -> root
	// caRoots replaces the builder image's bundle of CA certificates; empty: the machine's.
	caRoots string
}

// build carries out the Dockerfile; the last stage becomes the image.
func (b *builder) build(dockerfile string) (*image, error) {
	stages, err := parseDockerfile(dockerfile)
	if err != nil {
		return nil, err
	}
	var last *image
	for n, s := range stages {
		root := filepath.Join(b.work, fmt.Sprint("stage", n))
		if err := os.MkdirAll(root, 0o755); err != nil {
			return nil, err
		}
		b.roots[s.name] = root
		switch {
		case s.base == "scratch":
			last, err = b.assemble(s, root)
		case strings.HasPrefix(s.base, "golang:"):
			err = b.compile(s, root)
		default:
			err = fmt.Errorf("no stand-in for the base image %s", s.base)
		}
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// assemble makes the final image: nothing is in it but what COPY puts there.
func (b *builder) assemble(s stage, root string) (*image, error) {
	img := &image{root: root}
	for _, i := range s.steps {
		var err error
		switch i.name {
		case "COPY":
			err = b.copyInto(root, "/", i)
		case "ENV":
			img.env = append(img.env, i.fields()...)
		case "USER":
			img.uid, img.gid, err = parseUser(i.text)
		case "ENTRYPOINT":
			img.entrypoint, err = i.list()
		case "CMD":
			img.cmd, err = i.list()
		case "HEALTHCHECK":
			i.text = strings.TrimPrefix(i.text, "CMD ")
			img.health, err = i.list()
		case "EXPOSE":
		default:
			err = fmt.Errorf("line %d: %s in the final stage", i.line, i.name)
		}
		if err != nil {
			return nil, err
		}
	}
	return img, nil
}

func parseUser(text string) (uid, gid int, err error) {
	u, g, _ := strings.Cut(text, ":")
	if uid, err = strconv.Atoi(u); err != nil {
		return 0, 0, fmt.Errorf("USER %s: numbers, so that Kubernetes can tell that it is not root: %w", text, err)
	}
	gid, err = strconv.Atoi(g)
	return uid, gid, err
}

// copyInto carries out COPY; the last word is the target.
func (b *builder) copyInto(root, dir string, i instruction) error {
	words := i.fields()
	target := words[len(words)-1]
	if !filepath.IsAbs(target) {
		target = filepath.Join(dir, target) + trailing(target)
	}
	from := b.context
	if stage := i.flags["from"]; stage != "" {
		from = b.roots[stage]
	}
	for _, word := range words[:len(words)-1] {
		source := b.resolve(from, word)
		if info, err := os.Stat(source); err != nil {
			return fmt.Errorf("line %d: %w", i.line, err)
		} else if info.IsDir() {
			if err := copyTree(source, filepath.Join(root, target), nil); err != nil {
				return fmt.Errorf("line %d: %w", i.line, err)
			}
			continue
		}
		to := filepath.Join(root, target)
		if strings.HasSuffix(target, "/") {
			to = filepath.Join(to, filepath.Base(word))
		}
		if err := copyFile(source, to); err != nil {
			return fmt.Errorf("line %d: %w", i.line, err)
		}
	}
	return nil
}

// trailing keeps what says that a target is a folder.
func trailing(target string) string {
	if strings.HasSuffix(target, "/") || target == "." {
		return "/"
	}
	return ""
}

// resolve finds a file of a stage. What the stage's base image has, the machine has too:
// certificates under the same path, Go where GOROOT says.
func (b *builder) resolve(from, word string) string {
	source := filepath.Join(from, word)
	if _, err := os.Stat(source); err == nil || from == b.context {
		return source
	}
	switch {
	case b.caRoots != "" && word == "/etc/ssl/certs/ca-certificates.crt":
		return b.caRoots
	case strings.HasPrefix(word, "/usr/local/go/"):
		return filepath.Join(goEnv("GOROOT"), strings.TrimPrefix(word, "/usr/local/go/"))
	}
	return word
}

func goEnv(name string) string {
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// compile carries out a stage that is based on Go's image: in a box with the machine's
// software, its Go and its network.
func (b *builder) compile(s stage, root string) error {
	mounts, err := box.MachineRoot(root)
	if err != nil {
		return err
	}
	goroot := goEnv("GOROOT")
	if !strings.HasPrefix(goroot, "/usr/") {
		mounts = append(mounts, box.Mount{Source: goroot, Target: goroot, ReadOnly: true})
	}
	dir := "/"
	env := []string{
		"PATH=/go/bin:" + goroot + "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"GOPATH=/go", "GOTOOLCHAIN=local", "HOME=/root",
	}
	for _, v := range []string{"GOPROXY", "GOSUMDB", "GOFLAGS", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE"} {
		if value := os.Getenv(v); value != "" { // how this machine reaches the module proxy
			env = append(env, v+"="+value)
		}
	}
	for _, i := range s.steps {
		switch i.name {
		case "WORKDIR":
			dir = i.text
			err = os.MkdirAll(filepath.Join(root, dir), 0o755)
		case "COPY":
			err = b.copyInto(root, dir, i)
		case "ARG", "ENV":
			env = append(env, i.fields()...)
		case "RUN":
			err = b.run(root, dir, env, mounts, i)
		default:
			err = fmt.Errorf("line %d: %s in the build stage", i.line, i.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run carries out RUN. Its cache mounts are the machine's own caches.
func (b *builder) run(root, dir string, env []string, mounts []box.Mount, i instruction) error {
	caches := map[string]string{"/go/pkg/mod": goEnv("GOMODCACHE"), "/root/.cache/go-build": goEnv("GOCACHE")}
	all := append([]box.Mount(nil), mounts...)
	for _, m := range strings.Fields(i.flags["mount"]) {
		target, ok := strings.CutPrefix(m, "type=cache,target=")
		if !ok || caches[target] == "" {
			return fmt.Errorf("line %d: a mount that is no cache of Go: %s", i.line, m)
		}
		all = append(all, box.Mount{Source: caches[target], Target: target})
	}
	var out bytes.Buffer
	running, err := box.Start(box.Spec{
		Root: root, Mounts: all, Hostname: "build", Env: env, Dir: dir, Args: []string{"sh", "-c", i.text},
	}, nil, &out)
	if err != nil {
		return err
	}
	if code := running.ExitCode(); code != 0 {
		return fmt.Errorf("line %d: RUN %s: status %d\n%s", i.line, i.text, code, out.String())
	}
	return nil
}
