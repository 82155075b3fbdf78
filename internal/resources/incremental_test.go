package resources

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// documentGen makes documents whose names are few, so that they meet: they refer
// to each other, stand in each other's way and come back changed.
func documentGen() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		one := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
		name := one("name", "a", "b", "c", "default")
		other := one("other", "a", "b", "c", "default")
		subscriber := "subscriber: " + one("subscriber", "{uri: 'http://s'}", "{uri: 'http://ingress:8080/test-ns/a'}",
			"{ref: {apiVersion: v1, kind: Service, name: "+other+"}}",
			"{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: "+other+"}}",
			"{ref: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, name: "+other+"}, uri: /x}",
			"{ref: {apiVersion: flows.knative.dev/v1, kind: Sequence, name: "+other+"}}", "{}")
		delivery := "delivery: " + one("delivery", "{retry: 1}", "{retry: 2}", "{retry: -1}", "{timeout: PT1S}",
			"{deadLetterSink: {ref: {apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, name: "+other+"}}}")
		template := one("template", "", "channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel}, ",
			"channelTemplate: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}, ")
		switch one("kind", "broker", "trigger", "trigger", "channel", "kafkachannel", "subscription", "sink", "sequence", "parallel",
			"ping", "source", "service", "configmap", "settings", "owned", "alias", "list", "foreign") {
		case "broker":
			return brokerText(name, one("broker", "{}", "{"+delivery+"}", "{config: {apiVersion: v1, kind: ConfigMap, name: "+other+"}}"),
				"eventing.knative.dev/broker.class", one("class", "Kafka", "Kafka", "Kafka", "Foreign"))
		case "trigger":
			spec := "{broker: " + other + ", " + subscriber + ", " + delivery + one("filter", "", ", filters: [{exact: {type: x}}]", ", filters: [{cesql: \"type = 'x'\"}]") + "}"
			switch one("annotation", "", "", "injection", "dependency") {
			case "injection":
				return triggerText(name, strings.Replace(spec, "broker: "+other, "broker: default", 1), annotationInjection, "enabled")
			case "dependency":
				return triggerText(name, spec, annotationDependency, `{"apiVersion":"`+one("dependency",
					`v1","kind":"Service`, `eventing.knative.dev/v1","kind":"Broker`, `eventing.knative.dev/v1","kind":"Trigger`)+`","name":"`+other+`"}`)
			}
			return triggerText(name, spec, orderAnnotation, one("order", "ordered", "unordered"))
		case "channel":
			return channelText(kindChannel, name, "{"+template+delivery+"}")
		case "kafkachannel":
			return channelText(kindKafkaChannel, name, one("channel", "{numPartitions: 2}", "{}", "{"+delivery+"}"))
		case "subscription":
			return subscriptionText(name, "{channel: {apiVersion: messaging.knative.dev/v1, kind: "+one("of", kindChannel, kindKafkaChannel)+", name: "+other+"}, "+subscriber+"}")
		case "sink":
			return sinkText(name, "{topic: t-"+other+", bootstrapServers: ['k:9092']}")
		case "sequence":
			return manifestText("flows.knative.dev/v1", kindSequence, name, "{"+template+"steps: [{uri: 'http://s'}, {ref: {apiVersion: v1, kind: Service, name: "+other+"}}]}")
		case "parallel":
			return manifestText("flows.knative.dev/v1", kindParallel, name, "{"+template+"branches: [{"+subscriber+"}]}")
		case "ping":
			return pingText(name, "{sink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: "+other+"}}}")
		case "source":
			return manifestText("sources.knative.dev/v1", kindKafkaSource, name, "{topics: [t-"+other+"], bootstrapServers: ['k:9092'], sink: {uri: 'http://s'}}")
		case "service":
			return manifestText("v1", kindService, name, "{}")
		case "configmap":
			return configMapText(name, "default.topic.partitions", one("partitions", "1", "2", "x"))
		case "settings":
			return one("settings", configMapText(configFeatures, "delivery-timeout", "disabled"), configMapText(configFeatures, "delivery-timeout", "enabled"),
				configMapText(configFeatures, "delivery-timeout", "x"),
				configMapText(configKafkaFeatures, "triggers-consumergroup-template", "g-{{.Name}}"), configMapText(configKafkaFeatures, "brokers-topic-template", "one"),
				configMapText(configBrokerDefaults, "default-br-config", "clusterDefault: {brokerClass: Foreign, delivery: {retry: 7}}"),
				configMapText(configChannelDefaults, "default-ch-config", "clusterDefault: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel}"))
		case "owned":
			return "apiVersion: messaging.knative.dev/v1\nkind: KafkaChannel\nmetadata:\n  name: " + name + "-kn-sequence-0\n  namespace: test-ns\n  uid: u1\n" +
				"  ownerReferences: [{apiVersion: flows.knative.dev/v1, kind: Sequence, name: " + name + "}]\n"
		case "alias":
			return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: test-ns}\ndata: {x: &x '1', default.topic.partitions: *x}\n"
		case "list":
			return "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: " + name + "}}\n- {apiVersion: v1, kind: Service, metadata: {name: " + other + "}}\n"
		}
		return one("foreign", "a: b: c", "- [", "# nothing but a comment\n", "", "kind: Foo\napiVersion: v1\nmetadata: {name: x}\n", brokerText(name, "{deadletterSink: 1}"))
	})
}

// edits is a folder of documents under edit.
type edits struct {
	dir   string
	files map[string][]string
	swaps int
}

