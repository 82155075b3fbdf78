package resources

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kurier.dev/kurier/test/altered"
)

// TestDeliveryValidation is VA-5, for each kind that has a spec.delivery.
func TestDeliveryValidation(t *testing.T) {
	const bad = "1985-04-12T23:20:50.52Z"
	features := func(flag string) string { return configMapText("config-features", flag, "disabled") }
	rows := []struct{ id, delivery, want, extra string }{
		{"absent", "null", "", ""},
		{"backoffDelay_bad", "{backoffDelay: invalid time}", "invalid value: invalid time: D.backoffDelay", ""},
		{"deadLetterSink_empty", "{deadLetterSink: {}}", "expected at least one, got none: D.deadLetterSink.ref, D.deadLetterSink.uri", ""},
		{"timeout", "{timeout: PT2S}", "", ""},
		{"timeout_bad", "{timeout: " + bad + "}", "invalid value: " + bad + ": D.timeout", ""},
		{"timeout_zero", "{timeout: PT0S}", "invalid value: PT0S: D.timeout", ""},
		{"timeout_disabled", "{timeout: PT2S}", "must not set the field(s): D.timeout", features("delivery-timeout")},
		{"backoffPolicy", "{backoffPolicy: exponential}", "", ""},
		{"backoffDelay", "{backoffDelay: PT2S}", "", ""},
		{"backoffDelay_date", "{backoffDelay: " + bad + "}", "invalid value: " + bad + ": D.backoffDelay", ""},
		{"backoffDelay_negative", "{backoffDelay: -PT1S}", "invalid value: -PT1S: D.backoffDelay", ""},
		{"retry_negative", "{retry: -1}", "invalid value: -1: D.retry", ""},
		{"retry_0", "{retry: 0}", "", ""},
		{"retry_1", "{retry: 1}", "", ""},
		{"retry_huge", "{retry: 2147483648}", "invalid value: 2147483648: D.retry", ""},
		{"retry_text", `{retry: "3"}`, "invalid value: 3: D.retry\nexpected a whole number", ""},
		{"retryAfterMax", "{retryAfterMax: PT2S}", "", ""},
		{"retryAfterMax_zero", "{retryAfterMax: PT0S}", "", ""},
		{"retryAfterMax_empty", `{retryAfterMax: ""}`, "invalid value: : D.retryAfterMax", ""},
		{"retryAfterMax_bad", "{retryAfterMax: " + bad + "}", "invalid value: " + bad + ": D.retryAfterMax", ""},
		{"retryAfterMax_negative", "{retryAfterMax: -PT1S}", "invalid value: -PT1S: D.retryAfterMax", ""},
		{"retryAfterMax_disabled", "{retryAfterMax: PT2S}", "must not set the field(s): D.retryAfterMax", features("delivery-retryafter")},
		{"format_json", "{format: json}", "", ""},
		{"format_binary", "{format: binary}", "", ""},
		{"format_bad", "{format: invalid}", "invalid value: invalid: D.format", ""},
		{"backoffPolicy_case", "{backoffPolicy: Linear}", "invalid value: Linear: D.backoffPolicy", ""},
		{"backoffMax_zero", "{backoffMax: PT0S}", "invalid value: PT0S: D.backoffMax", ""},
		{"backoffMax", "{backoffMax: PT5S}", "", ""},
		{"golang_duration", "{timeout: 5s}", "invalid value: 5s: D.timeout\nuse ISO 8601, for example PT5S", ""},
	}
	kinds := map[string]func(delivery string) string{
		"Broker":          func(d string) string { return brokerText("b", "{delivery: "+d+"}") },
		"Trigger":         func(d string) string { return triggerText("t", goodTrigger+", delivery: "+d+"}") },
		"Channel":         func(d string) string { return channelText("Channel", "c", "{delivery: "+d+"}") },
		"KafkaChannel":    func(d string) string { return channelText("KafkaChannel", "c", "{delivery: "+d+"}") },
		"InMemoryChannel": func(d string) string { return channelText("InMemoryChannel", "c", "{delivery: "+d+"}") },
		"Subscription":    func(d string) string { return subscriptionText("s", goodSubscription+", delivery: "+d+"}") },
	}
	var table []row
	for _, r := range rows {
		for kind, text := range kinds {
			one := row{id: "VA-5/" + r.id + "/" + kind, text: text(r.delivery), extra: r.extra}
			if r.want != "" {
				one.want = []string{strings.ReplaceAll(r.want, " D.", " spec.delivery.")}
			}
			table = append(table, one)
		}
	}
	checkRows(t, table)
}

