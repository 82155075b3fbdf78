package status

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func object(kind string, conditions ...Condition) Object {
	return Object{
		Kind: kind, Metadata: Metadata{Name: "orders", Namespace: "default"},
		Status: Status{Conditions: conditions},
	}
}

// every returns the conditions of the kind's set, all True but those given.
func every(kind string, differing ...Condition) []Condition {
	o := object(kind)
	for _, conditionType := range Set(kind) {
		o.SetCondition(Condition{Type: conditionType, Status: True})
	}
	for _, c := range differing {
		o.SetCondition(c)
	}
	return o.Status.Conditions
}

func TestReady(t *testing.T) {
	tests := []struct {
		name       string
		kind       string
		conditions []Condition
		want       Condition
	}{
		{"all of the set are True", "Trigger", every("Trigger"), Condition{Status: True}},
		{"nothing known", "Broker", nil, Condition{Status: Unknown}},
		{"one is missing", "KafkaSink", every("KafkaSink")[:2], Condition{Status: Unknown}},
		{
			"False beats an Unknown before it", "Trigger",
			every("Trigger",
				Condition{Type: "BrokerReady", Status: Unknown, Reason: "BrokerNotConfigured"},
				Condition{Type: "SubscriberResolved", Status: False, Reason: "NoURI", Message: "no URI"}),
			Condition{Status: False, Reason: "NoURI", Message: "no URI"},
		},
		{
			"the first False tells why", "Broker",
			every("Broker",
				Condition{Type: "ConfigParsed", Status: False, Reason: "second"},
				Condition{Type: "TopicReady", Status: False, Reason: "first"}),
			Condition{Status: False, Reason: "first"},
		},
		{
			"an Unknown tells why", "Subscription",
			every("Subscription", Condition{Type: "ChannelReady", Status: Unknown, Reason: "waits", Message: "for Kafka"}),
			Condition{Status: Unknown, Reason: "waits", Message: "for Kafka"},
		},
		{
			"own conditions do not count", "Trigger",
			every("Trigger",
				Condition{Type: TypeDeadLetterSinkHealthy, Status: False},
				Condition{Type: TypeWindowFull, Status: True}),
			Condition{Status: True},
		},
		{
			"a condition beyond the set counts", "Trigger",
			every("Trigger", Condition{Type: "Valid", Status: False, Reason: "BrokenManifest"}),
			Condition{Status: False, Reason: "BrokenManifest"},
		},
		{"a kind without a set is ready", "Service", nil, Condition{Status: True}},
		{
			"a kind without a set counts what it has", "PingSource",
			[]Condition{{Type: "SinkProvided", Status: False, Reason: "NotFound"}},
			Condition{Status: False, Reason: "NotFound"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := object(test.kind, test.conditions...)
			o.Complete()
			test.want.Type = TypeReady
			if got := o.Status.Conditions[0]; got != test.want {
				t.Errorf("Ready is %+v, want %+v", got, test.want)
			}
			if o.Ready() != (test.want.Status == True) {
				t.Errorf("Ready() is %v", o.Ready())
			}
		})
	}
}

func TestReadyIsFalseBeforeComplete(t *testing.T) {
	o := object("Service")
	if o.Ready() {
		t.Error("an object without a Ready condition is ready")
	}
}

