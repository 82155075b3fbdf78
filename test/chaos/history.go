package chaos

import (
	"sync"
	"time"

	"kurier.dev/kurier/offsets"
)

// Instant is a moment of a run: the time since its History began, on the monotonic clock.
type Instant = time.Duration

// Never is later than every Instant.
const Never Instant = 1<<63 - 1

// Order is the order that a trigger was promised.
type Order int

// The orders, as the annotation names them.
const (
	Unordered Order = iota
	Ordered
	ByKey
)

// String is the annotation's value.
func (o Order) String() string { return [...]string{"unordered", "ordered", "ordered-by-key"}[o] }

// Trigger is one subscription under test. Every event of the run is meant for it.
type Trigger struct {
	Name  string
	Group string
	Topic string
	Order Order
	Retry int // the largest that its manifest ever said
}

// NoKey is the key of an event without one.
const NoKey = -1

// Event is one event that a producer sent, under one id, as often as Tries says.
type Event struct {
	Key   int // NoKey or the number of the key
	Tries int
	Sent  Instant // the first try
	Acked Instant // when 202 came; Never when it did not
}

// Request is what a subscriber or a dead letter sink got.
type Request struct {
	Trigger    int
	Event      int // index in History.Events; -1 when nobody sent such an event
	Partition  int32
	Offset     int64
	Begin, End Instant // End is Never while nothing was answered
	Status     int     // the answer; 0 when the sender went away before it
	Path       string  // of the subscriber's address, which a new version of the manifests changes
	DeadLetter bool
	Corrupt    bool // the data is not what the producer sent
}

// accepted tells whether the answer was 2xx.
func (r *Request) accepted() bool { return r.Status/100 == 2 }

// Commit is a position that Kafka was seen to hold for a group.
type Commit struct {
	Trigger   int
	Partition int32
	Seen      Instant
	Offset    int64
	Metadata  string
}

// Assignment is what one member was given in one generation of its group. Owner names
// the process and its incarnation.
type Assignment struct {
	Trigger    int
	At         Instant
	Generation int32
	Owner      string
	Partitions []int32
}

// Left is the end of a member's session that it noticed by itself.
type Left struct {
	Trigger int
	At      Instant
	Owner   string
}

// Fault is what the runner broke, from Begin until it was whole again.
type Fault struct {
	Kind       Kind
	Target     string
	Begin, End Instant
}

// History is all that was seen of a run. The recording methods are safe for concurrent
// use; Check reads it when nobody records any more.
type History struct {
	began time.Time

	mu          sync.Mutex
	Triggers    []Trigger
	Topics      []offsets.TopicHash // by trigger
	Events      []Event
	Requests    []Request
	Commits     []Commit
	Assignments []Assignment
	Lefts       []Left
	Faults      []Fault
	// Buried are the events that were read from each trigger's dead letter topic.
	Buried []map[int]int
	latest map[place]Commit
}

// place is a partition of a trigger.
type place struct {
	trigger   int
	partition int32
}

// NewHistory begins a history now.
func NewHistory(triggers ...Trigger) *History {
	h := &History{
		began: time.Now(), Triggers: triggers,
		Topics: make([]offsets.TopicHash, len(triggers)),
		latest: map[place]Commit{},
	}
	for range triggers {
		h.Buried = append(h.Buried, map[int]int{})
	}
	return h
}

// Now is the present.
func (h *History) Now() Instant { return time.Since(h.began) }

// At is an Instant for a time that another process wrote down.
func (h *History) At(t time.Time) Instant { return t.Sub(h.began.Round(0)) }

// Send notes that an event is about to be sent for the first time and returns its number.
func (h *History) Send(key int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Events = append(h.Events, Event{Key: key, Sent: h.Now(), Acked: Never})
	return len(h.Events) - 1
}

// Tried notes the end of a try.
func (h *History) Tried(event int, acked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := &h.Events[event]
	e.Tries++
	if acked && e.Acked == Never {
		e.Acked = h.Now()
	}
}

// Begin notes a request and returns its number.
func (h *History) Begin(r Request) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Begin, r.End = h.Now(), Never
	if r.Event >= len(h.Events) {
		r.Event = -1
	}
	h.Requests = append(h.Requests, r)
	return len(h.Requests) - 1
}

// End notes the answer that is about to be written, 0 when the sender has gone.
func (h *History) End(request, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Requests[request].End, h.Requests[request].Status = h.Now(), status
}

// Saw notes a position that Kafka holds, when it is news.
func (h *History) Saw(c Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := place{c.Trigger, c.Partition}
	old, known := h.latest[at]
	if known && old.Offset == c.Offset && old.Metadata == c.Metadata {
		return
	}
	c.Seen = h.Now()
	h.latest[at] = c
	h.Commits = append(h.Commits, c)
}

// Break notes the begin of a fault and returns the function that notes its end.
func (h *History) Break(kind Kind, target string) (whole func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Faults = append(h.Faults, Fault{Kind: kind, Target: target, Begin: h.Now(), End: Never})
	i := len(h.Faults) - 1
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.Faults[i].End = h.Now()
	}
}

// Bury notes an event that stands in a trigger's dead letter topic.
func (h *History) Bury(trigger, event int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Buried[trigger][event]++
}

// Counts are the sums that a waiting runner looks at.
func (h *History) Counts() (acked, requests int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.Events {
		if h.Events[i].Acked != Never {
			acked++
		}
	}
	return acked, len(h.Requests)
}

// positions is the sum of a group's positions, as last seen.
func (h *History) positions(trigger int) (sum int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for at, c := range h.latest {
		if at.trigger == trigger {
			sum += c.Offset
		}
	}
	return sum
}
