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

func retryOf(t *testing.T, plan *Plan, name string) int {
	t.Helper()
	return findConsumer(t, plan, "trigger/test-ns/"+name).Delivery.Retry
}

func triggerRetry(name string, retry any) string {
	return triggerText(name, fmt.Sprintf("%s, delivery: {retry: %v}}", goodTrigger, retry))
}

// TestReload is MF-7: what is in error keeps its last good version, the others
// proceed, what is gone goes.
func TestReload(t *testing.T) {
	start := mustLoad(t, options(), brokerText("b", "{}"), triggerRetry("a", 1), triggerRetry("z", 1), triggerRetry("gone", 1))
	next := reloadText(t, start, options(), brokerText("b", "{}"), triggerRetry("a", -1), triggerRetry("z", 2), triggerRetry("new", 3), triggerRetry("bad", "x"))
	if got := []int{retryOf(t, next, "a"), retryOf(t, next, "z"), retryOf(t, next, "new")}; !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("retries: %v", got)
	}
	if len(next.Consumers) != 3 || len(next.Errors) != 2 {
		t.Errorf("consumers: %v, errors: %v", next.Consumers, Problems(next.Errors))
	}
	if next.Errors[0].Ref != (Ref{"Trigger", "test-ns", "a"}) {
		t.Errorf("ref: %v", next.Errors[0].Ref)
	}
	if !reflect.DeepEqual(findConsumer(t, start, "trigger/test-ns/a"), findConsumer(t, next, "trigger/test-ns/a")) {
		t.Error("what kept its version differs")
	}
	repaired := reloadText(t, next, options(), brokerText("b", "{}"), triggerRetry("a", 5), triggerRetry("z", 2), triggerRetry("new", 3))
	if got := retryOf(t, repaired, "a"); got != 5 || len(repaired.Errors) != 0 {
		t.Errorf("repaired: %d, %v", got, repaired.Errors)
	}
}

func TestReloadBrokenFile(t *testing.T) {
	file := func(name, text string) source { return source{name: name, data: []byte(text)} }
	b, a, z := file("b.yaml", brokerText("b", "{}")), triggerRetry("a", 1), triggerRetry("z", 1)
	start, err := load([]source{b, file("t.yaml", join3([]string{a, z})), file("u.yaml", triggerRetry("u", 1))}, options(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The document before the broken one is good, and new.
	next := reload(start, []source{b, file("t.yaml", join3([]string{triggerRetry("a", 2), "a: b: c"}))}, options())
	if got := []int{retryOf(t, next, "a"), retryOf(t, next, "z")}; !slices.Equal(got, []int{2, 1}) || len(next.Consumers) != 2 || len(next.Errors) != 1 {
		t.Errorf("retries: %v, consumers: %v, errors: %v", got, next.Consumers, next.Errors)
	}
	unreadable := reload(start, []source{b, {name: "t.yaml", err: os.ErrPermission}, file("u.yaml", triggerRetry("u", 2))}, options())
	if len(unreadable.Consumers) != 3 || retryOf(t, unreadable, "u") != 2 || len(unreadable.Errors) != 1 {
		t.Errorf("consumers: %v, errors: %v", unreadable.Consumers, unreadable.Errors)
	}
}

func TestReloadFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "manifests")
	write(t, filepath.Join(dir, "a.yaml"), brokerText("a", "{}"))
	write(t, filepath.Join(dir, "sub", "b.yaml"), brokerText("b", "{}"))
	start, err := Load(dir, options())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, ".sub")); err != nil {
		t.Fatal(err)
	}
	if next := Reload(start, dir, options()); len(next.Objects) != 1 || len(next.Errors) != 0 {
		t.Errorf("a folder is gone: %v, %v", next.Objects, next.Errors)
	}
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	next := Reload(start, dir, options())
	if !reflect.DeepEqual(start.Objects, next.Objects) || len(next.Errors) != 1 {
		t.Errorf("all is gone: %v, %v", next.Objects, next.Errors)
	}
	if bad := Reload(start, dir+"2", Options{DefaultDelivery: "x"}); len(bad.Errors) != 1 || len(bad.Objects) != 2 {
		t.Errorf("bad options: %v", bad.Errors)
	}
}

