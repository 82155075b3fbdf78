package resources

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"kurier.dev/kurier/test/altered"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of a process that knows where its ingress is.
func options() Options { return Options{IngressURL: "http://ingress:8080"} }

// loadText loads documents as if they were one file, m.yaml.
func loadText(t testing.TB, o Options, documents ...string) *Plan {
	t.Helper()
	plan, err := load([]source{{name: "m.yaml", data: []byte(join3(documents))}}, o, nil)
	if plan == nil {
		t.Fatal(err)
	}
	return plan
}

// mustLoad is loadText for manifests without an error.
func mustLoad(t testing.TB, o Options, documents ...string) *Plan {
	t.Helper()
	plan := loadText(t, o, documents...)
	if len(plan.Errors) > 0 {
		t.Fatalf("unexpected errors:\n%v", Problems(plan.Errors))
	}
	return plan
}

func reloadText(t testing.TB, old *Plan, o Options, documents ...string) *Plan {
	t.Helper()
	return reload(old, []source{{name: "m.yaml", data: []byte(join3(documents))}}, o)
}

func join3(documents []string) string {
	trimmed := make([]string, len(documents))
	for i, d := range documents {
		trimmed[i] = strings.TrimRight(d, "\n")
	}
	return strings.Join(trimmed, "\n---\n")
}

// manifestText is a manifest in namespace test-ns; annotations are pairs.
func manifestText(apiVersion, kind, name, spec string, annotations ...string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n  namespace: test-ns\n", apiVersion, kind, name)
	if len(annotations) > 0 {
		text.WriteString("  annotations:\n")
		for i := 0; i < len(annotations); i += 2 {
			fmt.Fprintf(&text, "    %s: %q\n", annotations[i], annotations[i+1])
		}
	}
	fmt.Fprintf(&text, "spec: %s\n", spec)
	return text.String()
}

func brokerText(name, spec string, annotations ...string) string {
	return manifestText("eventing.knative.dev/v1", "Broker", name, spec, annotations...)
}

func triggerText(name, spec string, annotations ...string) string {
	return manifestText("eventing.knative.dev/v1", "Trigger", name, spec, annotations...)
}

func channelText(kind, name, spec string, annotations ...string) string {
	return manifestText("messaging.knative.dev/v1", kind, name, spec, annotations...)
}

func subscriptionText(name, spec string, annotations ...string) string {
	return manifestText("messaging.knative.dev/v1", "Subscription", name, spec, annotations...)
}

func sinkText(name, spec string) string {
	return manifestText("eventing.knative.dev/v1alpha1", "KafkaSink", name, spec)
}

func pingText(name, spec string) string {
	return manifestText("sources.knative.dev/v1", "PingSource", name, spec)
}

// configMapText is a ConfigMap in namespace test-ns; data are pairs.
func configMapText(name string, data ...string) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: test-ns}\ndata:\n"
	for i := 0; i < len(data); i += 2 {
		text += fmt.Sprintf("  %q: %q\n", data[i], data[i+1])
	}
	return text
}

// texts are the errors as they are printed, without file and line.
func texts(problems []Problem) []string {
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = p.Text()
	}
	slices.Sort(all)
	return all
}

// row is one line of a table of section 7: a manifest and its errors, sorted.
type row struct {
	id    string
	text  string
	want  []string
	extra string // a ConfigMap that it needs
}

func checkRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.id, func(t *testing.T) {
			documents := []string{r.text}
			if r.extra != "" {
				documents = append(documents, r.extra)
			}
			plan := loadText(t, options(), documents...)
			got := texts(plan.Errors)
			slices.Sort(r.want)
			if want := altered.Want(r.want); !slices.Equal(got, want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, p := range plan.Errors {
				if p.File != "m.yaml" || p.Line < 1 {
					t.Errorf("no place: %+v", p)
				}
				if len(p.Paths) > 1 && !slices.IsSorted(p.Paths) {
					t.Errorf("paths are not sorted: %q", p.Paths)
				}
			}
		})
	}
}

// find answers the object of a ref such as "trigger/test-ns/t".
func find(t testing.TB, plan *Plan, ref string) *Object {
	t.Helper()
	for _, o := range plan.Objects {
		if o.String() == ref {
			return o
		}
	}
	t.Fatalf("there is no %s", ref)
	return nil
}

func findConsumer(t testing.TB, plan *Plan, ref string) Consumer {
	t.Helper()
	for _, c := range plan.Consumers {
		if c.String() == ref {
			return c
		}
	}
	t.Fatalf("there is no consumer %s", ref)
	return Consumer{}
}

// condition answers a condition as "Status Reason: Message"; empty when it was
// not decided.
func condition(o *Object, conditionType string) string {
	for _, c := range o.Conditions {
		if c.Type == conditionType {
			return strings.TrimSuffix(strings.TrimSuffix(c.Status+" "+c.Reason+": "+c.Message, ": "), " ")
		}
	}
	return ""
}

const (
	goodTrigger      = `{broker: b, subscriber: {uri: "http://s.example.com"}`
	goodSubscription = `{channel: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, name: c}, subscriber: {uri: "http://s.example.com"}`
)
