package resources

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
)

func TestDestinationValidation(t *testing.T) {
	trigger := func(subscriber string) string { return triggerText("t", "{broker: b, subscriber: "+subscriber+"}") }
	groupOn := configMapText("config-features", "kreference-group", "enabled")
	const none = "expected at least one, got none: spec.subscriber.ref, spec.subscriber.uri"
	checkRows(t, []row{
		{id: "VA-1/empty", text: trigger("{}"), want: []string{none}},
		{id: "VA-1/null", text: trigger("null"), want: []string{none}},
		{id: "VA-1/absent", text: triggerText("t", "{broker: b}"), want: []string{none}},
		{id: "VA-1/null_ref", text: trigger("{ref: null}"), want: []string{none}},
		{id: "VA-1/empty_uri", text: trigger(`{uri: ""}`), want: []string{none}},
		{id: "VA-2/no_name", text: trigger("{ref: {apiVersion: v1, kind: Service}}"), want: []string{"missing field(s): spec.subscriber.ref.name"}},
		{id: "VA-2/no_kind", text: trigger("{ref: {apiVersion: v1, name: s}}"), want: []string{"missing field(s): spec.subscriber.ref.kind"}},
		{id: "VA-2/no_apiVersion", text: trigger("{ref: {kind: Service, name: s}}"), want: []string{"missing field(s): spec.subscriber.ref.apiVersion"}},
		{id: "VA-2/empty_ref", text: trigger("{ref: {}}"),
			want: []string{"missing field(s): spec.subscriber.ref.apiVersion, spec.subscriber.ref.kind, spec.subscriber.ref.name"}},
		{id: "VA-2/no_name_with_relative_uri", text: trigger("{ref: {apiVersion: v1, kind: Service}, uri: /x}"),
			want: []string{"missing field(s): spec.subscriber.ref.name"}},
		{id: "VA-2/group_off", text: trigger("{ref: {apiVersion: v1, kind: Service, name: s, group: g}}"),
			want: []string{"must not set the field(s): spec.subscriber.ref.group"}},
		{id: "VA-2/group_on", text: trigger("{ref: {group: serving.knative.dev, kind: Service, name: s}}"), extra: groupOn},
		{id: "VA-2/group_on_neither", text: trigger("{ref: {kind: Service, name: s}}"), extra: groupOn,
			want: []string{"missing field(s): spec.subscriber.ref.apiVersion, spec.subscriber.ref.group"}},
		{id: "VA-2/group_on_differ", text: trigger("{ref: {group: a, apiVersion: b/v1, kind: Service, name: s}}"), extra: groupOn,
			want: []string{"both apiVersion and group are specified and they refer to different API groups: " +
				"spec.subscriber.ref.apiVersion, spec.subscriber.ref.group\nOnly one of them must be specified"}},
		{id: "VA-2/good", text: trigger("{ref: {apiVersion: v1, kind: Service, name: s, namespace: other}}")},
		{id: "VA-3", text: trigger(`{ref: {apiVersion: v1, kind: Service, name: s}, uri: "http://a.example.com"}`),
			want: []string{"Absolute URI is not allowed when Ref or [apiVersion, kind, name] is present: " +
				"spec.subscriber.ref, spec.subscriber.uri, spec.subscriber[apiVersion, kind, name]"}},
		{id: "VA-4/relative", text: trigger("{uri: /x}"),
			want: []string{"invalid value: Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent: spec.subscriber.uri"}},
		{id: "VA-4/no_host", text: trigger(`{uri: "http:///x"}`),
			want: []string{"invalid value: Relative URI is not allowed when Ref and [apiVersion, kind, name] is absent: spec.subscriber.uri"}},
		{id: "VA-4/other_scheme", text: trigger(`{uri: "bad://uri"}`)},
		{id: "VA-4/no_uri_at_all", text: trigger(`{uri: "http://a b"}`),
			want: []string{"invalid value: http://a b: spec.subscriber.uri\nnot a URI: invalid character \" \" in host name"}},
		{id: "VA-4/bad_certificate", text: trigger(`{uri: "http://a.example.com", CACerts: nonsense}`),
			want: []string{"invalid value: CA Cert provided is invalid: spec.subscriber.caCert"}},
		{id: "VA-4/bad_certificate_inside", text: trigger(`{uri: "http://a.example.com", CACerts: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}`),
			want: []string{"invalid value: CA Cert provided is invalid: spec.subscriber.caCert"}},
		{id: "VA-4/good_certificate", text: trigger(fmt.Sprintf(`{uri: "https://a.example.com", CACerts: %q}`, certificate(t)))},
	})
}

