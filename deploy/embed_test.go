package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"kurier.dev/kurier/deploy"
)

// object is as much of a manifest as these tests look at.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name, Namespace string }
}

// examples returns every object of every file.
func examples(t *testing.T) map[string][]object {
	t.Helper()
	found := map[string][]object{}
	err := fs.WalkDir(deploy.Examples(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(deploy.Examples(), name)
		if err != nil {
			return err
		}
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var o object
			if err := dec.Decode(&o); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			found[name] = append(found[name], o)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestExamples: only manifests, each object once, none without a kind or name.
func TestExamples(t *testing.T) {
	seen := map[string]string{}
	files := examples(t)
	if len(files) < 5 {
		t.Fatalf("only %d example files are embedded", len(files))
	}
	for name, objects := range files {
		if path.Ext(name) != ".yaml" {
			t.Errorf("%s is no manifest", name)
		}
		for _, o := range objects {
			id := o.Kind + "/" + o.Metadata.Name
			if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" {
				t.Errorf("%s: an object without apiVersion, kind or name: %+v", name, o)
			}
			if other := seen[id]; other != "" {
				t.Errorf("%s is in %s and in %s", id, other, name)
			}
			seen[id] = name
		}
	}
	for _, want := range strings.Fields("InMemoryChannel/pingevents PingSource/ping-every-minute Trigger/orders Service/event-display4") {
		if seen[want] == "" {
			t.Errorf("%s is missing", want)
		}
	}
}
