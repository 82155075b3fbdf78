package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"

	"kurier.dev/kurier/test/harness"
)

var furtherParts = []part{{
	name: "8.10 status", onKafka: true,
	cases: []testCase{
		{"CT-B12", expect("conditions=Addressable ConfigParsed DataPlaneAvailable DeadLetterSinkResolved Ready TopicReady",
			"address=the Broker's", "deadLetterSinkUri=the sink", "topic=knative-broker-$ns-b")},
		{"CT-B13", expect("conditions=BrokerReady DeadLetterSinkResolved DependencyReady Ready SubscriberResolved SubscriptionReady",
			"subscriberUri=the subscriber", "deadLetterSinkUri=the sink", "group=knative-trigger-$ns-t")},
		{"CT-B14", expect("edit=refused", "told=ManifestAccepted False ManifestInError", "delivered by the old Broker=1", "delivered by the new Broker=0")},
		{"CT-B34/default delivery", expect("retry=10", "policy=exponential", "delay=PT0.2S")},
		{"CT-B34/Trigger before Broker", expect("before=False BrokerDoesNotExist", `message=Broker "late" does not exist`, "after=True", "delivered=1")},
		{"CT-T5", expect("before=False", "DependencyReady=False DependencyDoesNotExist", "after=True", "delivered=1")},
		{"DL-35/ready", expect("DeadLetterTopicReady=True", "topic=knative-trigger-$ns-plain.dead-letter")},
		{"3.3/warning", expect("TopicReady=True", "message=MAX_EVENT_BYTES is 1048576 but the topic takes 100000 bytes at most (max.message.bytes): larger events are answered 413")},
		{"6.10/KafkaChannel", expect("conditions=Addressable ConfigurationReady DeadLetterSinkResolved Ready TopicReady", "address=the channel's", "subscribers=1 ready")},
		{"6.10/Subscription", expect("conditions=AddedToChannel ChannelReady Ready ReferencesResolved", "subscriberUri=the subscriber", "replyUri=the reply address", "deadLetterSinkUri=the sink")},
		{"6.10/KafkaSink", expect("conditions=Addressable ConfigParsed Ready TopicReady", "address=the sink's")},
	},
	observe: statuses,
}, {
	name: "8.10 transformations", onKafka: true,
	cases: []testCase{
		{"CT-B21", expect("sink1=type1", "sink2=type1 type2", "sink3=type2")},
		{"CT-B22", expect("transformer=type1", "sink=type2")},
		{"CT-B23", expect("Prefer=reply", "Kn-Namespace=yes")},
		{"CT-C13", expect("Prefer=reply", "Kn-Namespace=yes")},
		{"CT-B29", expect("received=equal")},
		{"CT-B30", expect("reply=1", "data=equal")},
		{"CT-B31", expect("received=equal")},
		{"DP-12/twice", expect("received=2")},
		{"DP-25/one subscriber", expect("received=2")},
		{"CT-B32", expect("Broker's sink=e-1 e-2 e-3", "kurierreason=unsupported-scheme")},
		{"CT-T2", expect("Trigger's sink=e-1 e-2 e-3")},
		{"CT-T3", expect("Trigger's sink=e-1 e-2 e-3", "Broker's sink=")},
		{"CT-T4", expect("good Trigger=e-1 e-2 e-3")},
		{"CT-T6/json", expect("mode=structured", "data=hello", "exint=42")},
		{"CT-T6/binary", expect("mode=equal")},
	},
	observe: transformations,
}}

// raw is an object of the status, all of it.
type raw struct {
	Status struct {
		Conditions           []harness.Condition
		Address              struct{ URL string }
		Annotations          map[string]string
		SubscriberURI        string `json:"subscriberUri"`
		DeadLetterSinkURI    string `json:"deadLetterSinkUri"`
		PhysicalSubscription struct{ SubscriberURI, ReplyURI, DeadLetterSinkURI string }
		Subscribers          []struct{ UID, Ready string }
	}
	EffectiveDelivery map[string]any
}

