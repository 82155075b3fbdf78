// Package offsets turns completions in any order into one offset that is safe
// to commit, and a compact map of what is done beyond it.
package offsets

import "errors"

// DefaultLimit is Kafka's default offset.metadata.max.bytes.
const DefaultLimit = 4096

// TopicHash is a short hash of a topic's id; zero when the id is not known.
type TopicHash uint32

// HashTopic shortens a topic id. The zero id (not known) gives the zero hash.
func HashTopic(id [16]byte) TopicHash { return 0 }

// Position is what one commit carries.
type Position struct {
	Offset   int64
	Metadata string
	// Dropped counts the unsettled offsets that the metadata could not tell of: 0 but
	// when the limit shrank below what is already in flight.
	Dropped int
}

// Errors of Decode, matched with errors.Is. The Tracker beside them knows the frontier alone.
var (
	ErrForeign  = errors.New("the metadata was not written by Kurier")
	ErrVersion  = errors.New("the metadata has a newer format")
	ErrSize     = errors.New("the metadata is too short or too long")
	ErrChecksum = errors.New("the metadata's checksum is wrong")
	ErrFormat   = errors.New("the metadata cannot be read")
	ErrTopic    = errors.New("the metadata is of another topic with this name")
)

// Tracker follows one assignment of one partition. Not safe for concurrent use.
type Tracker struct{}

// New starts at a committed offset with nothing known beyond it.
func New(frontier int64) *Tracker { return &Tracker{} }

// Decode rebuilds a Tracker from a commit. Never nil; "" is no error.
func Decode(frontier int64, metadata string, topic TopicHash) (*Tracker, error) {
	return &Tracker{}, nil
}

// SetTopic sets the hash that Snapshot writes. Decode sets it too.
func (t *Tracker) SetTopic(h TopicHash) {}

// SetLimit sets the longest metadata text, in bytes; at first DefaultLimit.
func (t *Tracker) SetLimit(bytes int) {}

// ReserveAttempts says how many attempts one event may need (retry+1), so that Fits keeps room for their counts. At first 14.
func (t *Tracker) ReserveAttempts(max int) {}

// Track takes the next fetched offset; false = done before a restart, or tracked already.
func (t *Tracker) Track(offset int64) (fresh bool) { return true }

// SetAttempts records the attempts of an unsettled offset.
func (t *Tracker) SetAttempts(offset int64, n int) {}

// Attempts of an unsettled offset, also known from before a restart.
func (t *Tracker) Attempts(offset int64) int { return 0 }

// Done settles a tracked offset; of any other it does nothing.
func (t *Tracker) Done(offset int64) {}

// Snapshot is frontier and metadata in one consistent view.
func (t *Tracker) Snapshot() Position { return Position{} }

// Frontier is the lowest unsettled tracked offset, or Next when there is none.
func (t *Tracker) Frontier() int64 { return 0 }

// Next is the last tracked offset + 1, at first the frontier given.
func (t *Tracker) Next() int64 { return 0 }

// Unsettled counts the tracked offsets that are not done.
func (t *Tracker) Unsettled() int { return 0 }

// Backlog counts the offsets below end (the log end) that are not settled, holes counted out.
func (t *Tracker) Backlog(end int64) int64 { return 0 }

// Fits: may this offset be tracked and the map still surely fit the limit, whatever completes afterwards? Cheap, per record.
func (t *Tracker) Fits(offset int64) bool { return true }

// Full is !Fits(Next()).
func (t *Tracker) Full() bool { return false }

// Capacity is about how many unsettled offsets fill the window at the present density.
func (t *Tracker) Capacity() int { return 0 }
