package resources

// subscription is the body of a Subscription.
type subscription struct {
	channel    objectRef
	subscriber *destination
	reply      *destination
	delivery   *delivery
	policy     policy
}

// decodeSubscription reads a Subscription (VA-22).
func decodeSubscription(d *decoder) any {
	spec := d.at("spec")
	s := &subscription{delivery: d.delivery(spec.at("delivery")), policy: d.policy()}
	channel := spec.at("channel")
	if empty(channel) {
		d.missingBecause(channel, "the Subscription must reference a channel")
		return s
	}
	s.channel = d.channelRef(channel)
	if subscriber := spec.at("subscriber"); empty(subscriber) {
		d.missingBecause(subscriber, "the Subscription must reference a subscriber")
	} else {
		s.subscriber = d.destination(subscriber)
	}
	if reply := spec.at("reply"); !empty(reply) {
		s.reply = d.destination(reply)
	}
	return s
}

func empty(f field) bool { return !f.isMap() || len(f.node.entries) == 0 }

func (d *decoder) channelRef(f field) objectRef {
	kind, namespace := f.at("kind"), f.at("namespace")
	d.requireText(f.at("apiVersion"), kind, f.at("name"))
	if kind.text() != "" && !isChannelKind(kind.text()) {
		d.invalid(kind, kind.text(), "expected Channel, InMemoryChannel or KafkaChannel")
	}
	if namespace.text() != "" && !d.settings.features.crossNamespace {
		d.disallowed(namespace, crossNamespaceOff)
	}
	return d.readRef(f)
}
