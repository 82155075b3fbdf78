package resources

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"kurier.dev/kurier/test/mutate"
)

// FuzzLoad: whatever a file holds, loading it never panics, every problem has a
// file and a line, and what was loaded reloads to the same Plan.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, seed := range seeds {
		data, err := os.ReadFile(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
	}
	for _, seed := range []string{
		"", "\x00", "---\n---\n", "{}", "[]", "null", "a: &a [*a]", "<<: [1]", "? {}\n: x", "%YAML 9.9\n---\na", "!!binary x", "\xff\xfe",
		"apiVersion: v1\nkind: List\nitems: [null, 1, {kind: List, items: [{}]}]", bomb(),
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: default-ch-webhook}\ndata:\n  default-ch-config: |\n    clusterDefault: &a\n      kind: *a\n",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-kafka-features}\ndata: {brokers-topic-template: '{{ .Name | printf }}'}",
		"apiVersion: sources.knative.dev/v1\nkind: PingSource\nmetadata: {name: p}\nspec: {schedule: 'TZ=0', sink: {uri: 'a://b'}}",
	} {
		f.Add([]byte(seed), false)
	}
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"eventing.knative.dev/v1","kind":"Broker","metadata":{"name":"b"}}]}`), true)
	f.Add([]byte(`{"a":[1,2.5e3,true,null,"\ud800"`), true)
	var texts []string
	for _, seed := range seeds {
		data, _ := os.ReadFile(seed)
		texts = append(texts, string(data))
	}
	mutate.More(f, texts, func(s string) { f.Add([]byte(s), false) })
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		file := source{name: "m.yaml", data: data}
		if json {
			file.name = "m.json"
		}
		plan, _ := load([]source{file}, options(), nil)
		for _, problems := range [][]Problem{plan.Errors, plan.Warnings} {
			for _, p := range problems {
				if p.File != file.name || p.Line < 1 || p.Message == "" {
					t.Errorf("no place: %+v", p)
				}
			}
		}
		again, _ := load([]source{file}, options(), nil)
		if !reflect.DeepEqual(exported(plan), exported(again)) {
			t.Error("two loads differ")
		}
		next := reload(plan, []source{file}, options())
		if !reflect.DeepEqual(plan.Objects, next.Objects) || !reflect.DeepEqual(plan.Consumers, next.Consumers) {
			t.Error("a reload of the same file differs")
		}
	})
}