func (w *world) object(ref string) (o raw) {
	w.t.Helper()
	code, body, err := w.s.Get(w.s.Admin + "/status/" + ref)
	if err != nil || code != http.StatusOK {
		w.t.Fatalf("status of %s: %d %v", ref, code, err)
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		w.t.Fatal(err)
	}
	return o
}

// own conditions say how delivery goes; they are not part of Ready.
var ownConditions = []string{"SubscriberHealthy", "DeadLetterSinkHealthy", "DeadLetterTopicReady", "WindowFull", "RetentionAtRisk"}

// trueConditions lists the conditions of a kind's set, each with its status unless it is True.
func (o *raw) trueConditions() string {
	var names []string
	for _, c := range o.Status.Conditions {
		if slices.Contains(ownConditions, c.Type) {
			continue
		}
		name := c.Type
		if c.Status != "True" {
			name += "=" + c.Status
		}
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func is(got, want, words string) string {
	if got == want {
		return words
	}
	return got
}

const (
	triggerOf = "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: %s, namespace: %s, annotations: {%s}}\nspec: {broker: %s, subscriber: {uri: %q}}"
)

func statuses(w *world) observed {
	got := observed{}
	sub, sink, reply := w.subscriber(nil), w.subscriber(nil), w.subscriber(nil)
	late, depends, fixed := w.subscriber(nil), w.subscriber(nil), w.subscriber(nil)
	w.broker("b", 1, "{"+deadLetterSink(sink.URL)+"}")
	w.trigger("t", "b", sub.URL, consumer{})
	w.broker("plain", 1, "")
	w.broker("narrow", 1, "", `default.topic.config.max.message.bytes: "100000"`)
	w.broker("old", 1, "{}")
	w.broker("new", 1, "{}")
	w.trigger("plain", "plain", sub.URL, consumer{})
	w.channel("c", "{"+deadLetterSink(sink.URL)+"}")
	w.subscription("s", "c", sub.URL, consumer{reply: reply.URL})
	w.add("eventing.knative.dev/v1alpha1", "KafkaSink", "k", fmt.Sprintf(
		"{topic: %s-k, numPartitions: 1, replicationFactor: 1, bootstrapServers: [%s]}", w.ns, w.bootstrap()), "")
	fixedTrigger := fmt.Sprintf(triggerOf, "fixed", w.ns, "", "old", fixed.URL)
	w.document("%s", fixedTrigger)
	w.document(triggerOf, "early", w.ns, "", "late", late.URL)
	w.document(triggerOf, "depends", w.ns, `knative.dev/dependency: '{"kind":"PingSource","name":"tick","apiVersion":"sources.knative.dev/v1"}'`, "plain", depends.URL)
	w.refs = append(w.refs, w.ref("trigger", "fixed"))
	w.apply()

	o := w.object(w.ref("broker", "b"))
	f := got.of("CT-B12")
	f.set("conditions", o.trueConditions())
	f.set("address", is(strings.Replace(o.Status.Address.URL, "localhost", "127.0.0.1", 1), w.s.Broker(w.ns, "b"), "the Broker's"))
	f.set("deadLetterSinkUri", is(o.Status.DeadLetterSinkURI, sink.URL, "the sink"))
	f.set("topic", strings.Replace(o.Status.Annotations["default.topic"], w.ns, "$ns", 1))
	o = w.object(w.ref("trigger", "t"))
	f = got.of("CT-B13")
	f.set("conditions", o.trueConditions())
	f.set("subscriberUri", is(o.Status.SubscriberURI, sub.URL, "the subscriber"))
	f.set("deadLetterSinkUri", is(o.Status.DeadLetterSinkURI, sink.URL, "the sink"))
	f.set("group", strings.Replace(o.Status.Annotations["group.id"], w.ns, "$ns", 1))
	o = w.object(w.ref("kafkachannel", "c"))
	f = got.of("6.10/KafkaChannel")
	f.set("conditions", o.trueConditions())
	f.set("address", is(strings.Replace(o.Status.Address.URL, "localhost", "127.0.0.1", 1), w.s.Channel(w.ns, "c"), "the channel's"))
	ready := 0
	for _, s := range o.Status.Subscribers {
		if s.Ready == "True" {
			ready++
		}
	}
	f.set("subscribers", fmt.Sprint(ready, " ready"))
	o = w.object(w.ref("subscription", "s"))
	f = got.of("6.10/Subscription")
	f.set("conditions", o.trueConditions())
	f.set("subscriberUri", is(o.Status.PhysicalSubscription.SubscriberURI, sub.URL, "the subscriber"))
	f.set("replyUri", is(o.Status.PhysicalSubscription.ReplyURI, reply.URL, "the reply address"))
	f.set("deadLetterSinkUri", is(o.Status.PhysicalSubscription.DeadLetterSinkURI, sink.URL, "the sink"))
	o = w.object(w.ref("kafkasink", "k"))
	f = got.of("6.10/KafkaSink")
	f.set("conditions", o.trueConditions())
	f.set("address", is(strings.Replace(o.Status.Address.URL, "localhost", "127.0.0.1", 1), w.s.Sink(w.ns, "k"), "the sink's"))
	o = w.object(w.ref("trigger", "plain"))
	f = got.of("DL-35/ready")
	for _, c := range o.Status.Conditions {
		if c.Type == "DeadLetterTopicReady" {
			f.set(c.Type, c.Status)
		}
	}
	f.set("topic", strings.Replace(fmt.Sprint(o.EffectiveDelivery["deadLetterTopic"]), w.ns, "$ns", 1))
	f = got.of("3.3/warning")
	for _, c := range w.object(w.ref("broker", "narrow")).Status.Conditions {
		if c.Type == "TopicReady" {
			f.set(c.Type, c.Status)
			f.set("message", c.Message)
		}
	}
	f = got.of("CT-B34/default delivery")
	for fact, field := range map[string]string{"retry": "retry", "policy": "backoffPolicy", "delay": "backoffDelay"} {
		f.set(fact, o.EffectiveDelivery[field])
	}
	before := func(id, name, condition string) facts {
		f, o := got.of(id), w.object(w.ref("trigger", name))
		for _, c := range o.Status.Conditions {
			if c.Type == condition {
				f.set(condition, c.Status+" "+c.Reason)
				f.set("message", c.Message)
			}
			if c.Type == "Ready" {
				f.set("before", c.Status)
			}
		}
		return f
	}
	f = before("CT-B34/Trigger before Broker", "early", "BrokerReady")
	f["before"] = f["BrokerReady"]
	delete(f, "BrokerReady")
	f = before("CT-T5", "depends", "DependencyReady")
	delete(f, "message")

	// The Broker and the dependency come; a Trigger wants another Broker, which may not be.
	w.broker("late", 1, "")
	w.add("sources.knative.dev/v1", "PingSource", "tick", fmt.Sprintf("{schedule: 0 0 1 1 *, sink: {uri: %q}}", sub.URL), "")
	w.refs = append(w.refs, w.ref("trigger", "early"), w.ref("trigger", "depends"))
	for i, doc := range w.docs {
		w.docs[i] = strings.Replace(doc, fixedTrigger, strings.Replace(fixedTrigger, "broker: old", "broker: new", 1), 1)
	}
	w.apply()
	f = got.of("CT-B14")
	w.await("the edit is refused", func(objects map[string]*harness.Object) error {
		c := objects[w.ref("trigger", "fixed")].Condition("ManifestAccepted")
		if c.Status != "False" {
			return fmt.Errorf("%+v", c)
		}
		f.set("edit", "refused")
		f.set("told", c.Type+" "+c.Status+" "+c.Reason)
		return nil
	})
	w.send("late", harness.Event{ID: "late"})
	w.send("plain", harness.Event{ID: "depends"})
	w.send("old", harness.Event{ID: "old"})
	w.send("new", harness.Event{ID: "new"})
	w.settle()
	f.set("delivered by the old Broker", len(withID(fixed.Requests(), "old")))
	f.set("delivered by the new Broker", len(withID(fixed.Requests(), "new")))
	f = got.of("CT-B34/Trigger before Broker")
	f.set("after", "True") // apply has waited for it
	f.set("delivered", len(late.Requests()))
	f = got.of("CT-T5")
	f.set("after", "True")
	f.set("delivered", len(depends.Requests()))
	return got
}

func transformations(w *world) observed {
	const s1, s2 = "http://source1.com", "http://source2.com"
	first := fmt.Sprintf(`filter: {attributes: {type: type1, source: %q}}`, s1)
	second := fmt.Sprintf(`filter: {attributes: {type: type2, source: %q}}`, s2)
	toType2 := map[string]string{"type": "type2", "source": s2}
	sink1, sink2, sink3 := w.subscriber(harness.Reply(toType2, nil)), w.subscriber(nil), w.subscriber(nil)
	w.broker("b21", 1, "")
	w.channel("c21", "")
	w.trigger("t1", "b21", sink1.URL, consumer{filter: first})
	w.trigger("t2", "b21", sink2.URL, consumer{filter: `filter: {attributes: {type: ""}}`})
	w.trigger("t3", "b21", w.s.Channel(w.ns, "c21"), consumer{filter: second})
	w.subscription("s21", "c21", sink3.URL, consumer{})

	transformer, sink := w.subscriber(harness.Reply(toType2, nil)), w.subscriber(nil)
	w.broker("b22", 1, "")
	w.trigger("transformer", "b22", transformer.URL, consumer{filter: first})
	w.trigger("sink", "b22", sink.URL, consumer{filter: second})

	onBroker, onChannel := w.subscriber(nil), w.subscriber(nil)
	w.broker("b31", 1, "")
	w.trigger("b31", "b31", onBroker.URL, consumer{})
	w.channel("c13", "")
	w.subscription("c13", "c13", onChannel.URL, consumer{})

	large := `{"msg":"` + strings.Repeat("X", 36000) + `"}`
	largeReply, largeSink := w.subscriber(harness.Reply(map[string]string{"type": "large"}, []byte(large))), w.subscriber(nil)
	w.broker("b30", 1, "")
	w.trigger("b30-reply", "b30", largeReply.URL, consumer{filter: "filter: {attributes: {type: small}}"})
	w.trigger("b30-sink", "b30", largeSink.URL, consumer{filter: "filter: {attributes: {type: large}}"})

	brokerSink, triggerSink, both, none, good := w.subscriber(nil), w.subscriber(nil), w.subscriber(nil), w.subscriber(nil), w.subscriber(nil)
	w.broker("b32", 1, "{"+deadLetterSink(brokerSink.URL)+"}")
	w.trigger("b32-inherits", "b32", "bad://uri", consumer{})
	w.trigger("b32-good", "b32", good.URL, consumer{})
	w.broker("t2", 1, "{}")
	w.trigger("t2-own", "t2", "bad://uri", consumer{delivery: "{" + deadLetterSink(triggerSink.URL) + "}"})
	w.broker("t3", 1, "{"+deadLetterSink(none.URL)+"}")
	w.trigger("t3-both", "t3", "bad://uri", consumer{delivery: "{" + deadLetterSink(both.URL) + "}"})

	asJSON, asBinary := w.subscriber(nil), w.subscriber(nil)
	w.broker("t6", 1, "{}")
	w.trigger("t6-json", "t6", asJSON.URL, consumer{delivery: "{format: json}"})
	w.trigger("t6-binary", "t6", asBinary.URL, consumer{delivery: "{format: binary}"})
	one := w.subscriber(nil)
	w.broker("one", 1, "")
	w.trigger("one1", "one", one.URL, consumer{})
	w.trigger("one2", "one", one.URL, consumer{})
	w.apply()

	typed := harness.Event{ID: "e", Type: "type1", Source: s1, Data: []byte(`{"a":1}`)}
	kilobytes := harness.Event{ID: "large", ContentType: "application/octet-stream", Data: []byte(strings.Repeat("x", 36864))}
	plain := harness.Event{ID: "plain", Data: []byte(`{"plain":true}`)}
	w.send("b21", typed)
	w.send("b22", typed)
	w.send("b31", kilobytes, plain)
	w.sendTo("c13", plain)
	w.sendTo("c13", harness.Event{ID: "twice"}, harness.Event{ID: "twice"})
	w.send("one", plain)
	w.send("b30", harness.Event{ID: "small", Type: "small"})
	for _, broker := range []string{"b32", "t2", "t3"} {
		w.send(broker, harness.Numbered("e", 3)...)
	}
	w.send("t6", harness.FullEvent())
	w.settle()

	got := observed{}
	types := func(s *harness.Subscriber) string {
		words := strings.Fields(each(s.Requests(), func(r *harness.Request) string { return r.Attribute("type") }))
		sort.Strings(words)
		return strings.Join(words, " ")
	}
	f := got.of("CT-B21")
	f.set("sink1", types(sink1))
	f.set("sink2", types(sink2))
	f.set("sink3", types(sink3))
	f = got.of("CT-B22")
	f.set("transformer", types(transformer))
	f.set("sink", types(sink))
	for id, sub := range map[string]*harness.Subscriber{"CT-B23": onBroker, "CT-C13": onChannel} {
		requests := withID(sub.Requests(), "plain")
		got.of(id).set("Prefer", each(requests, func(r *harness.Request) string { return strings.Join(r.Header.Values("Prefer"), ",") }))
		got.of(id).set("Kn-Namespace", all(requests, func(r *harness.Request) bool { return r.Header.Get("Kn-Namespace") == w.ns }))
	}
	got.of("CT-B29").set("received", each(withID(onBroker.Requests(), "large"), func(r *harness.Request) string { return exactly(r, kilobytes, added...) }))
	got.of("CT-B31").set("received", each(withID(onBroker.Requests(), "plain"), func(r *harness.Request) string { return exactly(r, plain, added...) }))
	got.of("DP-12/twice").set("received", len(withID(onChannel.Requests(), "twice")))
	got.of("DP-25/one subscriber").set("received", len(one.Requests()))
	f = got.of("CT-B30")
	f.set("reply", len(largeSink.Requests()))
	f.set("data", each(largeSink.Requests(), func(r *harness.Request) string { return is(string(r.Body), large, "equal") }))
	inOrder := func(s *harness.Subscriber) string {
		ids := s.IDs()
		sort.Strings(ids)
		return strings.Join(ids, " ")
	}
	f = got.of("CT-B32")
	f.set("Broker's sink", inOrder(brokerSink))
	reasons := map[string]bool{}
	for _, r := range brokerSink.Requests() {
		reasons[r.Attribute("kurierreason")] = true
	}
	for reason := range reasons {
		f.set("kurierreason", reason)
	}
	got.of("CT-T2").set("Trigger's sink", inOrder(triggerSink))
	got.of("CT-T3").set("Trigger's sink", inOrder(both))
	got.of("CT-T3").set("Broker's sink", inOrder(none))
	got.of("CT-T4").set("good Trigger", inOrder(good))
	f = got.of("CT-T6/json")
	f.set("mode", each(asJSON.Requests(), func(r *harness.Request) string {
		return map[bool]string{true: "structured", false: "binary"}[r.Structured()]
	}))
	f.set("data", each(asJSON.Requests(), func(r *harness.Request) string { return r.Attribute("data") }))
	f.set("exint", each(asJSON.Requests(), func(r *harness.Request) string { return r.Attribute("exint") }))
	got.of("CT-T6/binary").set("mode", each(asBinary.Requests(), func(r *harness.Request) string { return exactly(r, harness.FullEvent(), added...) }))
	return got
}
