package sources

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/kafka"
)

// scripted is a lease of which the test decides everything.
type scripted struct {
	mu      sync.Mutex
	last    time.Time
	commits []time.Time
	answer  func(n int) error // of the nth commit, from 0
	asked   int
	slow    time.Duration // to tell the last tick
}

func (l *scripted) Last(context.Context) (time.Time, error) {
	elapse(l.slow)
	return l.last, nil
}

func (l *scripted) Commit(_ context.Context, tick time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.asked
	l.asked++
	if l.answer != nil {
		if err := l.answer(n); err != nil {
			return err
		}
	}
	l.commits = append(l.commits, tick)
	return nil
}

// recorder is a Sender that remembers when it got what.
type recorder struct {
	mu     sync.Mutex
	begin  time.Time
	sends  []string
	events []*event.Message
	answer func(n int) error
	block  bool
}

func (r *recorder) Send(ctx context.Context, to Target, m *event.Message) error {
	if r.block {
		<-ctx.Done()
		return ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.sends)
	r.sends = append(r.sends, fmt.Sprintf("%s@%v", to.URL, time.Since(r.begin).Truncate(time.Second)))
	r.events = append(r.events, m)
	if r.answer != nil {
		return r.answer(n)
	}
	return nil
}

func (r *recorder) list() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.sends, " ")
}

// owning runs sources whose candidates are all elected at once, in virtual time.
// The bubble's clock begins at midnight UTC.
func owning(t *testing.T, sender Sender, l lease, pings ...Ping) (s *Sources, stop func()) {
	t.Helper()
	s, err := New(Config{
		Cluster: kafka.Open(kafka.Options{}), Sender: sender, Drain: time.Nanosecond, Registerer: prometheus.NewRegistry(),
		Retryable: func(err error) bool { return err.Error() != "400" },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.setSession(10 * time.Second)
	s.enter = func(c *candidate, ctx context.Context) error {
		err := c.own(ctx, l)
		if !errors.Is(err, context.Canceled) && !errors.Is(err, kafka.ErrFenced) {
			t.Errorf("own ended with %v", err)
		}
		<-ctx.Done() // a fenced owner waits for the end of its session
		return err
	}
	if err := s.Apply(pings); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	}
}

func minute(name string) Ping {
	return Ping{Namespace: "n", Name: name, Target: Target{URL: name}}
}

func TestEachTickOnceWithItsTimeCommittedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := &recorder{begin: time.Now()}, &scripted{}
		second := Ping{Namespace: "n", Name: "b", Schedule: "30 * * * * *", Target: Target{URL: "b"}}
		_, stop := owning(t, r, l, minute("a"), second)
		elapse(2*time.Minute + 45*time.Second)
		stop()
		if got := r.list(); got != "b@30s a@1m0s b@1m30s a@2m0s b@2m30s" {
			t.Errorf("sent %s", got)
		}
		if len(l.commits) != 5 || !l.commits[1].Equal(r.begin.Add(time.Minute)) {
			t.Errorf("commits %v", l.commits)
		}
	})
}

func TestMissedTickOfTheOwnerBefore(t *testing.T) {
	for name, tc := range map[string]struct {
		last time.Duration // before the minute
		late time.Duration // after the minute
		want string
	}{
		"missed, within the session timeout and 2 s": {-time.Second, 11 * time.Second, "a@11s a@1m0s"},
		"missed, too long ago":                       {-time.Second, 13 * time.Second, "a@1m0s"},
		"taken":                                      {0, 5 * time.Second, "a@1m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &recorder{begin: time.Now()}
			elapse(tc.late)
			_, stop := owning(t, r, &scripted{last: r.begin.Add(tc.last)}, minute("a"))
			elapse(time.Minute)
			stop()
			if got := r.list(); got != tc.want {
				t.Errorf("%s: sent %q, want %q", name, got, tc.want)
			}
		})
	}
}

func TestNobodyBeforeMeansFromNowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		elapse(time.Second)
		_, stop := owning(t, r, &scripted{}, minute("a"))
		elapse(30 * time.Second)
		stop()
		if got := r.list(); got != "" {
			t.Errorf("sent %s", got)
		}
	})
}

// A tick that comes while the group of a new source is being joined is its own.
func TestNewSourceIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		s, stop := owning(t, r, &scripted{slow: 3 * time.Second}, minute("a"))
		elapse(58 * time.Second)
		if err := s.Apply([]Ping{minute("a"), minute("b")}); err != nil {
			t.Fatal(err)
		}
		elapse(30 * time.Second)
		stop()
		if got := r.list(); got != "a@1m0s b@1m1s" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestNothingIsSentWithoutACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		l := &scripted{answer: func(n int) error {
			if n < 10 {
				return errors.New("Kafka is not reachable")
			}
			return nil
		}}
		_, stop := owning(t, r, l, minute("a"))
		elapse(61 * time.Second)
		if got := r.list(); got != "" {
			t.Errorf("sent %s before the commit", got)
		}
		elapse(10 * time.Second)
		stop()
		if got := r.list(); got != "a@1m2s" {
			t.Errorf("sent %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		l := &scripted{answer: func(n int) error {
			if time.Since(r.begin) < 75*time.Second { // the tick is too old then
				return errors.New("Kafka is not reachable")
			}
			return nil
		}}
		_, stop := owning(t, r, l, minute("a"))
		elapse(121 * time.Second)
		stop()
		if got := r.list(); got != "a@2m0s" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestFencedOwnerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		l := &scripted{answer: func(int) error { return fmt.Errorf("x: %w", kafka.ErrFenced) }}
		_, stop := owning(t, r, l, minute("a"))
		elapse(5 * time.Minute)
		stop()
		if got := r.list(); got != "" || l.asked != 1 {
			t.Errorf("sent %q after %d commits", got, l.asked)
		}
	})
}

func TestChangesAreLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now()}
		s, stop := owning(t, r, &scripted{}, minute("a"))
		elapse(70 * time.Second) // a fired at 1m
		faster := minute("a")
		faster.Schedule = "*/20 * * * * *"
		if err := s.Apply([]Ping{faster, minute("b")}); err != nil {
			t.Fatal(err)
		}
		elapse(35 * time.Second) // a at 1m20s and 1m40s
		if err := s.Apply([]Ping{minute("b")}); err != nil {
			t.Fatal(err)
		}
		elapse(30 * time.Second) // b at 2m
		stop()
		if got := r.list(); got != "a@1m0s a@1m20s a@1m40s b@2m0s" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		r := &recorder{begin: time.Now(), answer: func(int) error {
			times = append(times, time.Now())
			return errors.New("503")
		}}
		s, stop := owning(t, r, &scripted{}, minute("a"))
		elapse(90 * time.Second)
		stop()
		if len(times) != 6 {
			t.Fatalf("%d attempts", len(times))
		}
		if first := times[0].Sub(r.begin.Add(time.Minute)); first < 0 || first >= 500*time.Millisecond {
			t.Errorf("jitter %v", first)
		}
		for i, milliseconds := range []int{50, 100, 200, 400, 800} {
			want := time.Duration(milliseconds) * time.Millisecond
			if got := times[i+1].Sub(times[i]); got != want {
				t.Errorf("pause %d is %v, want %v", i, got, want)
			}
		}
		ids := map[string]bool{}
		for _, m := range r.events {
			id, _ := m.Get(event.ID)
			ids[id] = true
		}
		if len(ids) != 1 {
			t.Error("a retry has another id")
		}
		if got := testutil.ToFloat64(s.metrics.ticks.WithLabelValues("n", "a", "failed")); got != 1 {
			t.Errorf("failed = %v", got)
		}
	})
}

func TestNoRetryWhenItCannotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now(), answer: func(int) error { return errors.New("400") }}
		_, stop := owning(t, r, &scripted{}, minute("a"))
		elapse(90 * time.Second)
		stop()
		if len(r.events) != 1 {
			t.Errorf("%d attempts", len(r.events))
		}
	})
}

func TestSlowSinkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{begin: time.Now(), block: true}
		every := minute("a")
		every.Schedule = "* * * * * *"
		s, stop := owning(t, r, &scripted{}, every)
		elapse(30*time.Second + 900*time.Millisecond)
		stop()
		if got := testutil.ToFloat64(s.metrics.ticks.WithLabelValues("n", "a", "skipped")); got != 20 {
			t.Errorf("skipped = %v, want 20", got)
		}
	})
}

func TestEvent(t *testing.T) {
	p := Ping{
		Namespace: "n", Name: "p", Data: []byte(`{"msg": "hello"}`),
		Extensions: map[string]string{"color": "red", "type": "mine"},
	}
	m := newEvent(p)
	for name, want := range map[string]string{
		"specversion": "1.0", "type": "mine", "source": "/apis/v1/namespaces/n/pingsources/p",
		"datacontenttype": "application/json", "color": "red",
	} {
		if got, _ := m.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if id, _ := m.Get("id"); len(id) != 36 {
		t.Errorf("id %q", id)
	}
	if len(m.Headers) != 1 || !strings.EqualFold(m.Headers[0].Name, "Kn-Namespace") || m.Headers[0].Value != "n" {
		t.Errorf("headers %v", m.Headers)
	}
	p.Extensions = nil
	if kind, _ := newEvent(p).Get("type"); kind != "dev.knative.sources.ping" {
		t.Errorf("type %q", kind)
	}
	for data, want := range map[string]string{"hello": "text/plain", "[1]": "application/json"} {
		if got := contentType(Ping{Data: []byte(data)}); got != want {
			t.Errorf("content type of %q: %q, want %q", data, got, want)
		}
	}
	if m := newEvent(Ping{Namespace: "n", Name: "p", ContentType: "text/plain"}); m.Data != nil {
		t.Error("no data became some")
	} else if _, ok := m.Get(event.DataContentType); ok {
		t.Error("no data have a content type")
	}
}

// elapse lets virtual time pass.
func elapse(d time.Duration) { <-time.After(d) }
