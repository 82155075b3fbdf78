package consumer

import "time"

// The values of Stats.State.
const (
	// StateConnecting: no connection to Kafka, or the group could not be joined.
	StateConnecting = "Connecting"
	// StateJoining: waiting for the group to hand out its partitions.
	StateJoining = "JoiningGroup"
	// StateAssigned: a member of the group; Partitions may be empty when there
	// are more members than partitions.
	StateAssigned = "Assigned"
)

// Stats is what one consumer is doing right now.
type Stats struct {
	// State is one of the State constants; Since is when it was entered.
	State string
	Since time.Time
	// LastError is why the group was last left or could not be joined, "" after
	// it was joined again.
	LastError string
	// Partitions are those consumed now, sorted. Generation is the group's.
	Partitions []int32
	Generation int32
	// InFlight counts running Handlers; Waiting records that wait to be called
	// again, Held those of them with Later.Held; Buffered records that were
	// fetched and not yet handed to the Handler.
	InFlight, Waiting, Held, Buffered int
	// BufferedBytes is the memory accounted to all unsettled records.
	BufferedBytes int64
	// WindowFull: some partition takes no further records because what is
	// unsettled fills its window or this consumer's memory.
	WindowFull bool
	// OldestUnsettled is the timestamp of the oldest unsettled record in memory,
	// zero when there is none.
	OldestUnsettled time.Time
	// Lag counts records of the assigned partitions that are not settled. Holes
	// in what was read are not counted.
	Lag int64
	// LastCommit is when Kafka last acknowledged a commit or heartbeat that was
	// sent with this member's id.
	LastCommit time.Time
	Counters
}

// Counters only grow, over the whole life of the Consumer.
type Counters struct {
	// Settled counts records settled; Skipped records that were already settled
	// before a restart or a change of owner.
	Settled, Skipped int64
	// Commits counts acknowledged commits, CommitFailures refused or lost ones.
	Commits, CommitFailures int64
	// OutOfRange counts partitions whose position was not in the log and was set
	// back to the log's start.
	OutOfRange int64
	// Replays counts assignments that began at the frontier alone because the
	// metadata of the commit could not be used.
	Replays int64
	// Rebalances counts generations of the group this member took part in.
	Rebalances int64
	// HandlerErrors counts calls that ended with an error that is no *Later.
	HandlerErrors int64
}
