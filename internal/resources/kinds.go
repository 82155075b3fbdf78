package resources

import (
	"slices"
	"strings"
)

// The API groups of the kinds that Kurier knows.
const (
	eventingGroup  = "eventing.knative.dev"
	messagingGroup = "messaging.knative.dev"
	flowsGroup     = "flows.knative.dev"
	sourcesGroup   = "sources.knative.dev"
	servingGroup   = "serving.knative.dev"
	coreGroup      = ""
)

// The kinds that Kurier knows.
const (
	kindBroker          = "Broker"
	kindTrigger         = "Trigger"
	kindKafkaSink       = "KafkaSink"
	kindChannel         = "Channel"
	kindKafkaChannel    = "KafkaChannel"
	kindInMemoryChannel = "InMemoryChannel"
	kindSubscription    = "Subscription"
	kindSequence        = "Sequence"
	kindParallel        = "Parallel"
	kindPingSource      = "PingSource"
	kindKafkaSource     = "KafkaSource"
	kindService         = "Service"
	kindConfigMap       = "ConfigMap"
	kindSecret          = "Secret"
)

// kind is one kind: the versions it may be written in, its form, and what makes
// its body of a manifest, reporting what is wrong.
type kind struct {
	versions []string
	schema   *schema
	decode   func(*decoder) any
}

type groupKind struct{ group, kind string }

type kindTable map[groupKind]kind

// kinds is the one list of known kinds.
func kinds() kindTable {
	v1 := []string{"v1"}
	service := with(envelope, fields{"spec": anyField})
	return kindTable{
		{eventingGroup, kindBroker}:           {v1, manifestOf(brokerSchema), decodeBroker},
		{eventingGroup, kindTrigger}:          {v1, manifestOf(triggerSchema), decodeTrigger},
		{eventingGroup, kindKafkaSink}:        {[]string{"v1alpha1"}, manifestOf(kafkaSinkSchema), decodeKafkaSink},
		{messagingGroup, kindChannel}:         {v1, manifestOf(channelSchema), decodeChannel},
		{messagingGroup, kindKafkaChannel}:    {[]string{"v1", "v1beta1"}, manifestOf(kafkaChannelSchema), decodeKafkaChannel},
		{messagingGroup, kindInMemoryChannel}: {v1, manifestOf(memoryChannelSchema), decodeInMemoryChannel},
		{messagingGroup, kindSubscription}:    {v1, manifestOf(subscriptionSchema), decodeSubscription},
		{flowsGroup, kindSequence}:            {v1, manifestOf(sequenceSchema), decodeSequence},
		{flowsGroup, kindParallel}:            {v1, manifestOf(parallelSchema), decodeParallel},
		{sourcesGroup, kindPingSource}:        {[]string{"v1", "v1beta2"}, manifestOf(pingSourceSchema), decodePingSource},
		{sourcesGroup, kindKafkaSource}:       {[]string{"v1", "v1beta1"}, manifestOf(kafkaSourceSchema), decodeKafkaSource},
		{servingGroup, kindService}:           {v1, service, decodeService},
		{coreGroup, kindService}:              {v1, service, decodeService},
		{coreGroup, kindConfigMap}:            {v1, configMapSchema, decodeConfigMap},
		{coreGroup, kindSecret}:               {v1, secretSchema, decodeSecret},
	}
}

func (t kindTable) lookup(group, version, name string) (kind, bool) {
	k, ok := t[groupKind{group, name}]
	return k, ok && slices.Contains(k.versions, version)
}

// nearest says what a manifest of an unknown apiVersion or kind could have been
// meant to be; empty when nothing is near.
func (t kindTable) nearest(name string) string {
	best, distance := "", 3
	for gk, k := range t {
		d := editDistance(strings.ToLower(clip(name)), strings.ToLower(gk.kind))
		if candidate := apiVersionOf(gk.group, k.versions[0]) + " " + gk.kind; d < distance || d == distance && best != "" && candidate < best {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

func clip(name string) string { return name[:min(len(name), 64)] }

func apiVersionOf(group, version string) string {
	if group == coreGroup {
		return version
	}
	return group + "/" + version
}

func isChannelKind(kind string) bool {
	return kind == kindChannel || kind == kindKafkaChannel || kind == kindInMemoryChannel
}

// decoder makes the body of one manifest.
type decoder struct {
	*manifest
	settings *settings
}