func TestCompleteOrdersConditions(t *testing.T) {
	o := object("Broker",
		Condition{Type: TypeRetentionAtRisk, Status: False},
		Condition{Type: "Valid", Status: True},
		Condition{Type: "TopicReady", Status: True},
		Condition{Type: "Ready", Status: False, Reason: "stale"},
		Condition{Type: "Addressable", Status: True},
	)
	o.Complete()
	want := []string{
		"Ready", "Addressable", "TopicReady", "ConfigParsed", "DataPlaneAvailable",
		"DeadLetterSinkResolved", "Valid", "RetentionAtRisk",
	}
	var got []string
	for _, c := range o.Status.Conditions {
		got = append(got, c.Type)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if o.Condition(TypeRetentionAtRisk).Severity != SeverityInfo {
		t.Error("an own condition is not marked informational")
	}
}

func TestCompleteTwiceChangesNothing(t *testing.T) {
	statuses := rapid.SampledFrom([]string{True, False, Unknown})
	kinds := rapid.SampledFrom([]string{"Broker", "Trigger", "Channel", "Subscription", "KafkaSink", "PingSource"})
	types := rapid.SampledFrom([]string{
		"Addressable", "TopicReady", "BrokerReady", "SubscriberResolved", "ChannelReady", TypeWindowFull, TypeSubscriberHealthy, "Other",
	})
	rapid.Check(t, func(t *rapid.T) {
		o := object(kinds.Draw(t, "kind"))
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			o.SetCondition(Condition{Type: types.Draw(t, "type"), Status: statuses.Draw(t, "status")})
		}
		o.Complete()
		once := append([]Condition(nil), o.Status.Conditions...)
		o.Complete()
		if !reflect.DeepEqual(once, o.Status.Conditions) {
			t.Fatalf("first %v, then %v", once, o.Status.Conditions)
		}
		allTrue := true
		for _, c := range once[1:] {
			if c.Severity == "" && c.Status != True {
				allTrue = false
			}
		}
		if o.Ready() != allTrue {
			t.Fatalf("Ready() %v with %v", o.Ready(), once)
		}
	})
}

func TestBad(t *testing.T) {
	bad := []Condition{
		{Type: "TopicReady", Status: False},
		{Type: "TopicReady", Status: Unknown},
		{Type: TypeWindowFull, Status: True},
		{Type: TypeRetentionAtRisk, Status: True},
		{Type: TypeSubscriberHealthy, Status: False},
	}
	good := []Condition{
		{Type: "TopicReady", Status: True},
		{Type: TypeWindowFull, Status: False},
		{Type: TypeSubscriberHealthy, Status: Unknown},
		{Type: TypeDeadLetterTopicReady, Status: True},
	}
	for _, c := range bad {
		if !c.Bad() {
			t.Errorf("%v is not bad", c)
		}
	}
	for _, c := range good {
		if c.Bad() {
			t.Errorf("%v is bad", c)
		}
	}
}

func TestHistoryKeepsTransitionTimes(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	second := start.Truncate(time.Second)
	own := start.Add(-time.Hour)
	var history History
	stamp := func(after time.Duration, topic string) map[string]time.Time {
		objects := []Object{object("KafkaSink", every("KafkaSink",
			Condition{Type: "TopicReady", Status: topic},
			Condition{Type: TypeWindowFull, Status: False, LastTransitionTime: own})...)}
		history.Stamp(start.Add(after), objects)
		times := make(map[string]time.Time)
		for _, c := range objects[0].Status.Conditions {
			times[c.Type] = c.LastTransitionTime
		}
		return times
	}
	steps := []struct {
		after             time.Duration
		topic             string
		wantTopic, wantUp time.Duration // since second
	}{
		{0, Unknown, 0, 0},
		{time.Second, Unknown, 0, 0},
		{2 * time.Second, True, 2 * time.Second, 0},
		{5 * time.Second, True, 2 * time.Second, 0},
		{6 * time.Second, False, 6 * time.Second, 0},
		{7 * time.Second, True, 7 * time.Second, 0},
	}
	for _, step := range steps {
		times := stamp(step.after, step.topic)
		if want := second.Add(step.wantTopic); !times["TopicReady"].Equal(want) {
			t.Errorf("after %v TopicReady since %v, want %v", step.after, times["TopicReady"], want)
		}
		if want := second.Add(step.wantTopic); !times[TypeReady].Equal(want) {
			t.Errorf("after %v Ready since %v, want %v", step.after, times[TypeReady], want)
		}
		if want := second.Add(step.wantUp); !times["Addressable"].Equal(want) {
			t.Errorf("after %v Addressable since %v, want %v", step.after, times["Addressable"], want)
		}
		if !times[TypeWindowFull].Equal(own) {
			t.Errorf("a time of its own became %v", times[TypeWindowFull])
		}
	}
}

func TestHistoryForgetsWhatIsGone(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var history History
	history.Stamp(start, []Object{object("Service")})
	history.Stamp(start.Add(time.Second), nil)
	again := []Object{object("Service")}
	history.Stamp(start.Add(time.Minute), again)
	if got := again[0].Condition(TypeReady).LastTransitionTime; !got.Equal(start.Add(time.Minute)) {
		t.Errorf("Ready since %v", got)
	}
}

