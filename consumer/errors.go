package consumer

import (
	"errors"
	"slices"

	"github.com/IBM/sarama"
)

// ErrStarted is returned by Run when it was called before: a Consumer runs
// once.
var ErrStarted = errors.New("consumer: Run was called twice")

var (
	// errNoMember: there is no session to commit in.
	errNoMember = errors.New("not a member of the group")
	// errMoved: the committed position went away while the partition was handed
	// out; joining again finds what to do.
	errMoved = errors.New("the committed offset went away while the partition was handed out")
)

// verdict says what to do about a commit that failed.
type verdict int

const (
	again   verdict = iota // the same again, after a wait
	refresh                // find the coordinator first
	gone                   // this member is none any more; a new session will do it
	tooLong                // the metadata is longer than the broker allows
)

// judge is the only judge of commit errors.
func judge(err error) verdict {
	is := func(codes ...sarama.KError) bool {
		return slices.ContainsFunc(codes, func(c sarama.KError) bool { return errors.Is(err, c) })
	}
	var answered sarama.KError
	switch {
	case errors.Is(err, errNoMember):
		return again
	case !errors.As(err, &answered): // the connection broke, or no coordinator answered
		return refresh
	case is(sarama.ErrUnknownMemberId, sarama.ErrFencedInstancedId):
		return gone
	case is(sarama.ErrOffsetMetadataTooLarge):
		return tooLong
	case is(sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable):
		return refresh
	}
	// A rejoin is under way (REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION until the
	// session knows its new generation), or Kafka is busy.
	return again
}
