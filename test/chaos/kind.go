package chaos

// Kind is a kind of fault.
type Kind string

// The kinds of faults that a run deals.
const (
	KillDispatcher      Kind = "kill -9 dispatcher"
	TermDispatcher      Kind = "SIGTERM dispatcher"
	PauseDispatcher     Kind = "SIGSTOP dispatcher, short"
	LongPauseDispatcher Kind = "SIGSTOP dispatcher, longer than the session"
	KillReceiver        Kind = "kill -9 receiver"
	TermReceiver        Kind = "SIGTERM receiver"
	PauseReceiver       Kind = "SIGSTOP receiver"
	RollingRestart      Kind = "rolling restart"
	Scale               Kind = "one dispatcher alone, then all"
	CutAndKill          Kind = "coordinator cut, then kill -9 dispatcher"
	EditManifests       Kind = "manifests edited"

	KillBroker       Kind = "kill -9 broker"
	KillAllBrokers   Kind = "kill -9 all brokers"
	CutKafka         Kind = "Kafka connections cut"
	DelayKafka       Kind = "Kafka connections delayed"
	SilenceKafka     Kind = "Kafka connections half-open"
	CutSubscriber    Kind = "subscriber connections cut"
	DelaySubscriber  Kind = "subscriber connections delayed"
	SilenceSubscribe Kind = "subscriber connections half-open"
	SinkDown         Kind = "dead letter sink down"
	SubscriberFails  Kind = "subscriber fails"
	SubscriberHangs  Kind = "subscriber hangs"
	SubscriberSlow   Kind = "subscriber slow"

	// StartProcess is no fault, but partitions move.
	StartProcess Kind = "process started"
)

// keepsWire tells whether a request may be on its way, unseen, while the fault lasts: it
// may then arrive after the next owner has begun.
func (k Kind) keepsWire() bool {
	switch k {
	case PauseDispatcher, LongPauseDispatcher, CutSubscriber, DelaySubscriber, SilenceSubscribe:
		return true
	default:
		return false
	}
}
