package resources

import (
	"strings"
	"testing"
)

func TestSubscriptionValidation(t *testing.T) {
	const channel = "channel: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, name: c}"
	const subscriber = `subscriber: {uri: "http://s.example.com"}`
	const noSubscriber = "missing field(s): spec.subscriber\nthe Subscription must reference a subscriber"
	const noChannel = "missing field(s): spec.channel\nthe Subscription must reference a channel"
	namespaced := func(namespace string) string {
		return subscriptionText("s", "{channel: {apiVersion: messaging.knative.dev/v1, kind: KafkaChannel, name: c, namespace: "+namespace+"}, "+subscriber+"}")
	}
	checkRows(t, []row{
		{id: "VA-22/good", text: subscriptionText("s", goodSubscription+"}")},
		{id: "VA-22/empty", text: subscriptionText("s", "{}"), want: []string{noChannel}},
		{id: "VA-22/no_channel", text: subscriptionText("s", "{"+subscriber+"}"), want: []string{noChannel}},
		{id: "VA-22/empty_channel", text: subscriptionText("s", "{channel: {}, "+subscriber+"}"), want: []string{noChannel}},
		{id: "VA-22/channel_name", text: subscriptionText("s", "{channel: {apiVersion: messaging.knative.dev/v1, kind: Channel}, "+subscriber+"}"),
			want: []string{"missing field(s): spec.channel.name"}},
		{id: "VA-22/channel_apiVersion", text: subscriptionText("s", "{channel: {kind: Channel, name: c}, "+subscriber+"}"), want: []string{"missing field(s): spec.channel.apiVersion"}},
		{id: "VA-22/channel_kind", text: subscriptionText("s", "{channel: {apiVersion: v1, kind: Service, name: c}, "+subscriber+"}"),
			want: []string{"invalid value: Service: spec.channel.kind\nexpected Channel, InMemoryChannel or KafkaChannel"}},
		{id: "VA-22/channel_namespace", text: namespaced("other"),
			want: []string{"must not set the field(s): spec.channel.namespace\n" + crossNamespaceOff}},
		{id: "VA-22/channel_namespace_empty", text: namespaced(`""`)},
		{id: "VA-22/channel_namespace_on", text: namespaced("other"), extra: configMapText("config-features", "cross-namespace-event-links", "Enabled")},
		{id: "VA-22/no_subscriber", text: subscriptionText("s", "{"+channel+"}"), want: []string{noSubscriber}},
		{id: "VA-22/empty_subscriber", text: subscriptionText("s", "{"+channel+", subscriber: {}}"), want: []string{noSubscriber}},
		{id: "VA-22/only_reply", text: subscriptionText("s", "{"+channel+`, reply: {uri: "http://r.example.com"}}`), want: []string{noSubscriber}},
		{id: "VA-22/no_subscriber_no_name", text: subscriptionText("s", "{channel: {apiVersion: messaging.knative.dev/v1, kind: Channel}}"),
			want: []string{noSubscriber, "missing field(s): spec.channel.name"}},
		{id: "VA-22/subscriber_name", text: subscriptionText("s", "{"+channel+", subscriber: {ref: {apiVersion: v1, kind: Service}}}"),
			want: []string{"missing field(s): spec.subscriber.ref.name"}},
		{id: "VA-22/reply_name", text: subscriptionText("s", goodSubscription+", reply: {ref: {apiVersion: v1, kind: Service}}}"),
			want: []string{"missing field(s): spec.reply.ref.name"}},
		{id: "VA-22/empty_reply", text: subscriptionText("s", goodSubscription+", reply: {}}")},
		{id: "VA-22/delivery", text: subscriptionText("s", goodSubscription+", delivery: {backoffDelay: invalid-delay}}"),
			want: []string{"invalid value: invalid-delay: spec.delivery.backoffDelay"}},
	})
}