// TestReloadMovedObject: an object may move to another file.
func TestReloadMovedObject(t *testing.T) {
	text := []byte(brokerText("b", "{}"))
	start, _ := load([]source{{name: "a.yaml", data: text}}, options(), nil)
	next := reload(start, []source{{name: "b.yaml", data: text}}, options())
	if o := find(t, next, "broker/test-ns/b"); len(next.Errors) != 0 || o.File != "b.yaml" || o.Generation != 1 {
		t.Errorf("object: %+v, errors: %v", o, next.Errors)
	}
	twice := reload(next, []source{{name: "a.yaml", data: text}, {name: "b.yaml", data: text}}, options())
	if o := find(t, twice, "broker/test-ns/b"); len(twice.Errors) != 1 || o.File != "b.yaml" || len(twice.Targets) != 1 {
		t.Errorf("twice: %+v, errors: %v", o, twice.Errors)
	}
}

func TestReloadConfigMaps(t *testing.T) {
	b := brokerText("b", "{config: {apiVersion: v1, kind: ConfigMap, name: c}}")
	features := func(value string) string { return configMapText("config-features", "delivery-timeout", value) }
	names := func(template string) string {
		return configMapText("config-kafka-features", "triggers-consumergroup-template", template)
	}
	trigger := triggerText("t", goodTrigger+", delivery: {timeout: PT1S}}")
	start := mustLoad(t, options(), b, configMapText("c", "default.topic.partitions", "4"), features("enabled"), names("g-{{.Name}}"), trigger)
	broken := reloadText(t, start, options(), b, configMapText("c", "default.topic.partitions", "x"), features("x"), names("{{"), trigger)
	if len(broken.Errors) != 3 || broken.Topics[0].Partitions != 4 || findConsumer(t, broken, "trigger/test-ns/t").Group != "g-t" {
		t.Errorf("errors: %v, topics: %v", Problems(broken.Errors), broken.Topics)
	}
	again := reloadText(t, broken, options(), b, configMapText("c", "default.topic.partitions", "x"), features("x"), names("{{"), trigger)
	if !reflect.DeepEqual(exported(broken), exported(again)) {
		t.Errorf("errors: %v", Problems(again.Errors))
	}
	off := reloadText(t, start, options(), b, configMapText("c", "default.topic.partitions", "4"), features("disabled"), names("g-{{.Name}}"), trigger)
	if len(off.Errors) != 1 || off.Errors[0].Text() != "must not set the field(s): spec.delivery.timeout" || len(off.Consumers) != 1 {
		t.Errorf("a flag turned off: %v", off.Errors)
	}
	still := reloadText(t, off, options(), b, configMapText("c", "default.topic.partitions", "4"), features("disabled"), names("g-{{.Name}}"), trigger)
	if !reflect.DeepEqual(exported(off), exported(still)) {
		t.Errorf("what kept its last good version is in error still: %v", still.Errors)
	}
}

