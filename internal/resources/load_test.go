package resources

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestOwnValidation is VA-25, VA-26, VA-28 and the metadata of MF-2.
func TestOwnValidation(t *testing.T) {
	in := func(namespace string) string {
		return "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b, namespace: " + namespace + "}"
	}
	named := func(meta string) string {
		return "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: " + meta
	}
	const nameRule = "a name has lower case letters, digits, '-' and '.', 253 at most, and begins and ends with a letter or digit"
	const namespaceRule = "a namespace has lower case letters, digits and '-', 63 at most, and begins and ends with a letter or digit"
	annotated := func(name, value string) string { return triggerText("t", goodTrigger+"}", name, value) }
	checkRows(t, []row{
		{id: "VA-25/channels", text: in("channels"), want: []string{"invalid value: channels: metadata.namespace\nreserved by the ingress path /channels/"}},
		{id: "VA-25/sinks", text: in("sinks"), want: []string{"invalid value: sinks: metadata.namespace\nreserved by the ingress path /sinks/"}},
		{id: "VA-26/near", text: brokerText("b", "{deliveri: {}}"), want: []string{"unknown field: spec.deliveri\ndid you mean spec.delivery?"}},
		{id: "VA-26/elsewhere", text: triggerText("t", goodTrigger+", deadletterSink: {}}"), want: []string{"unknown field: spec.deadletterSink\ndid you mean spec.delivery.deadLetterSink?"}},
		{id: "VA-26/inside", text: triggerText("t", goodTrigger+", delivery: {deadletterSink: {}}}"), want: []string{"unknown field: spec.delivery.deadletterSink\ndid you mean spec.delivery.deadLetterSink?"}},
		{id: "VA-26/case", text: triggerText("t", goodTrigger+", delivery: {backoffdelay: PT1S}}"), want: []string{"unknown field: spec.delivery.backoffdelay\ndid you mean spec.delivery.backoffDelay?"}},
		{id: "VA-26/nothing_near", text: brokerText("b", "{xyzzy: 1}"), want: []string{"unknown field: spec.xyzzy"}},
		{id: "VA-26/metadata", text: named("{name: b, annotation: {}}"), want: []string{"unknown field: metadata.annotation\ndid you mean metadata.annotations?"}},
		{id: "VA-26/top", text: named("{name: b}\nspecs: {}"), want: []string{"unknown field: specs\ndid you mean spec?"}},
		{id: "VA-26/two", text: brokerText("b", "{foo123: 1, bar456: 2}"), want: []string{"unknown field: spec.bar456, spec.foo123"}},
		{id: "VA-26/with_others", text: brokerText("b", "{xyzzy: 1, delivery: {retry: -1}}"), want: []string{"invalid value: -1: spec.delivery.retry", "unknown field: spec.xyzzy"}},
		{id: "VA-28/dead-letter", text: annotated("kurier.dev/dead-letter", "x"), want: []string{"invalid value: x: metadata.annotations[kurier.dev/dead-letter]\nexpected topic or drop"}},
		{id: "VA-28/on-dead-letter-failure", text: annotated("kurier.dev/on-dead-letter-failure", "x"), want: []string{"invalid value: x: metadata.annotations[kurier.dev/on-dead-letter-failure]\nexpected hold or drop"}},
		{id: "VA-28/initial-offset", text: annotated("kurier.dev/initial-offset", "x"),
			want: []string{"invalid value: x: metadata.annotations[kurier.dev/initial-offset]\nexpected latest, earliest or a time such as 2026-01-31T12:00:00Z"}},
		{id: "VA-28/concurrency", text: annotated("kurier.dev/concurrency", "0"), want: []string{"invalid value: 0: metadata.annotations[kurier.dev/concurrency]\nexpected a whole number of at least 1"}},
		{id: "VA-28/concurrency_not_quoted", text: named("{name: b, annotations: {kurier.dev/concurrency: 7}}"),
			want: []string{"invalid value: 7: metadata.annotations[kurier.dev/concurrency]\nexpected a text, write it in quotes: \"7\""}},
		{id: "VA-28/unknown", text: annotated("kurier.dev/order", "x"), want: []string{"invalid value: x: metadata.annotations[kurier.dev/order]\n" +
			"unknown annotation, known are kurier.dev/concurrency, kurier.dev/dead-letter, kurier.dev/initial-offset, kurier.dev/on-dead-letter-failure"}},
		{id: "VA-28/other_kind", text: "apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: {kurier.dev/concurrency: '7'}}",
			want: []string{"invalid value: 7: metadata.annotations[kurier.dev/concurrency]\na Service has no annotation kurier.dev/concurrency"}},
		{id: "MF-2/no_name", text: named("{}"), want: []string{"missing field(s): metadata.name"}},
		{id: "MF-2/no_metadata", text: "apiVersion: eventing.knative.dev/v1\nkind: Broker", want: []string{"missing field(s): metadata.name"}},
		{id: "MF-2/bad_name", text: named("{name: My_Broker}"), want: []string{"invalid value: My_Broker: metadata.name\n" + nameRule}},
		{id: "MF-2/bad_namespace", text: in("a.b"), want: []string{"invalid value: a.b: metadata.namespace\n" + namespaceRule}},
		{id: "MF-2/name_with_dot", text: named("{name: my.broker-1}")},
		{id: "MF-2/server_side", text: named("{name: b, uid: x, resourceVersion: '1', generation: 3, creationTimestamp: null, managedFields: [{a: 1}], finalizers: [x], " +
			"ownerReferences: [{}], selfLink: x, deletionTimestamp: null, labels: {a: b}}\nspec: {}\nstatus: {conditions: [{type: Ready}], anything: 1}")},
		{id: "MF-1/wrong_shape", text: brokerText("b", "[]"), want: []string{"invalid value: []: spec\nexpected a map of fields"}},
		{id: "MF-1/wrong_shape_inside", text: triggerText("t", "{broker: b, subscriber: nonsense}"), want: []string{"invalid value: nonsense: spec.subscriber\nexpected a map of fields"}},
		{id: "MF-1/list_expected", text: triggerText("t", goodTrigger+", filters: {exact: {}}}"), want: []string{"invalid value: {exact: ...}: spec.filters\nexpected a list"}},
		{id: "MF-1/null_element", text: triggerText("t", goodTrigger+", filters: [null]}"), want: []string{"invalid value: null: spec.filters[0]\na list has no empty elements"}},
		{id: "MF-1/text_expected", text: triggerText("t", "{broker: 1, subscriber: {uri: 'http://s.example.com'}}"), want: []string{"invalid value: 1: spec.broker\nexpected a text, write it in quotes: \"1\""}},
		{id: "MF-1/duplicate_key", text: "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: b\n  name: c\n", want: []string{"duplicate field: metadata.name\nfirst on line 4"}},
		{id: "MF-4/secret", text: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: QUFB, b: '***'}\nstringData: {c: text, d: 1}",
			want: []string{"invalid value: (hidden): data[b]\nillegal base64 data at input byte 0; stringData takes plain text", "invalid value: (hidden): stringData[d]\nexpected a text, write it in quotes"}},
		{id: "flags", text: brokerText("b", "{}"), extra: configMapText("config-features", "delivery-timeout", "on", "transport-encryption", "strict"),
			want: []string{"invalid value: on: data[delivery-timeout]\nexpected enabled or disabled"}},
	})
}