func TestSubscriptionImmutable(t *testing.T) {
	for _, row := range []struct{ id, new, want string }{
		{"VA-22/channel", strings.Replace(goodSubscription, "name: c", "name: d", 1) + "}",
			"Immutable fields changed (-old +new): spec\nspec.channel.name:\n\t-: \"c\"\n\t+: \"d\""},
		{"VA-22/subscriber", strings.Replace(goodSubscription, "s.example.com", "t.example.com", 1) + "}", ""},
		{"VA-22/reply", goodSubscription + `, reply: {uri: "http://r.example.com"}}`, ""},
		{"VA-22/delivery", goodSubscription + ", delivery: {retry: 1}}", ""},
		{"VA-22/unchanged", goodSubscription + "}", ""},
	} {
		t.Run(row.id, func(t *testing.T) {
			checkChange(t, subscriptionText("s", goodSubscription+"}"), subscriptionText("s", row.new), row.want)
		})
	}
}

// TestSubscriptionStatus is the Subscription's line of 6.10.
func TestSubscriptionStatus(t *testing.T) {
	const nowhere = "{ref: {apiVersion: eventing.knative.dev/v1, kind: Broker, name: x}}"
	const because = `Broker "x" in namespace "test-ns" does not exist`
	sub := func(name, old, changed string) string {
		return subscriptionText(name, strings.Replace(goodSubscription, old, changed, 1))
	}
	plan := mustLoad(t, options(), channelText("KafkaChannel", "c", "{}"),
		subscriptionText("good", goodSubscription+`, reply: {uri: "http://r.example.com"}, delivery: {deadLetterSink: {uri: "http://d.example.com"}}}`),
		sub("channel", "name: c", "name: d")+"}",
		sub("subscriber", `{uri: "http://s.example.com"}`, nowhere)+"}",
		subscriptionText("reply", goodSubscription+", reply: "+nowhere+"}"),
		subscriptionText("sink", goodSubscription+", delivery: {deadLetterSink: "+nowhere+"}}"),
	)
	for _, row := range []struct{ name, condition, want string }{
		{"good", "ReferencesResolved", "True"},
		{"good", "AddedToChannel", ""},
		{"good", "ChannelReady", ""},
		{"channel", "ReferencesResolved", `False ChannelReferenceFailed: KafkaChannel "d" does not exist`},
		{"channel", "ChannelReady", `False ChannelReferenceFailed: KafkaChannel "d" does not exist`},
		{"channel", "AddedToChannel", `False ReferencesNotResolved: KafkaChannel "d" does not exist`},
		{"subscriber", "ReferencesResolved", "False SubscriberResolveFailed: " + because},
		{"reply", "ReferencesResolved", "False ReplyResolveFailed: " + because},
		{"sink", "ReferencesResolved", "False DeadLetterSinkResolveFailed: " + because},
	} {
		if got := condition(find(t, plan, "subscription/test-ns/"+row.name), row.condition); got != row.want {
			t.Errorf("%s %s: got %q, want %q", row.name, row.condition, got, row.want)
		}
	}
	o := find(t, plan, "subscription/test-ns/good")
	if o.SubscriberURI != "http://s.example.com" || o.ReplyURI != "http://r.example.com" || o.DeadLetterSinkURI != "http://d.example.com" {
		t.Errorf("addresses: %q %q %q", o.SubscriberURI, o.ReplyURI, o.DeadLetterSinkURI)
	}
	c := findConsumer(t, plan, "subscription/test-ns/good")
	if c.Reply != (Reply{Kind: ReplyURL, Destination: Destination{URL: "http://r.example.com"}}) || c.Parent != (Ref{"KafkaChannel", "test-ns", "c"}) {
		t.Errorf("reply: %+v, parent: %v", c.Reply, c.Parent)
	}
	for _, c := range plan.Consumers {
		if (c.Name == "good") != (len(c.Blocked) == 0) {
			t.Errorf("%s: blocked %v", c.Name, c.Blocked)
		}
	}
}