func certificate(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	data, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data}))
}

// TestDestinations is the table of 6.8.
func TestDestinations(t *testing.T) {
	objects := []string{
		brokerText("b", "{}"), channelText("Channel", "c", "{}"), channelText("InMemoryChannel", "mem", "{}"),
		channelText("KafkaChannel", "kc", "{}"), sinkText("k", "{topic: x, bootstrapServers: ['a:1']}"),
	}
	ref := func(apiVersion, kind, name string) string {
		return fmt.Sprintf("ref: {apiVersion: %s, kind: %s, name: %s}", apiVersion, kind, name)
	}
	const eventing, messaging = "eventing.knative.dev/v1", "messaging.knative.dev/v1"
	o := options()
	o.ServiceURLs = map[string]string{"test-ns/named": "http://orders:3000/events"}
	for _, row := range []struct{ id, subscriber, want string }{
		{"broker", ref(eventing, "Broker", "b"), "http://ingress:8080/test-ns/b"},
		{"channel", ref(messaging, "Channel", "c"), "http://ingress:8080/channels/test-ns/c"},
		{"backing_channel_without_manifest", ref(messaging, "KafkaChannel", "c"), "http://ingress:8080/channels/test-ns/c"},
		{"in_memory_channel", ref(messaging, "InMemoryChannel", "mem"), "http://ingress:8080/channels/test-ns/mem"},
		{"kafka_channel", ref("messaging.knative.dev/v1beta1", "KafkaChannel", "kc"), "http://ingress:8080/channels/test-ns/kc"},
		{"kafka_sink", ref("eventing.knative.dev/v1alpha1", "KafkaSink", "k"), "http://ingress:8080/sinks/test-ns/k"},
		{"service", ref("v1", "Service", "orders"), "http://orders"},
		{"knative_service", ref("serving.knative.dev/v1", "Service", "orders"), "http://orders"},
		{"service_named", ref("v1", "Service", "named"), "http://orders:3000/events"},
		{"uri", `uri: "bad://uri"`, "bad://uri"},
		{"uri_as_given", `uri: "HTTP://A.example.com:80?x=%41"`, "HTTP://A.example.com:80?x=%41"},
		{"ref_and_absolute_path", ref("v1", "Service", "named") + ", uri: /x", "http://orders:3000/x"},
		{"ref_and_relative_path", ref("v1", "Service", "named") + ", uri: 'x/y?z=1'", "http://orders:3000/x/y?z=1"},
		{"ref_and_path_of_service", ref("v1", "Service", "orders") + ", uri: /x", "http://orders/x"},
		{"other_namespace", "ref: {apiVersion: v1, kind: Service, name: named, namespace: other}", "http://named"},
	} {
		t.Run(row.id, func(t *testing.T) {
			plan := mustLoad(t, o, append(objects, triggerText("t", "{broker: b, subscriber: {"+row.subscriber+"}}"))...)
			c := findConsumer(t, plan, "trigger/test-ns/t")
			if c.Subscriber.URL != row.want || find(t, plan, "trigger/test-ns/t").SubscriberURI != row.want {
				t.Errorf("got %q, want %q", c.Subscriber.URL, row.want)
			}
			if len(c.Blocked) > 0 || len(plan.Warnings) > 0 {
				t.Errorf("blocked: %v, warnings: %v", c.Blocked, plan.Warnings)
			}
		})
	}
	o.ServiceURLTemplate = "http://{name}.{namespace}.svc:8080"
	plan := mustLoad(t, o, triggerText("t", "{broker: b, subscriber: {ref: {apiVersion: v1, kind: Service, name: s}}}"))
	if got := findConsumer(t, plan, "trigger/test-ns/t").Subscriber.URL; got != "http://s.test-ns.svc:8080" {
		t.Errorf("template: %q", got)
	}
}