// TestInheritance is the table of 4.2 (DL-33, C6, DL-43), for Triggers and for
// Subscriptions.
func TestInheritance(t *testing.T) {
	const parentSink, childSink = `deadLetterSink: {uri: "http://p.example.com"}`, `deadLetterSink: {uri: "http://c.example.com"}`
	base := Delivery{Timeout: 10 * time.Minute, BackoffMax: 10 * time.Minute, RetryAfterMax: 5 * time.Minute, Format: "binary"}
	with := func(change func(*Delivery)) Delivery { d := base; change(&d); return d }
	defaulted := with(func(d *Delivery) { d.Retry, d.Policy, d.Delay = 10, "exponential", 200*time.Millisecond })
	for _, row := range []struct {
		id, parent, child string
		want              Delivery
		sink              string
	}{
		{"DL-33/1", "{retry: 3, " + parentSink + "}", "", with(func(d *Delivery) { d.Retry = 3 }), "http://p.example.com"},
		{"DL-33/2", "{retry: 3, " + parentSink + "}", "{retry: 1}", with(func(d *Delivery) { d.Retry = 1 }), "http://p.example.com"},
		{"DL-33/3", "{retry: 3, backoffPolicy: linear, backoffDelay: PT1S, " + parentSink + "}", "{" + childSink + "}",
			with(func(d *Delivery) { d.Retry, d.Policy, d.Delay = 3, "linear", time.Second }), "http://c.example.com"},
		{"DL-33/4", "{retry: 3}", "{retry: 0}", base, ""},
		{"DL-33/5", "{retry: 3}", "{}", with(func(d *Delivery) { d.Retry = 3 }), ""},
		{"DL-43/default", "", "", defaulted, ""},
		{"DL-43/child", "", "{" + childSink + "}", base, "http://c.example.com"},
		{"DL-43/child_empty", "", "{}", base, ""},
		{"DL-43/empty", "{}", "", base, ""},
		{"DL-43/child_null", "", "null", defaulted, ""},
		{"DL-33/6", "{timeout: PT5S}", "{backoffPolicy: linear}",
			with(func(d *Delivery) { d.Timeout, d.Policy = 5*time.Second, "linear" }), ""},
		{"DL-6/zero", "{retryAfterMax: PT0S}", "", with(func(d *Delivery) { d.RetryAfterMax = 0 }), ""},
		{"DL-7/format", "{format: json}", "{backoffMax: PT5S}", with(func(d *Delivery) { d.Format, d.BackoffMax = "json", 5*time.Second }), ""},
		{"DL-33/null_is_absent", "{retry: 3}", "{retry: null}", with(func(d *Delivery) { d.Retry = 3 }), ""},
	} {
		spec := func(good, delivery string) string {
			if delivery == "" {
				return good + "}"
			}
			return good + ", delivery: " + delivery + "}"
		}
		o := options()
		o.RetryAfterMax = 5 * time.Minute
		parentSpec := "{}"
		if row.parent != "" {
			parentSpec = "{delivery: " + row.parent + "}"
		}
		documents := []string{
			brokerText("b", parentSpec), triggerText("t", spec(goodTrigger, row.child)),
			channelText("KafkaChannel", "c", parentSpec), subscriptionText("s", spec(goodSubscription, row.child)),
		}
		for _, ref := range []string{"trigger/test-ns/t", "subscription/test-ns/s"} {
			t.Run(row.id+"/"+ref, func(t *testing.T) {
				got := findConsumer(t, mustLoad(t, o, documents...), ref).Delivery
				sink := ""
				if got.DeadLetterSink != nil {
					sink = got.DeadLetterSink.URL
				}
				got.DeadLetterSink = nil
				if got != row.want || sink != altered.Want(row.sink) {
					t.Errorf("got %+v, sink %q\nwant %+v, sink %q", got, sink, row.want, row.sink)
				}
			})
		}
	}
}