// TestLines: a problem names the line of its field, or of what is there of it.
func TestLines(t *testing.T) {
	text := `# a comment
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: t
spec:
  broker: b
  subscriber:
    ref:
      apiVersion: v1
      kind: Service
  delivery:
    retry: -1
    deadletterSink: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: default-ch-webhook}
data:
  default-ch-config: |
    clusterDefault:
      apiVersion: messaging.knative.dev/v1
      kind: Wrong
`
	plan := loadText(t, options(), text)
	want := []string{
		"m.yaml:13: validation failed: invalid value: -1: spec.delivery.retry",
		"m.yaml:9: validation failed: missing field(s): spec.subscriber.ref.name",
		"m.yaml:14: validation failed: unknown field: spec.delivery.deadletterSink\ndid you mean spec.delivery.deadLetterSink?",
		"m.yaml:23: validation failed: invalid value: Wrong: data[default-ch-config].clusterDefault.kind\nexpected KafkaChannel or InMemoryChannel",
	}
	if got := Problems(plan.Errors).Error(); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", got)
	}
	if ref := plan.Errors[0].Ref; ref != (Ref{"Trigger", "default", "t"}) {
		t.Errorf("ref: %v", ref)
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, row := range []struct{ id, file, data, want string }{
		{"yaml", "m.yaml", "apiVersion: v1\nkind: [\n", "m.yaml:2: validation failed: broken YAML\n"},
		{"yaml_after_good", "m.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\na: b: c\n", "m.yaml:5: validation failed: broken YAML\nmapping values"},
		{"yaml_before_good", "m.yaml", "a: b: c\n--- # next\napiVersion: v1\nkind: Service\nmetadata: {name: A}\n", "m.yaml:1: validation failed: broken YAML\nmapping values"},
		{"yaml_with_directive", "m.yaml", "%YAML 1.1\n---\na: b: c\n", "m.yaml:3: validation failed: broken YAML\nmapping values"},
		{"tab", "m.yaml", "a:\n\tb: c\n", "m.yaml:2: validation failed: broken YAML\nfound character"},
		{"json", "m.json", "{\n \"a\": 1,\n}", "m.json:3: validation failed: broken JSON\ninvalid character '}'"},
		{"json_end", "m.json", "{\n \"a\": [1,\n", "m.json:3: validation failed: broken JSON\nthe file ends too early"},
		{"json_duplicate", "m.json", "{\"apiVersion\": \"eventing.knative.dev/v1\", \"kind\": \"Broker\", \"metadata\": {\n\"name\": \"a\",\n\"name\": \"b\"}}",
			"m.json:3: validation failed: duplicate field: metadata.name\nfirst on line 2"},
		{"text", "m.yaml", "just a text", "m.yaml:1: validation failed: not a manifest\nexpected a map"},
		{"no_kind", "m.yaml", "apiVersion: v1\n", "m.yaml:1: validation failed: missing field(s): kind"},
		{"no_apiVersion", "m.yaml", "kind: Broker\n", "m.yaml:1: validation failed: missing field(s): apiVersion"},
		{"alias_loop", "m.yaml", "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: a}\nspec: &a\n  config: *a\n", "m.yaml:5: validation failed: an alias contains itself: spec.config"},
		{"alias_bomb", "m.yaml", bomb(), "m.yaml:"},
		{"key", "m.yaml", "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: a}\nspec:\n  ? [a]\n  : b\n", "m.yaml:5: validation failed: a key must be a plain text: spec"},
	} {
		t.Run(row.id, func(t *testing.T) {
			_, err := load([]source{{name: row.file, data: []byte(row.data)}}, options(), nil)
			var problems Problems
			if !errors.As(err, &problems) || !strings.HasPrefix(problems[0].String(), row.want) {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestAllBroken: one broken document hides nothing of the others.
func TestAllBroken(t *testing.T) {
	plan := loadText(t, options(), "a: b: c", brokerText("b", "{delivery: {retry: -1}}"), "- [", brokerText("c", "{}"))
	want := "m.yaml:1: validation failed: broken YAML\nmapping values are not allowed in this context\n" +
		"m.yaml:8: validation failed: invalid value: -1: spec.delivery.retry\n" +
		"m.yaml:10: validation failed: broken YAML\ndid not find expected node content"
	if got := Problems(plan.Errors).Error(); got != want || len(plan.Objects) != 1 {
		t.Errorf("got:\n%s", got)
	}
}

// TestSegments: however a file is cut, it reads the same.
func TestSegments(t *testing.T) {
	data := many(300, byAttributes)[0].data
	whole, failed, _ := parseStream(data)
	if failed != nil {
		t.Fatal(failed)
	}
	late := parseAll([]segment{{data: []byte("a: {b: 1, b: 2}"), before: 7}})
	if f := late[0].documents[0].faults[0]; f.line != 8 || f.text() != "first on line 8" {
		t.Errorf("a fault in a later part: %+v", f)
	}
	for _, size := range []int{1, 10_000, 1 << 20} {
		var cut []document
		parts := segments(data, size)
		for _, part := range parseAll(parts) {
			if len(part.broken) > 0 {
				t.Fatal(part.broken)
			}
			cut = append(cut, part.documents...)
		}
		if !reflect.DeepEqual(whole, cut) {
			t.Errorf("size %d: %d documents differ from %d", size, len(cut), len(whole))
		}
	}
}

// bomb is a few lines that stand for a billion values.
func bomb() string {
	var text strings.Builder
	text.WriteString("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: a}\na0: &a0 [x]\n")
	for i := range 9 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return text.String()
}

// TestDocuments: several documents, Lists, aliases, merge keys, JSON (MF-1).
func TestDocuments(t *testing.T) {
	const good = `
apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: &meta {name: one, labels: {a: b}}
spec: {delivery: &delivery {retry: 3, timeout: PT1S}}
---
# nothing but a comment
---
apiVersion: v1
kind: List
items:
  - apiVersion: eventing.knative.dev/v1
    kind: Broker
    metadata: {name: two}
    spec:
      delivery: &d {retry: 3}
  - apiVersion: eventing.knative.dev/v1
    kind: Broker
    metadata: {name: three}
    spec:
      delivery:
        <<: *d
        timeout: PT1S
---
apiVersion: eventing.knative.dev/v1
kind: TriggerList
items: []
`
	plan, err := load([]source{{name: "a.yaml", data: []byte(good)}, {name: "b.json",
		data: []byte("{\"apiVersion\": \"v1\",\t\"kind\": \"List\", \"items\": [\n\t{\"apiVersion\": \"eventing.knative.dev/v1\", \"kind\": \"Broker\", \"metadata\": {\"name\": \"four\"}, \"spec\": {\"delivery\": {\"retry\": 3, \"timeout\": null}}}]}")}}, options(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range plan.Objects {
		got = append(got, fmt.Sprintf("%s %s:%d %v", o.Name, o.File, o.Line, o.Spec["delivery"]))
	}
	want := []string{"four b.json:2 map[retry:3 timeout:<nil>]", "one a.yaml:2 map[retry:3 timeout:PT1S]", "three a.yaml:17 map[retry:3 timeout:PT1S]", "two a.yaml:12 map[retry:3]"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0].Message, "TriggerList") {
		t.Errorf("warnings: %v", plan.Warnings)
	}
	bad := loadText(t, options(), "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: eventing.knative.dev/v1\n    kind: Broker\n    metadata: {name: x, name: y}\n    spec: {a1b2c3: 1}")
	want = []string{"duplicate field: metadata.name\nfirst on line 6", "unknown field: spec.a1b2c3"}
	if got := texts(bad.Errors); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestDuplicates(t *testing.T) {
	plan, err := load([]source{{name: "z.yaml", data: []byte(brokerText("b", "{}"))}, {name: "a.yaml", data: []byte(join3([]string{brokerText("c", "{}"), brokerText("b", "{delivery: {retry: -1}}")}))}}, options(), nil)
	want := "a.yaml:13: validation failed: invalid value: -1: spec.delivery.retry\n" +
		"z.yaml:1: validation failed: the same object twice: broker/test-ns/b: metadata.name\nfirst in a.yaml:8"
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v", err)
	}
	if len(plan.Objects) != 1 {
		t.Errorf("objects: %v", plan.Objects)
	}
	again := loadText(t, options(), manifestText("v1", "Service", "s", "{}"), manifestText("serving.knative.dev/v1", "Service", "s", "{}"))
	if len(again.Errors) != 0 || len(again.Services) != 2 {
		t.Errorf("services of two groups: %v", again.Errors)
	}
}

func TestUnknownKinds(t *testing.T) {
	documents := []string{"apiVersion: eventing.knative.dev/v1beta1\nkind: Broker\nmetadata: {name: b}\nfoo: 1\nfoo: 2", "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}", "services: {}"}
	want := []string{"m.yaml:1: %sunknown kind eventing.knative.dev/v1beta1 Broker\ndid you mean eventing.knative.dev/v1 Broker?",
		"m.yaml:7: %sunknown kind v1 Namespace", "m.yaml:11: %snot a manifest\nit has neither apiVersion nor kind"}
	check := func(problems []Problem, kind string) {
		t.Helper()
		text := strings.ReplaceAll(strings.Join(want, "\n"), "%s", kind)
		if got := Problems(problems).Error(); got != text {
			t.Errorf("got:\n%s\nwant:\n%s", got, text)
		}
	}
	plan := mustLoad(t, options(), documents...)
	check(plan.Warnings, "warning: ")
	o := options()
	o.Strict = true
	check(loadText(t, o, documents...).Errors, "validation failed: ")
}

// TestServices is the end of MF-3.
func TestServices(t *testing.T) {
	serving := func(name, image string) string {
		return manifestText("serving.knative.dev/v1", "Service", name, "{template: {spec: {containers: [{image: sidecar}, {image: '"+image+"', env: []}]}}}")
	}
	o := options()
	o.ServiceURLs = map[string]string{"test-ns/c": "http://elsewhere:1/x"}
	plan := mustLoad(t, o, serving("a", "gcr.io/knative-releases/knative.dev/eventing/cmd/event_display"), serving("b", "localhost:5000/event_display:v1@sha256:00"),
		serving("c", "x/event_display:latest"), serving("d", "x/my_event_display"), serving("e", "event_display"), manifestText("v1", "Service", "f", "{ports: [{port: 80}]}"))
	want := []Service{}
	for _, s := range []struct {
		name, url string
		display   bool
	}{{"a", "http://a", true}, {"b", "http://b", true}, {"c", "http://elsewhere:1/x", true}, {"d", "http://d", false}, {"e", "http://e", false}, {"f", "http://f", false}} {
		want = append(want, Service{Ref: Ref{"Service", "test-ns", s.name}, URL: s.url, Display: s.display})
	}
	if !reflect.DeepEqual(plan.Services, want) {
		t.Errorf("got %+v", plan.Services)
	}
}

// TestFolder: what of a folder is read, and in which form problems name it.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), brokerText("a", "{}"))
	write(t, filepath.Join(dir, "sub", "deep", "b.yml"), brokerText("b", "{}"))
	write(t, filepath.Join(dir, "c.json"), `{"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "metadata": {"name": "c"}}`)
	write(t, filepath.Join(dir, "README.md"), "{{{")
	write(t, filepath.Join(dir, ".hidden.yaml"), "{{{")
	write(t, filepath.Join(dir, ".git", "d.yaml"), "{{{")
	write(t, filepath.Join(dir, "e.yaml~"), "{{{")
	link(t, dir, filepath.Join(dir, "sub", "loop"))
	link(t, filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling.yaml"))
	plan, err := Load(dir, options())
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Objects) != 3 || plan.Objects[2].File != filepath.Join(dir, "sub", "deep", "b.yml") {
		t.Errorf("objects: %v", plan.Objects)
	}
	if one, err := Load(filepath.Join(dir, "a.yaml"), options()); err != nil || len(one.Objects) != 1 {
		t.Errorf("one file: %v, %v", one.Objects, err)
	}
	_, err = Load(filepath.Join(dir, "missing"), options())
	if want := filepath.Join(dir, "missing") + ": validation failed: cannot be read\nno such file or directory"; err == nil || err.Error() != want {
		t.Errorf("missing: %v", err)
	}
}

func TestValidate(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	write(t, good, brokerText("b", "{}"))
	write(t, bad, triggerText("t", `{broker: x, subscriber: {uri: "http://s.example.com"}, delivery: {retry: -1}}`)+"---\n"+triggerText("u", `{broker: x, subscriber: {uri: "http://s.example.com"}}`))
	text, ok := Validate([]string{good, dir}, options())
	want := bad + ":6: validation failed: invalid value: -1: spec.delivery.retry\n" +
		bad + ":13: warning: reference leads nowhere: spec.broker\nBroker \"x\" does not exist\n3 objects, 1 error, 1 warning\n"
	if ok || text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if text, ok := Validate([]string{good}, options()); !ok || text != "1 object, 0 errors, 0 warnings\n" {
		t.Errorf("got:\n%s", text)
	}
	if _, ok := Validate([]string{good}, Options{DefaultDelivery: "x"}); ok {
		t.Error("bad options are ok")
	}
}

// TestDeterministic: equal manifests give equal Plans, whatever the order of
// documents and maps.
func TestDeterministic(t *testing.T) {
	var documents []string
	for i := range 40 {
		documents = append(documents, brokerText(fmt.Sprintf("b%d", i%7*10+i), "{}"), triggerText(fmt.Sprintf("t%d", i), goodTrigger+"}"), sinkText(fmt.Sprintf("k%d", i), fmt.Sprintf("{topic: t%d, bootstrapServers: ['b:1','a:1']}", i)))
	}
	first := mustLoad(t, options(), documents...)
	for range 5 {
		if again := mustLoad(t, options(), documents...); !reflect.DeepEqual(exported(first), exported(again)) {
			t.Fatal("two loads differ")
		}
	}
	if again := reloadText(t, first, options(), documents...); !reflect.DeepEqual(exported(first), exported(again)) {
		t.Fatal("a reload without a change differs")
	}
}

// exported is what the users of a Plan see.
func exported(p *Plan) Plan {
	q := *p
	q.memory, q.read = nil, 0
	return q
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}