func TestDestinationNotResolvable(t *testing.T) {
	for _, row := range []struct{ id, subscriber, message string }{
		{"broker", "ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: x}", `Broker "x" in namespace "test-ns" does not exist`},
		{"channel_of_other_kind", "ref: {apiVersion: messaging.knative.dev/v1, kind: InMemoryChannel, name: c}",
			`InMemoryChannel "c" in namespace "test-ns" does not exist`},
		{"unknown_kind", "ref: {apiVersion: apps/v1, kind: Deployment, name: x}", "Kurier knows no address of apps/v1 Deployment: give a uri instead"},
	} {
		t.Run(row.id, func(t *testing.T) {
			plan := mustLoad(t, options(), brokerText("b", "{}"), channelText("Channel", "c", "{}"),
				triggerText("t", "{broker: b, subscriber: {"+row.subscriber+"}}"))
			want := "False Unable to get the Subscriber's URI: " + row.message
			if got := condition(find(t, plan, "trigger/test-ns/t"), "SubscriberResolved"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if c := findConsumer(t, plan, "trigger/test-ns/t"); len(c.Blocked) != 1 || c.Blocked[0].Message != row.message {
				t.Errorf("blocked: %v", c.Blocked)
			}
			if len(plan.Warnings) != 1 || plan.Warnings[0].Details != row.message || plan.Warnings[0].Paths[0] != "spec.subscriber.ref" {
				t.Errorf("warnings: %v", plan.Warnings)
			}
		})
	}
}

// TestIngressURLNotSet: only what needs the address is held up (6.8).
func TestIngressURLNotSet(t *testing.T) {
	plan := mustLoad(t, Options{}, brokerText("b", "{}"), sinkText("k", "{topic: x, bootstrapServers: ['a:1'], contentMode: structured}"),
		triggerText("needs", "{broker: b, subscriber: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}}"),
		triggerText("free", `{broker: b, subscriber: {uri: "http://s.example.com"},
  delivery: {deadLetterSink: {ref: {apiVersion: eventing.knative.dev/v1alpha1, kind: KafkaSink, name: k}}}}`))
	if c := findConsumer(t, plan, "trigger/test-ns/needs"); len(c.Blocked) != 1 || c.Blocked[0].Reason != "IngressURLNotSet" {
		t.Errorf("blocked: %v", c.Blocked)
	}
	free := findConsumer(t, plan, "trigger/test-ns/free")
	if len(free.Blocked) != 0 {
		t.Errorf("blocked: %v", free.Blocked)
	}
	want := Destination{Ref: Ref{"KafkaSink", "test-ns", "k"}, Cluster: "a:1", Topic: "x", Structured: true}
	if sink := free.Delivery.DeadLetterSink; sink == nil || *sink != want {
		t.Errorf("dead letter sink: %+v", sink)
	}
	if got := condition(find(t, plan, "broker/test-ns/b"), "Addressable"); got == "" || got[:22] != "False IngressURLNotSet" {
		t.Errorf("Addressable: %q", got)
	}
}

// TestOwnBroker: events to our own Brokers carry their TTL.
func TestOwnBroker(t *testing.T) {
	for _, row := range []struct {
		sink string
		want bool
	}{
		{"{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: b}}", true},
		{`{uri: "http://ingress:8080/test-ns/b"}`, true},
		{`{uri: "http://ingress:8080/test-ns/b/"}`, true},
		{`{uri: "http://ingress:8080/test-ns/c"}`, false},
		{"{ref: {apiVersion: v1, kind: Service, name: b}}", false},
	} {
		plan := mustLoad(t, options(), brokerText("b", "{}"), triggerText("t", goodTrigger+", delivery: {deadLetterSink: "+row.sink+"}}"))
		if sink := findConsumer(t, plan, "trigger/test-ns/t").Delivery.DeadLetterSink; sink == nil || sink.OwnBroker != row.want {
			t.Errorf("%s: %+v", row.sink, sink)
		}
	}
}
