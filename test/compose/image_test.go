package compose

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"kurier.dev/kurier/test/box"
	"kurier.dev/kurier/test/harness"
)

// httpsServer starts a server that accepts every event, and writes a bundle of CA
// certificates in which its own stands beside the machine's.
func httpsServer(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // a refused certificate is expected
	server.StartTLS()
	t.Cleanup(server.Close)
	bundle, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	path := filepath.Join(t.TempDir(), "ca-certificates.crt")
	if err := os.WriteFile(path, append(bundle, own...), 0o644); err != nil {
		t.Fatal(err)
	}
	return server, path
}

// runIn runs a command of the image, on the machine's network, with a manifest mounted.
func runIn(t *testing.T, img *image, manifest string, args ...string) (string, int) {
	t.Helper()
	var mounts []box.Mount
	if manifest != "" {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "ping.yaml"), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		mounts = append(mounts, box.Mount{Source: dir, Target: "/manifests", ReadOnly: true})
	}
	out := &harness.Output{}
	running, err := box.Start(box.Spec{
		Root: img.root, Mounts: mounts, Hostname: "image", UID: img.uid, GID: img.gid,
		Env: img.env, Args: append(append([]string(nil), img.entrypoint...), args...),
	}, nil, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(running.Kill)
	status := running.ExitCode()
	return out.String(), status
}
