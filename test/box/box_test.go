package box_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/kafkatest"
)

func TestMain(m *testing.M) {
	box.Init()
	goleak.VerifyTestMain(m)
}

func needBoxes(t *testing.T) {
	t.Helper()
	if err := box.Available(); err != nil {
		kafkatest.SkipOrFail(t, err.Error())
	}
}

// shell starts a shell command in a box with the machine's software.
func shell(t *testing.T, network *box.Network, address, command string, out io.Writer) *box.Box {
	t.Helper()
	root := t.TempDir()
	mounts, err := box.MachineRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	b, err := box.Start(box.Spec{
		Root: root, Mounts: mounts, Hostname: "boxed", Address: address, UID: 1234, GID: 1234,
		Env: []string{"PATH=/usr/bin:/bin", "COLOUR=blue"}, Args: []string{"sh", "-c", command},
	}, network, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	return b
}

// TestBoxIsApart: the program sees its own processes, name, user, environment and files.
func TestBoxIsApart(t *testing.T) {
	needBoxes(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b := shell(t, box.NewNetwork(t), "172.31.99.2",
		"echo $$ $(hostname) $(id -u) $COLOUR; env | grep -v '^_=\\|^PWD=\\|^OLDPWD=\\|^SHLVL='; test -e "+secret+" && echo visible", &out)
	if code := b.ExitCode(); code != 1 { // of test -e
		t.Fatalf("status %d: %s", code, out.String())
	}
	want := "1 boxed 1234 blue\nCOLOUR=blue\nPATH=/usr/bin:/bin\n"
	if got := out.String(); got != want {
		t.Fatalf("the box sees\n%swant\n%s", got, want)
	}
}

// TestNamesAndPorts: boxes meet by name on equal ports; the host reaches published ones;
// a name that was forgotten is gone.
func TestNamesAndPorts(t *testing.T) {
	needBoxes(t)
	network := box.NewNetwork(t)
	a, b := network.Address(), network.Address()
	for name, address := range map[string]string{"a": a, "b": b} {
		if err := network.Name(name, address); err != nil {
			t.Fatal(err)
		}
	}
	// A web server of the host, which boxes reach through the gateway.
	listener, err := network.Listen("0.0.0.0:8080")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr[:strings.LastIndexByte(r.RemoteAddr, ':')])
	})}
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	network.Publish(t, "9999", "172.31.99.1:8080")

	boxed := shell(t, network, a, "exec sleep 600", io.Discard)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, _, err := boxed.Exec(ctx, "getent", "ahostsv4", "b")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, b) {
		t.Fatalf("b resolves to %q, want %s", out, b)
	}
	if err := network.Forget("b", b); err != nil {
		t.Fatal(err)
	}
	if out, status, err := boxed.Exec(ctx, "grep", " b$", "/etc/hosts"); err != nil || status != 1 {
		t.Fatalf("a forgotten name is still there: %q, status %d, %v", out, status, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: network.Dial, DisableKeepAlives: true}}
	resp, err := client.Get("http://localhost:9999/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); string(text) != "172.31.99.1" {
		t.Fatalf("the published port answers %q", text)
	}
	if _, err := net.DialTimeout("tcp", "127.0.0.1:9999", time.Second); err == nil {
		t.Fatal("the published port is open on the machine itself")
	}
}