func TestFind(t *testing.T) {
	objects := []Object{object("KafkaChannel"), object("Trigger"), object("KafkaSink"), object("PingSource")}
	objects[3].Metadata.Name = "tick"
	tests := map[string]string{ // kind asked for -> kind found
		"Trigger": "Trigger", "TRIGGER": "Trigger", "kafkachannel": "KafkaChannel", "channel": "KafkaChannel",
		"sink": "KafkaSink", "broker": "", "inmemorychannel": "", "": "",
	}
	for asked, want := range tests {
		found := Find(objects, asked, "default", "orders")
		switch {
		case found == nil && want != "":
			t.Errorf("%q finds nothing", asked)
		case found != nil && found.Kind != want:
			t.Errorf("%q finds a %s, want %q", asked, found.Kind, want)
		}
	}
	if Find(objects, "ping", "default", "tick") == nil {
		t.Error("ping does not find a PingSource")
	}
	if Find(objects, "trigger", "other", "orders") != nil {
		t.Error("found in another namespace")
	}
	objects = append(objects, object("Channel"))
	if found := Find(objects, "channel", "default", "orders"); found.Kind != "Channel" {
		t.Errorf("a kind of that very name loses against %s", found.Kind)
	}
}

func TestURL(t *testing.T) {
	tests := []struct {
		status Status
		want   string
	}{
		{Status{}, ""},
		{Status{Address: &Address{URL: "http://a"}, SubscriberURI: "http://b"}, "http://a"},
		{Status{SubscriberURI: "http://b"}, "http://b"},
		{Status{PhysicalSubscription: &PhysicalSubscription{SubscriberURI: "http://c"}}, "http://c"},
		{Status{PhysicalSubscription: &PhysicalSubscription{ReplyURI: "http://r"}, SubscriberURI: "http://b"}, "http://b"},
		{Status{SinkURI: "http://d"}, "http://d"},
	}
	for _, test := range tests {
		o := Object{Status: test.status}
		if got := o.URL(); got != test.want {
			t.Errorf("%+v has URL %q, want %q", test.status, got, test.want)
		}
	}
}

// TestForms keeps the names that scripts read.
func TestForms(t *testing.T) {
	lag := int64(7)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := object("Subscription", Condition{Type: "ChannelReady", Status: True, LastTransitionTime: at})
	o.APIVersion = "messaging.knative.dev/v1"
	o.Spec = map[string]any{"channel": map[string]any{"name": "c"}}
	o.Status.PhysicalSubscription = &PhysicalSubscription{SubscriberURI: "http://s"}
	o.Status.Delivery = &Delivery{Lag: &lag, LastFailure: &Failure{Time: at, Code: 503, Offset: 17}}
	o.EffectiveDelivery = &EffectiveDelivery{Retry: 2, BackoffDelay: "PT1S"}
	o.Instance = "dispatcher-1"

	want := `{"apiVersion":"messaging.knative.dev/v1","kind":"Subscription",` +
		`"metadata":{"name":"orders","namespace":"default"},"spec":{"channel":{"name":"c"}},` +
		`"status":{"conditions":[{"type":"ChannelReady","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z"}],` +
		`"physicalSubscription":{"subscriberUri":"http://s"},` +
		`"delivery":{"lag":7,"inFlight":0,"waiting":0,"held":0,` +
		`"lastFailure":{"time":"2026-01-02T03:04:05Z","partition":0,"offset":17,"code":503}}},` +
		`"effectiveDelivery":{"retry":2,"backoffDelay":"PT1S"},"instance":"dispatcher-1"}`
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("JSON\n%s\nwant\n%s", got, want)
	}

	// YAML says the same under the same names.
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal(text, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(got, &fromJSON); err != nil {
		t.Fatal(err)
	}
	normal := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	if normal(fromYAML) != normal(fromJSON) {
		t.Errorf("YAML\n%s\nJSON\n%s", normal(fromYAML), normal(fromJSON))
	}
}

func TestNewListIsNeverNull(t *testing.T) {
	text, err := json.Marshal(NewList(nil))
	if err != nil || string(text) != `{"apiVersion":"v1","kind":"List","items":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}