// TestDeliveryAttempts is the oracle of 8.2: attempts are retry + 1.
func TestDeliveryAttempts(t *testing.T) {
	for _, row := range []struct {
		child, parent string
		want          int
	}{
		{"", "", 1}, {"{retry: 3}", "", 4}, {"", "{retry: 3}", 4}, {"{retry: 2}", "{retry: 3}", 3}, {"{}", "", 1}, {"", "{}", 1},
		{"{}", "{retry: 3}", 4},
	} {
		o := options()
		o.DefaultDelivery = "none"
		broker, trigger := "{}", goodTrigger+"}"
		if row.parent != "" {
			broker = "{delivery: " + row.parent + "}"
		}
		if row.child != "" {
			trigger = goodTrigger + ", delivery: " + row.child + "}"
		}
		plan := mustLoad(t, o, brokerText("b", broker), triggerText("t", trigger))
		if got := findConsumer(t, plan, "trigger/test-ns/t").Delivery.Retry + 1; got != row.want {
			t.Errorf("child %q, parent %q: %d attempts, want %d", row.child, row.parent, got, row.want)
		}
	}
}

// TestDefaultDelivery: DL-43 is shown in the parent's spec, and can be changed
// or switched off.
func TestDefaultDelivery(t *testing.T) {
	shown := func(o Options) string {
		plan := mustLoad(t, o, brokerText("b", "{}"))
		return fmt.Sprint(find(t, plan, "broker/test-ns/b").Spec["delivery"])
	}
	o := options()
	if got := shown(o); got != "map[backoffDelay:PT0.2S backoffPolicy:exponential retry:10]" {
		t.Errorf("default: %s", got)
	}
	o.DefaultDelivery = "{retry: 2}"
	if got := shown(o); got != "map[retry:2]" {
		t.Errorf("own: %s", got)
	}
	o.DefaultDelivery = "none"
	if got := shown(o); got != "<nil>" {
		t.Errorf("none: %s", got)
	}
	for _, bad := range []string{"nonsense", "{retry: -1}", "{retries: 3}", "{", "[]", "{retry: x}"} {
		if CheckDefaultDelivery(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
		if plan, err := load(nil, Options{DefaultDelivery: bad}, nil); plan != nil || err == nil {
			t.Errorf("%q loads", bad)
		}
	}
	for _, good := range []string{"", "none", "{retry: 3}", "retry: 3\ntimeout: PT1S"} {
		if err := CheckDefaultDelivery(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// TestInheritedDeadLetterSink: a reference in the parent's delivery is read in
// the parent's place.
func TestInheritedDeadLetterSink(t *testing.T) {
	plan := mustLoad(t, options(), configMapText("config-features", "cross-namespace-event-links", "enabled"),
		brokerText("b", "{delivery: {deadLetterSink: {ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: dead}}}}"),
		brokerText("dead", "{}"),
		"apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t, namespace: far}\n"+
			"spec: {brokerRef: {name: b, namespace: test-ns}, subscriber: {uri: 'http://s.example.com'}}")
	sink := findConsumer(t, plan, "trigger/far/t").Delivery.DeadLetterSink
	if sink == nil || sink.URL != "http://ingress:8080/test-ns/dead" || !sink.OwnBroker {
		t.Errorf("got %+v", sink)
	}
}
