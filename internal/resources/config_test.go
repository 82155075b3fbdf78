package resources

import (
	"fmt"
	"strings"
	"testing"
)

// TestSettingsNamespace: a ConfigMap of Knative's is taken from Knative's
// namespace, else from the default one, else from the first.
func TestSettingsNamespace(t *testing.T) {
	template := func(namespace string) string {
		return strings.Replace(configMapText("config-kafka-features", "brokers-topic-template", namespace+".{{.Name}}"), "test-ns", namespace, 1)
	}
	for _, row := range []struct {
		namespaces []string
		want       string
	}{
		{[]string{"zoo", "default", "knative-eventing", "abc"}, "knative-eventing.b"},
		{[]string{"zoo", "default", "abc"}, "default.b"},
		{[]string{"zoo", "abc"}, "abc.b"},
		{[]string{"zoo"}, "zoo.b"},
	} {
		documents := []string{brokerText("b", "{}")}
		for _, namespace := range row.namespaces {
			documents = append(documents, template(namespace))
		}
		plan := mustLoad(t, options(), documents...)
		if got := plan.Topics[0].Name; got != row.want {
			t.Errorf("%v: %s", row.namespaces, got)
		}
		if warned := len(plan.Warnings) == 1; warned != (len(row.namespaces) > 1) {
			t.Errorf("%v: %v", row.namespaces, plan.Warnings)
		}
	}
}

func TestSettingsErrors(t *testing.T) {
	channels := func(text string) string { return configMapText("default-ch-webhook", "default-ch-config", text) }
	checkRows(t, []row{
		{id: "channels/yaml", text: channels("a: b: c"), want: []string{"broken YAML: data[default-ch-config]\nmapping values are not allowed in this context"}},
		{id: "channels/empty", text: channels(""), want: []string{"invalid value: : data[default-ch-config]\nexpected one YAML document"}},
		{id: "channels/duplicate", text: channels("clusterDefault: null\nclusterDefault: null"), want: []string{"duplicate field: data[default-ch-config].clusterDefault\nfirst on line 5"}},
		{id: "channels/unknown", text: channels("clusterDefaults: {}"),
			want: []string{"unknown field: data[default-ch-config].clusterDefaults\ndid you mean data[default-ch-config].clusterDefault?"}},
		{id: "channels/namespace", text: channels("namespaceDefaults: {a: {apiVersion: messaging.knative.dev/v1}}"),
			want: []string{"missing field(s): data[default-ch-config].namespaceDefaults[a].kind"}},
		{id: "kafka-channel-config/servers", text: configMapText("kafka-channel-config", "bootstrap.servers", "x"),
			want: []string{"invalid value: x: data[bootstrap.servers]\nexpected host:port, comma-separated"}},
		{id: "kafka-channel-config/secret", text: configMapText("kafka-channel-config", "auth.secret.ref.name", "s", "auth.secret.ref.namespace", "n"),
			want: []string{"must not set the field(s): data[auth.secret.ref.name]\n" + notYet}},
		{id: "kafka-channel-config/no_secret", text: configMapText("kafka-channel-config", "auth.secret.ref.name", "", "auth.secret.ref.namespace", "")},
		{id: "ping/limit", text: configMapText("config-ping-defaults", "data-max-size", "x"),
			want: []string{"invalid value: x: data[data-max-size]\nexpected a whole number; -1: no limit"}},
		{id: "brokers/config", text: configMapText("config-br-defaults", "default-br-config", "clusterDefault: {name: c}"),
			want: []string{"missing field(s): data[default-br-config].clusterDefault.apiVersion, data[default-br-config].clusterDefault.kind"}},
		{id: "brokers/delivery", text: configMapText("config-br-defaults", "default-br-config", "clusterDefault: {delivery: {retry: -1}}"),
			want: []string{"invalid value: -1: data[default-br-config].clusterDefault.delivery.retry"}},
		{id: "not_a_map", text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-features}\ndata: x", want: []string{"invalid value: x: data\nexpected a map of texts"}},
	})
	plan := mustLoad(t, options(), configMapText("kafka-channel-config", "bootstrap.server", "k:1"))
	if len(plan.Warnings) != 1 || plan.Warnings[0].Details != "did you mean bootstrap.servers?" {
		t.Errorf("warnings: %v", plan.Warnings)
	}
}

// TestSpecShown: the spec of an object as the status shows it.
func TestSpecShown(t *testing.T) {
	plan := mustLoad(t, options(), manifestText("v1", "Service", "s", `
  whole: 0x10
  fraction: 1.5
  yes: true
  quoted: "1"
  nothing: null
  list: [a, 1, {b: c}]`), "apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {a: hunter2}}\nstringData: {password: hunter2}", channelText("KafkaChannel", "c", "{numPartitions: 3}"))
	if got, want := fmt.Sprintf("%#v", find(t, plan, "service/test-ns/s").Spec), `map[string]interface {}{"fraction":1.5, `+
		`"list":[]interface {}{"a", 1, map[string]interface {}{"b":"c"}}, "nothing":interface {}(nil), "quoted":"1", "whole":16, "yes":true}`; got != want {
		t.Errorf("got %s", got)
	}
	if o := find(t, plan, "secret/default/s"); o.Spec != nil || o.Annotations != nil {
		t.Errorf("a Secret shows %v, %v", o.Spec, o.Annotations)
	}
	if got := fmt.Sprint(find(t, plan, "kafkachannel/test-ns/c").Spec); !strings.HasPrefix(got, "map[delivery:map[") ||
		!strings.HasSuffix(got, "numPartitions:3 replicationFactor:1 retentionDuration:PT168H]") {
		t.Errorf("got %s", got)
	}
}
