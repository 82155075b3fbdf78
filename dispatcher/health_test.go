package dispatcher

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kurier.dev/kurier/consumer"
)

// logged runs f with a pipeline that logs, in virtual time, and returns the
// lines without what changes from run to run.
func logged(t *testing.T, level slog.Level, sub Subscription, f func(*pipeline, *script)) []string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		p := testPipeline(t, s, Config{}, sub)
		p.health.logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "took" {
					return slog.Attr{}
				}
				return a
			}}))
		f(p, s)
		p.health.close()
	})
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func oneEvent(t *testing.T, p *pipeline) {
	run(p, &consumer.Delivery{Record: record(t, minEvent())}, 100)
}

// A trigger's first failure and its recovery are one line each; what is as it
// should be is logged at debug alone.
func TestLogOfAFailureAndItsRecovery(t *testing.T) {
	sub := trigger(func(s *Subscription) { s.Delivery.Retry = 3 })
	play := func(p *pipeline, s *script) {
		s.answers["subscriber"] = []string{"503", "503", "200", "200"}
		oneEvent(t, p)
		oneEvent(t, p)
	}
	want := []string{
		`level=WARN msg="delivery fails" url=http://subscriber attempt=1 eventId=1 topic=source partition=3 offset=42 code=503 error="unable to complete request to http://subscriber: unexpected HTTP response, expected 2xx, got 503"`,
		`level=INFO msg="delivery works again" failures=2 failedFor=0s`,
	}
	if got := logged(t, slog.LevelInfo, sub, play); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	got := logged(t, slog.LevelDebug, sub, play)
	const canonical = `level=DEBUG msg="event settled" outcome=delivered attempts=3 topic=source partition=3 offset=42 eventId=1 eventSource=/s eventType=t`
	if len(got) != 4 || got[2] != canonical {
		t.Errorf("at debug:\n%s", strings.Join(got, "\n"))
	}
}

// While it fails there is one summary every 10 s, and the counts add up.
func TestLogWhileItFails(t *testing.T) {
	lines := logged(t, slog.LevelInfo, trigger(func(s *Subscription) {
		s.Delivery = Delivery{Retry: 59, Policy: Linear, Delay: time.Second, BackoffMax: time.Second}
	}), func(p *pipeline, s *script) {
		for range 59 {
			s.answers["subscriber"] = append(s.answers["subscriber"], "500")
		}
		s.answers["subscriber"] = append(s.answers["subscriber"], "200")
		oneEvent(t, p) // 59 failures in 59 s
	})
	if len(lines) < 6 || len(lines) > 8 {
		t.Errorf("%d lines for a minute of failures:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	sum := 1
	for _, line := range lines[1 : len(lines)-1] {
		var n int
		if _, err := fmt.Sscanf(line[strings.Index(line, "failures="):], "failures=%d", &n); err != nil || !strings.Contains(line, "code=500") {
			t.Errorf("summary %s: %v", line, err)
		}
		sum += n
	}
	last := lines[len(lines)-1]
	if !strings.Contains(last, "delivery works again") || !strings.Contains(last, "failures=59 failedFor=59s") || sum > 59 || sum < 50 {
		t.Errorf("last line %s, %d failures in the lines before", last, sum)
	}
}

// A subscriber that fails every second event does not fill the log.
func TestLogOfAFlappingSubscriber(t *testing.T) {
	lines := logged(t, slog.LevelInfo, trigger(func(s *Subscription) { s.Delivery.Retry = 1 }), func(p *pipeline, s *script) {
		for range 600 {
			s.answers["subscriber"] = append(s.answers["subscriber"], "500", "200")
		}
		for range 600 { // ten a second
			oneEvent(t, p)
			<-time.After(100 * time.Millisecond)
		}
	})
	if len(lines) > 20 {
		t.Errorf("%d lines in a minute:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

// Dead letters are logged at warn, ten a second at most, and how many were left
// out is told, also after the last one.
func TestLogOfManyDeadLetters(t *testing.T) {
	const events = 1000
	lines := logged(t, slog.LevelInfo, trigger(func(s *Subscription) { s.DeadLetter = DeadLetterPolicy{Drop: true} }), func(p *pipeline, s *script) {
		for range events {
			s.answers["subscriber"] = append(s.answers["subscriber"], "400")
			oneEvent(t, p)
			<-time.After(10 * time.Millisecond)
		}
		<-time.After(time.Minute)
		if c := p.metrics.counters(); c.Dropped != events {
			t.Errorf("%d dropped, want %d", c.Dropped, events)
		}
	})
	dropped, leftOut := 0, 0
	for _, line := range lines {
		if strings.Contains(line, `msg="an event did not reach its subscriber" outcome=dropped attempts=1`) {
			dropped++
		}
		if i := strings.Index(line, "leftOut="); i >= 0 {
			var n int
			_, _ = fmt.Sscanf(line[i:], "leftOut=%d", &n)
			leftOut += n
		}
	}
	if dropped > 115 || dropped < 90 || dropped+leftOut != events {
		t.Errorf("%d lines and %d left out in 10 s, want 10 a second and %d together", dropped, leftOut, events)
	}
}

// SubscriberHealthy follows the latest attempt; lastSuccess and lastFailure stay.
func TestSubscriberHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.answers["subscriber"], s.answers["topic"] = []string{"kne", "202"}, []string{"ok"}
		p := testPipeline(t, s, Config{}, trigger(nil))
		if c := p.statusNow(consumer.Stats{}).SubscriberHealthy; c.Status != "Unknown" {
			t.Errorf("before: %+v", c)
		}
		oneEvent(t, p)
		failed := p.statusNow(consumer.Stats{})
		if c := failed.SubscriberHealthy; c.Status != "False" || !strings.Contains(c.Message, "got 422") || c.Since.IsZero() {
			t.Errorf("failed: %+v", c)
		}
		f := failed.LastFailure
		if f == nil || f.Code != 422 || f.Body != "because" || f.URL != subscriberURL || f.Attempt != 1 || f.Offset != 42 ||
			f.Partition != 3 || f.Topic != sourceTopic || f.EventID != "1" || f.EventSource != "/s" || !f.Time.Equal(time.Now()) {
			t.Errorf("last failure %+v", f)
		}
		oneEvent(t, p)
		after := p.statusNow(consumer.Stats{WindowFull: true})
		if after.SubscriberHealthy.Status != "True" || !after.LastSuccess.Equal(time.Now()) || after.LastFailure == nil {
			t.Errorf("after: %+v", after)
		}
		if w := after.WindowFull; w.Status != "True" || !strings.Contains(w.Message, "on-dead-letter-failure") {
			t.Errorf("window: %+v", w)
		}
	})
}
