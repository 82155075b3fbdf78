package dispatcher

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kurier.dev/kurier/consumer"
	"kurier.dev/kurier/internal/event"
	"kurier.dev/kurier/internal/iso8601"
)

var update = flag.Bool("update", false, "rewrite the expected lines of testdata/*.txt")

// TestScenarios plays the golden texts: lines that set a scene, lines that script
// a place, and what came of one event, in virtual time.
//
//	# the first two attempts fail
//	delivery retry=3 policy=exponential delay=PT0.5S
//	subscriber 503 503 200
//	-> attempts=3 waits=1s,2s outcome=delivered
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := playFile(t, string(text))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// playFile plays every scenario of a file and returns the file with the lines
// that came out.
func playFile(t *testing.T, text string) string {
	var out, scene []string
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		want, isEnd := strings.CutPrefix(line, "-> ")
		if !isEnd {
			out = append(out, line)
			if line != "" {
				scene = append(scene, line)
			}
			continue
		}
		got := ""
		t.Run(strings.Join(scene, " / "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { got = play(t, scene) })
			if got != want && !*update {
				t.Errorf("\n-> %s, want\n-> %s", got, want)
			}
		})
		out, scene = append(out, "-> "+got), nil
	}
	return strings.Join(out, "\n") + "\n"
}

// play sets the scene and runs one event through it.
func play(t *testing.T, scene []string) string {
	s := newScript(t)
	sub := trigger(nil)
	var cfg Config
	m := minEvent()
	limit, attempts := 100, 0
	for _, line := range scene {
		word, rest, _ := strings.Cut(line, " ")
		fields := strings.Fields(rest)
		switch word {
		case "#":
		case "delivery":
			setDelivery(t, &sub.Delivery, fields)
		case "kind":
			setKind(&sub, rest)
		case "dead-letter":
			setDeadLetter(&sub, fields)
		case "event":
			for _, pair := range fields {
				name, value, _ := strings.Cut(pair, "=")
				m.Set(name, value)
			}
		case "filter":
			name, value, _ := strings.Cut(rest, "=")
			sub.Attributes = map[string]string{name: value}
		case "strict":
			cfg.StrictReplies = true
		case "calls": // stop after so many calls: the event is held
			limit, _ = strconv.Atoi(rest)
		case "before": // attempts made before a restart
			attempts, _ = strconv.Atoi(rest)
		case "subscriber", "reply", "broker", "sink", "topic", "kafkasink":
			s.answers[word] = fields
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	p := testPipeline(t, s, cfg, sub)
	d := &consumer.Delivery{Record: record(t, m), Attempts: attempts}
	waits, _ := run(p, d, limit)
	return summary(t, p, s, d, waits)
}

func setDelivery(t *testing.T, d *Delivery, fields []string) {
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		duration := func() time.Duration {
			v, err := iso8601.Parse(value)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		switch name {
		case "retry":
			d.Retry, _ = strconv.Atoi(value)
		case "policy":
			d.Policy = Policy(value)
		case "delay":
			d.Delay = duration()
		case "max":
			d.BackoffMax = duration()
		case "timeout":
			d.Timeout = duration()
		case "retryAfterMax":
			d.RetryAfterMax = duration()
		default:
			t.Fatalf("what is %q?", field)
		}
	}
}

func setKind(sub *Subscription, kind string) {
	sub.Kind = "Subscription"
	sub.Reply = Reply{}
	if kind == "subscription with reply" {
		sub.Reply = Reply{Kind: ReplyURL, Destination: Destination{URL: replyURL}}
	}
}

func setDeadLetter(sub *Subscription, fields []string) {
	for _, field := range fields {
		switch field {
		case "sink":
			sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
		case "broker-sink":
			sub.Delivery.DeadLetterSink = &Destination{URL: sinkURL, OwnBroker: true}
		case "kafkasink":
			sub.Delivery.DeadLetterSink = &Destination{URL: "http://ingress/sinks/default/s", Topic: sinkTopic}
		case "drop":
			sub.DeadLetter.Drop = true
		case "on-failure-drop":
			sub.DeadLetter.OnFailureDrop = true
		default:
			panic("what is " + field)
		}
	}
}

// summary is the line that is compared.
func summary(t *testing.T, p *pipeline, s *script, d *consumer.Delivery, waits []string) string {
	parts := []string{fmt.Sprintf("attempts=%d", d.Attempts)}
	if n := s.count("subscriber"); n != d.Attempts {
		parts = append(parts, fmt.Sprintf("subscriber=%d", n))
	}
	for _, place := range []string{"reply", "broker", "sink", "kafkasink", "topic"} {
		if n := s.count(place); n > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", place, n))
		}
	}
	if len(waits) > 0 {
		parts = append(parts, "waits="+strings.Join(waits, ","))
	}
	parts = append(parts, "outcome="+ending(p))
	for _, place := range []string{"sink", "kafkasink", "topic"} {
		if s.count(place) > 0 && p.metrics.counters().DeadLettered > 0 {
			if text := extensions(t, s.last(place)); text != "" {
				parts = append(parts, text)
			}
		}
	}
	return strings.Join(parts, " ")
}

// extensions shows what a dead letter says of the failure.
func extensions(t *testing.T, m Message) string {
	e := m.Event
	if e == nil {
		return ""
	}
	var parts []string
	for _, name := range []string{event.ErrorDest, event.ErrorCode, event.ErrorData, event.Reason, event.BrokerTTL} {
		if value, ok := e.Get(name); ok {
			parts = append(parts, strings.TrimPrefix(strings.TrimPrefix(name, "knative"), "error")+"="+value)
		}
	}
	return strings.Join(parts, " ")
}
