package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodManifest = `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: orders}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: billing}
spec:
  broker: orders
  subscriber: {uri: http://billing:8080}
`

const brokenManifest = `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: billing}
spec:
  broker: orders
  subscriber: {}
`

const unknownKind = `apiVersion: example.com/v1
kind: Nonsense
metadata: {name: x}
`

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	path := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestValidate(t *testing.T) {
	good := folder(t, map[string]string{"good.yaml": goodManifest})
	broken := folder(t, map[string]string{"good.yaml": goodManifest, "broken.yaml": brokenManifest})
	strange := folder(t, map[string]string{"strange.yaml": unknownKind})
	tests := map[string]struct {
		arguments []string
		code      int
		says      []string
	}{
		"good":              {[]string{good}, 0, []string{"ok: 2 objects"}},
		"a file":            {[]string{filepath.Join(good, "good.yaml")}, 0, []string{"ok: 2 objects"}},
		"MANIFESTS":         {nil, 0, []string{"ok: 2 objects"}},
		"broken":            {[]string{broken}, 1, []string{"broken.yaml:", "expected at least one, got none: spec.subscriber.ref, spec.subscriber.uri"}},
		"one of several":    {[]string{good, filepath.Join(broken, "broken.yaml")}, 1, []string{"broken.yaml:"}},
		"an unknown kind":   {[]string{strange}, 0, []string{"Nonsense", "\nok: "}},
		"and that strictly": {[]string{"--strict", strange}, 1, []string{"Nonsense"}},
		"nothing there":     {[]string{filepath.Join(good, "none")}, 1, []string{"none"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			f.config.Manifests = good
			got := f.run(t, append([]string{"validate"}, test.arguments...)...)
			if got.code != test.code || got.err != "" {
				t.Errorf("%+v", got)
			}
			for _, says := range test.says {
				if !strings.Contains(got.out, says) {
					t.Errorf("does not say %q:\n%s", says, got.out)
				}
			}
			if strings.Contains(got.out, "ok: ") != (test.code == 0) {
				t.Errorf("status %d and\n%s", got.code, got.out)
			}
		})
	}
}

func TestValidateTheExamples(t *testing.T) {
	if got := newFixture().run(t, "validate", "--strict", "../../deploy/examples"); got.code != 0 {
		t.Errorf("%+v", got)
	}
}