func (e *edits) save(t *rapid.T, name string) {
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(e.files[name], "\n---\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// next makes one change of the kinds that people, editors and Kubernetes make.
func (e *edits) next(t *rapid.T) {
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range e.files {
			if !yield(name) {
				return
			}
		}
	})
	name := rapid.SampledFrom([]string{"a.yaml", "b.yml", "c.yaml", "sub/d.yaml"}).Draw(t, "new file")
	action := rapid.SampledFrom([]string{"new", "append", "append", "replace", "replace", "drop", "comment", "reverse", "remove", "rename", "swap", "none"}).Draw(t, "action")
	if len(names) > 0 && action != "new" {
		name = rapid.SampledFrom(names).Draw(t, "file")
	}
	documents := e.files[name]
	at := 0
	if len(documents) > 0 {
		at = rapid.IntRange(0, len(documents)-1).Draw(t, "at")
	}
	switch {
	case action == "swap":
		e.swap(t)
		return
	case len(documents) == 0 || action == "append" || action == "new":
		documents = append(slices.Clone(documents), rapid.SliceOfN(documentGen(), 1, 4).Draw(t, "documents")...)
	case action == "replace":
		documents = slices.Clone(documents)
		documents[at] = documentGen().Draw(t, "document")
	case action == "drop":
		documents = slices.Delete(slices.Clone(documents), at, at+1)
	case action == "comment": // moves all that follows
		documents = slices.Clone(documents)
		documents[at] = "# a line\n" + documents[at]
	case action == "reverse":
		documents = slices.Clone(documents)
		slices.Reverse(documents)
	case action == "remove" || action == "rename":
		if err := os.Remove(filepath.Join(e.dir, name)); err != nil {
			t.Fatal(err)
		}
		delete(e.files, name)
		if action == "remove" {
			return
		}
		name = "moved-" + filepath.Base(name)
	}
	e.files[name] = documents
	e.save(t, name)
}

// swap exchanges a folder behind a link, as Kubernetes does with a volume.
func (e *edits) swap(t *rapid.T) {
	e.swaps++
	inside := filepath.Join(e.dir, fmt.Sprintf("..data-%d", e.swaps))
	link, next := filepath.Join(e.dir, "volume"), filepath.Join(e.dir, "..next")
	text := strings.Join(rapid.SliceOfN(documentGen(), 0, 3).Draw(t, "volume"), "\n---\n")
	for _, err := range []error{os.MkdirAll(inside, 0o755), os.WriteFile(filepath.Join(inside, "v.yaml"), []byte(text), 0o600), os.Symlink(inside, next), os.Rename(next, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// without is a plan that a reload can take nothing over from but what is in
// force.
func without(p *Plan) *Plan {
	forgetful, memory := *p, *p.memory
	memory.known = nil
	forgetful.memory = &memory
	return &forgetful
}

// TestIncrementalReload: a reload that takes over what is the same gives the
// Plan, errors and warnings that one gives which reads and resolves everything
// again, after any edits; and what a start gives, where nothing is in error.
func TestIncrementalReload(t *testing.T) {
	dirs := t.TempDir()
	count := 0
	rapid.Check(t, func(t *rapid.T) {
		count++
		e := &edits{dir: filepath.Join(dirs, fmt.Sprint(count)), files: map[string][]string{}}
		o := options()
		if err := os.Mkdir(e.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		e.next(t)
		fast, _ := Load(e.dir, o)
		slow, _ := Load(e.dir, o)
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			e.next(t)
			if rapid.IntRange(0, 9).Draw(t, "options") == 0 {
				o.ServiceURLs = map[string]string{"test-ns/a": "http://elsewhere"}
			}
			before, beforeSlow := fast, slow
			fast, slow = Reload(fast, e.dir, o), Reload(without(slow), e.dir, o)
			same(t, "a reload", slow, fast)
			same(t, "the plan before it", beforeSlow, before)
			fresh, err := Load(e.dir, o)
			if err == nil && len(fast.Errors) == 0 {
				same(t, "a start", fresh, ungenerated(fast))
			}
		}
	})
}

func same(t *rapid.T, what string, want, got *Plan) {
	if !reflect.DeepEqual(exported(want), exported(got)) {
		t.Fatalf("%s differs; got:\n%s\n%v\nwant:\n%s\n%v", what, describe(got), got.Errors, describe(want), want.Errors)
	}
}

// ungenerated is a plan whose objects were never changed.
func ungenerated(p *Plan) *Plan {
	again := *p
	again.Objects = nil
	for _, o := range p.Objects {
		first := *o
		first.Generation = 1
		again.Objects = append(again.Objects, &first)
	}
	return &again
}

// TestReloadTakesOver: what an edit does not touch is the very same afterwards.
func TestReloadTakesOver(t *testing.T) {
	sources := many(300, byExpression)
	start, err := load(sources, options(), nil)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, text string) []source {
		return []source{{name: "m.yaml", data: []byte(strings.Replace(string(sources[0].data), old, text, 1))}}
	}
	for _, row := range []struct {
		id   string
		next []source
		new  int
	}{
		{"nothing", many(300, byExpression), 0},
		{"a_trigger", edit("demo.7'", "demo.other'"), 1},
		{"a_broker_and_its_triggers", edit("{delivery: {retry: 3}}", "{delivery: {retry: 4}}"), 100},
		{"a_line_more", []source{{name: "m.yaml", data: append([]byte("# moved\n"), sources[0].data...)}}, 300},
	} {
		t.Run(row.id, func(t *testing.T) {
			next := reload(start, row.next, options())
			there := map[*Object]bool{}
			for _, o := range start.Objects {
				there[o] = true
			}
			fresh := 0
			for _, o := range next.Objects {
				if !there[o] {
					fresh++
				}
			}
			if fresh != row.new || len(next.Objects) != 300 || len(next.Errors) > 0 {
				t.Errorf("%d of %d objects are new, want %d; errors: %v", fresh, len(next.Objects), row.new, next.Errors)
			}
		})
	}
}