// TestReloadConflicts: who has a name keeps it.
func TestReloadConflicts(t *testing.T) {
	uid := func(name, uid string) string {
		return strings.Replace(subscriptionText(name, goodSubscription+"}"), "  name: "+name+"\n", "  name: "+name+"\n  uid: u"+uid+"\n", 1)
	}
	channel := channelText("KafkaChannel", "c", "{}")
	groups := func(plan *Plan) string {
		var all []string
		for _, c := range plan.Consumers {
			all = append(all, c.Name+"="+c.Group[len("kafka.test-ns.c.u"):])
		}
		return strings.Join(all, " ")
	}
	start := mustLoad(t, options(), channel, uid("m", "1"), uid("n", "2"))
	for _, row := range []struct {
		id     string
		next   []string
		want   string
		errors int
	}{
		{"new_object", []string{uid("a", "1"), uid("m", "1"), uid("n", "2")}, "m=1 n=2", 1},
		{"changed_object", []string{uid("m", "2"), uid("n", "2")}, "m=1 n=2", 1},
		{"freed_name", []string{uid("a", "1"), uid("n", "2")}, "a=1 n=2", 0},
		{"moved_name", []string{uid("m", "3"), uid("n", "1")}, "m=3 n=1", 0},
		{"exchanged", []string{uid("m", "2"), uid("n", "1")}, "m=2 n=1", 0},
		{"broken_object_keeps_its_name", []string{strings.Replace(uid("m", "3"), "uri", "ury", 1), uid("n", "1")}, "m=1 n=2", 3},
	} {
		t.Run(row.id, func(t *testing.T) {
			next := reloadText(t, start, options(), append(row.next, channel)...)
			if got := groups(next); got != row.want || len(next.Errors) != row.errors {
				t.Errorf("got %s, want %s, errors:\n%v", got, row.want, Problems(next.Errors))
			}
		})
	}
}

func TestGeneration(t *testing.T) {
	plan := mustLoad(t, options(), brokerText("b", "{}"), manifestText("v1", "Service", "s", "{}"))
	for i, row := range []struct {
		text string
		want int64
	}{
		{brokerText("b", "{}"), 1},
		{"# moved down\n" + brokerText("b", "{}"), 1},
		{brokerText("b", "{delivery: {retry: 1}}"), 2},
		{brokerText("b", "{delivery: {retry: 1}}"), 2},
		{brokerText("b", "{delivery: {retry: -1}}"), 2},
		{brokerText("b", "{delivery: {retry: 1, timeout: null}}"), 2},
		{brokerText("b", "{delivery: {retry: 1}}", "kurier.dev/concurrency", "3"), 3},
		{brokerText("b", "{}"), 4},
	} {
		plan = reloadText(t, plan, options(), row.text, manifestText("v1", "Service", "s", "{}"))
		if got := find(t, plan, "broker/test-ns/b").Generation; got != row.want {
			t.Errorf("step %d: generation %d, want %d", i, got, row.want)
		}
	}
	if got := find(t, plan, "service/test-ns/s").Generation; got != 1 {
		t.Errorf("untouched: %d", got)
	}
}

// TestReloadProperty: whatever is edited, a reload of good manifests alone gives
// the Plan that a fresh start gives, and a reload with errors leaves the others
// as they are without them.
func TestReloadProperty(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) map[string]int {
			return rapid.MapOf(rapid.SampledFrom(names), rapid.IntRange(-1, 3)).Draw(t, label)
		}
		text := func(retries map[string]int, good bool) []byte {
			documents := []string{brokerText("b", "{}")}
			for _, name := range names {
				if retry, ok := retries[name]; ok && (!good || retry >= 0) {
					documents = append(documents, triggerRetry(name, retry))
				}
			}
			return []byte(join3(documents))
		}
		state, truth := (*Plan)(nil), map[string]int{}
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			edit := draw("edit")
			sources := []source{{name: "m.yaml", data: text(edit, false)}}
			if state == nil {
				state, _ = load(sources, options(), nil)
			} else {
				state = reload(state, sources, options())
			}
			for name := range truth {
				if _, there := edit[name]; !there {
					delete(truth, name)
				}
			}
			errors := 0
			for name, retry := range edit {
				if retry >= 0 {
					truth[name] = retry
				} else {
					errors++
				}
			}
			if len(state.Errors) != errors || len(state.Consumers) != len(truth) {
				t.Fatalf("%d errors for %d, consumers %v for %v", len(state.Errors), errors, state.Consumers, truth)
			}
			fresh, _ := load([]source{{name: "m.yaml", data: text(truth, true)}}, options(), nil)
			if !reflect.DeepEqual(fresh.Consumers, state.Consumers) || !reflect.DeepEqual(fresh.Topics, state.Topics) {
				t.Fatalf("got %v, want %v", state.Consumers, fresh.Consumers)
			}
		}
	})
}
