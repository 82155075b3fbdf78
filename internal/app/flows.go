package app

import (
	"slices"

	"kurier.dev/kurier/internal/resources"
	"kurier.dev/kurier/internal/status"
)

// flow is a Sequence or Parallel with the objects that it is made of.
type flow struct{ object, channels, filters, subscriptions []*status.Object }

// flows finds the parts of every Sequence and Parallel among objects.
func (v *view) flows(objects []status.Object) []flow {
	if len(v.plan.Flows) == 0 {
		return nil
	}
	all := make(map[resources.Ref]*status.Object, len(objects))
	for i := range objects {
		all[refOf(&objects[i])] = &objects[i]
	}
	flows := make([]flow, 0, len(v.plan.Flows))
	for i := range v.plan.Flows {
		f := &v.plan.Flows[i]
		flows = append(flows, flow{
			object: pick(all, []resources.Ref{f.Ref}), channels: pick(all, f.Channels),
			filters: pick(all, f.Filters), subscriptions: pick(all, f.Subscriptions),
		})
	}
	return flows
}

// conditions says that a flow is as ready as its parts, which are complete.
func (f *flow) conditions() {
	for _, object := range f.object {
		sum(object, "ChannelsReady", "ChannelsNotReady", f.channels)
		sum(object, "SubscriptionsReady", "SubscriptionsNotReady", slices.Concat(f.filters, f.subscriptions))
	}
}

// list shows the parts in the flow's status, when their conditions have their
// times.
func (f *flow) list() {
	for _, object := range f.object {
		object.Status.FlowStatus = flowStatus(f.channels, f.filters, f.subscriptions)
	}
}

func pick(all map[resources.Ref]*status.Object, refs []resources.Ref) []*status.Object {
	objects := make([]*status.Object, 0, len(refs))
	for _, ref := range refs {
		if object := all[ref]; object != nil {
			object.Complete()
			objects = append(objects, object)
		}
	}
	return objects
}

// sum sets a condition to the worst Ready of its parts, and names the part.
func sum(object *status.Object, conditionType, reason string, parts []*status.Object) {
	worst := status.Condition{Type: conditionType, Status: status.True}
	for _, part := range parts {
		ready := part.Condition(status.TypeReady)
		if ready.Status == status.True || worst.Status == status.False || worst.Status == ready.Status {
			continue
		}
		worst.Status, worst.Reason, worst.Message = ready.Status, reason, part.Ref()+" is not ready: "+orReason(ready)
	}
	object.SetCondition(worst)
}

func orReason(c *status.Condition) string {
	if c.Message != "" {
		return c.Message
	}
	return c.Reason
}

// flowStatus lists the parts as Knative does.
func flowStatus(channels, filters, subscriptions []*status.Object) (s status.FlowStatus) {
	if len(filters) == 0 { // a Sequence
		for _, c := range channels {
			s.ChannelStatuses = append(s.ChannelStatuses, channelStatus(c))
		}
		for _, c := range subscriptions {
			s.SubscriptionStatuses = append(s.SubscriptionStatuses, subscriptionStatus(c))
		}
		return s
	}
	ingress := channelStatus(channels[0])
	s.IngressChannelStatus = &ingress
	for i := range filters {
		s.BranchStatuses = append(s.BranchStatuses, status.BranchStatus{
			FilterSubscriptionStatus: subscriptionStatus(filters[i]), FilterChannelStatus: channelStatus(channels[i+1]),
			SubscriptionStatus: subscriptionStatus(subscriptions[i]),
		})
	}
	return s
}

func channelStatus(o *status.Object) status.ChannelStatus {
	return status.ChannelStatus{Channel: o.ReferenceTo(), Ready: *o.Condition(status.TypeReady)}
}

func subscriptionStatus(o *status.Object) status.SubscriptionStatus {
	return status.SubscriptionStatus{Subscription: o.ReferenceTo(), Ready: *o.Condition(status.TypeReady)}
}
