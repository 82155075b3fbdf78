package status

// FlowStatus is what a Sequence or a Parallel shows of the objects that it is
// made of, as Knative does; empty for every other kind.
type FlowStatus struct {
	// Of a Sequence, one for each step.
	ChannelStatuses      []ChannelStatus      `json:"channelStatuses,omitempty" yaml:"channelStatuses,omitempty"`
	SubscriptionStatuses []SubscriptionStatus `json:"subscriptionStatuses,omitempty" yaml:"subscriptionStatuses,omitempty"`

	// Of a Parallel: the channel that takes its events, and one for each branch.
	IngressChannelStatus *ChannelStatus `json:"ingressChannelStatus,omitempty" yaml:"ingressChannelStatus,omitempty"`
	BranchStatuses       []BranchStatus `json:"branchStatuses,omitempty" yaml:"branchStatuses,omitempty"`
}

// ChannelStatus is a channel and its Ready condition.
type ChannelStatus struct {
	Channel ObjectReference `json:"channel" yaml:"channel"`
	Ready   Condition       `json:"ready" yaml:"ready"`
}

// SubscriptionStatus is a Subscription and its Ready condition.
type SubscriptionStatus struct {
	Subscription ObjectReference `json:"subscription" yaml:"subscription"`
	Ready        Condition       `json:"ready" yaml:"ready"`
}

// BranchStatus is one branch of a Parallel.
type BranchStatus struct {
	FilterSubscriptionStatus SubscriptionStatus `json:"filterSubscriptionStatus" yaml:"filterSubscriptionStatus"`
	FilterChannelStatus      ChannelStatus      `json:"filterChannelStatus" yaml:"filterChannelStatus"`
	SubscriptionStatus       SubscriptionStatus `json:"subscriptionStatus" yaml:"subscriptionStatus"`
}

// ObjectReference names an object.
type ObjectReference struct {
	APIVersion string `json:"apiVersion,omitempty" yaml:"apiVersion,omitempty"`
	Kind       string `json:"kind" yaml:"kind"`
	Name       string `json:"name" yaml:"name"`
	Namespace  string `json:"namespace,omitempty" yaml:"namespace,omitempty"`
}

// ReferenceTo names o.
func (o *Object) ReferenceTo() ObjectReference {
	return ObjectReference{APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Metadata.Name, Namespace: o.Metadata.Namespace}
}
