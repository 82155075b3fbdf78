package chaos

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
)

// Mood is how a subscriber answers for a while.
type Mood int32

// The moods.
const (
	Well    Mood = iota
	Failing      // 503 to all
	Hanging      // no answer until the caller gives up
	Slow         // an answer after slowAnswer
)

const slowAnswer = 150 * time.Millisecond

// Subscriber answers the events of one trigger, and its dead letters, and records both.
// Some events are bad: the poisoned ones by their number, so that every attempt agrees.
type Subscriber struct {
	trigger int
	history *History
	seed    uint64
	delay   time.Duration // of an answer when well, on average
	mood    atomic.Int32
	sink    atomic.Int32 // the mood of the dead letter sink
	proxy   *Proxy
	decide  atomic.Pointer[Decision]
}

// Decision answers a request with a status; 0 hangs up.
type Decision func(r *http.Request, q *Request) int

// Shares of events that are bad, in 1/1000.
const (
	poisoned = 2  // fail for ever
	flaky    = 10 // fail more often than not
)

// NewSubscriber starts a subscriber behind a proxy; it ends with the test.
func NewSubscriber(t testing.TB, h *History, trigger int, seed uint64, delay time.Duration) *Subscriber {
	t.Helper()
	s := &Subscriber{trigger: trigger, history: h, seed: seed, delay: delay}
	server := harness.NewServer(t, s)
	p, err := NewProxy("127.0.0.1:0", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = p
	t.Cleanup(p.Close)
	return s
}

// URL is where events go, and Sink where dead letters go.
func (s *Subscriber) URL() string { return "http://" + s.proxy.Addr() + "/events" }

// Sink is the address of the dead letter sink.
func (s *Subscriber) Sink() string { return "http://" + s.proxy.Addr() + "/dead" }

// Feel changes the mood.
func (s *Subscriber) Feel(m Mood) { s.mood.Store(int32(m)) }

// Decide lets a function answer instead of the moods.
func (s *Subscriber) Decide(d Decision) { s.decide.Store(&d) }

// FeelSink changes the mood of the dead letter sink.
func (s *Subscriber) FeelSink(m Mood) { s.sink.Store(int32(m)) }

// ServeHTTP records and answers.
func (s *Subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away in the middle; no request was complete
	}
	q := s.read(r, body)
	number := s.history.Begin(q)
	decide := Decision(s.answer)
	if d := s.decide.Load(); d != nil {
		decide = *d
	}
	status := decide(r, &q)
	if r.Context().Err() != nil && status/100 != 2 {
		status = 0
	}
	s.history.End(number, status)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// read takes a request apart.
func (s *Subscriber) read(r *http.Request, body []byte) Request {
	q := Request{Trigger: s.trigger, Event: -1, Path: r.URL.Path, DeadLetter: strings.HasPrefix(r.URL.Path, "/dead")}
	if n, err := strconv.Atoi(r.Header.Get("Ce-Id")); err == nil {
		q.Event = n
		q.Corrupt = !bytes.Equal(body, payload(n))
	}
	partition, _ := strconv.ParseInt(r.Header.Get("Ce-Knativekafkapartition"), 10, 32)
	q.Partition = int32(partition)
	q.Offset, _ = strconv.ParseInt(r.Header.Get("Ce-Knativekafkaoffset"), 10, 64)
	return q
}

// answer decides, and takes the time it takes; 0: the caller went away.
func (s *Subscriber) answer(r *http.Request, q *Request) int {
	mood := Mood(s.mood.Load())
	if q.DeadLetter {
		mood = Mood(s.sink.Load())
	}
	dice := s.dice(q.Event)
	switch mood {
	case Failing:
		return http.StatusServiceUnavailable
	case Hanging:
		<-r.Context().Done()
		return 0
	case Slow:
		wait(r, slowAnswer)
	case Well:
		wait(r, s.delay*time.Duration(dice>>32%200)/100)
	}
	if !q.DeadLetter && s.bad(dice) {
		return http.StatusServiceUnavailable
	}
	return http.StatusAccepted
}

// bad tells whether this attempt at an event fails; a flaky one fails more often than not.
func (s *Subscriber) bad(dice uint64) bool {
	switch n := dice % 1000; {
	case n < poisoned:
		return true
	case n < poisoned+flaky:
		return time.Now().UnixNano()>>16%3 > 0
	default:
		return false
	}
}

// dice is a number that the seed and the event decide.
func (s *Subscriber) dice(event int) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, s.seed, s.trigger, event)
	return h.Sum64()
}

// wait lets time pass until the caller goes.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// payload is the data of an event.
func payload(event int) []byte { return fmt.Appendf(nil, `{"n":%d,"of":"chaos"}`, event) }
