package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// fired is a tick that a process fired, as its log tells.
type fired struct {
	Msg  string
	Time time.Time
	Tick time.Time
	ID   string
}

// pingers are two replicas that share a PingSource.
type pingers struct {
	t        *testing.T
	replicas []*harness.System
	commands []*harness.Command // every process there was
	sink     *harness.Subscriber
}

// ticks are those that every process has fired, by event ID. A tick that was fired twice
// is an error.
func (p *pingers) ticks() map[string]fired {
	p.t.Helper()
	byID, byTick := map[string]fired{}, map[time.Time]string{}
	for n, c := range p.commands {
		for _, line := range c.Stderr.Lines("PingSource fires") {
			var f fired
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				p.t.Fatalf("%v: %s", err, line)
			}
			if by, twice := byTick[f.Tick]; twice {
				p.t.Errorf("tick %s was fired twice, by process %s and process %d", f.Tick, by, n)
			}
			byTick[f.Tick], byID[f.ID] = fmt.Sprint(n), f
		}
	}
	return byID
}

// owner is the replica that fired last; it waits until one fires after the moment.
func (p *pingers) owner(after time.Time) (owner, other *harness.System) {
	p.t.Helper()
	harness.Eventually(p.t, harness.Wait, "a tick", func() error {
		for i, s := range p.replicas {
			for _, line := range s.Command.Stderr.Lines("PingSource fires") {
				var f fired
				if json.Unmarshal([]byte(line), &f) == nil && f.Time.After(after) {
					owner, other = s, p.replicas[1-i]
					return nil
				}
			}
		}
		return fmt.Errorf("none since %s", after)
	})
	return owner, other
}

func (p *pingers) start(s *harness.System) {
	s.StartReady(p.t)
	p.commands = append(p.commands, s.Command)
}

// TestPingSourceOwners: of two replicas one fires a PingSource. It is killed, and later the
// other is stopped for longer than its session and continued: no tick is fired twice, no
// event comes twice, and after each change at most one tick comes late.
func TestPingSourceOwners(t *testing.T) {
	t.Parallel()
	const late = 3 * time.Second // a tick comes after at most half a second, and this machine may be busy
	first := harness.NewRun(t, kafkatest.Start(t, kafkatest.Options{}).Bootstrap(),
		harness.Env{"LOG_LEVEL": "debug", "LOG_FORMAT": "json", "INSTANCE_NAME": "first"})
	p := &pingers{t: t, sink: harness.NewSubscriber(t, nil)}
	p.replicas = []*harness.System{first, first.Sibling(t, harness.Env{"INSTANCE_NAME": "second"}, "run")}
	first.Write(t, "ping.yaml", strings.ReplaceAll(`
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: each-second}
spec: {schedule: "* * * * * *", timezone: Europe/Paris, data: '{"n": 1}', sink: {uri: "SINK"},
  ceOverrides: {extensions: {region: north}}}
`, "SINK", p.sink.URL), nil)
	for _, s := range p.replicas {
		p.start(s)
	}

	owner, other := p.owner(time.Now())
	for s, state := range map[*harness.System]string{owner: "Owner", other: "Standby"} {
		s.AwaitStatus(t, "pingsource/default/each-second", state, func(o *harness.Object) bool { return o.Status.Firing.State == state })
	}
	owner.Command.Kill()
	killed := time.Now()
	next, _ := p.owner(killed)
	if next != other {
		t.Fatal("the killed replica fires")
	}
	p.start(owner)

	next.Command.Signal(t, syscall.SIGSTOP)
	stopped := time.Now()
	if again, _ := p.owner(stopped.Add(time.Second)); again == next {
		t.Fatal("the stopped replica fires")
	}
	next.Command.Signal(t, syscall.SIGCONT)
	continued := time.Now()
	harness.Eventually(t, harness.Wait, "ticks after all that", func() error {
		n := 0
		for _, f := range p.ticks() {
			if f.Tick.After(continued) {
				n++
			}
		}
		if n < 5 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	for _, s := range p.replicas {
		s.Command.Stop(t)
	}

	ticks := p.ticks()
	lateSince := map[string]int{}
	seen := map[string]int{}
	for _, r := range p.sink.Requests() {
		f, ok := ticks[r.ID()]
		if seen[r.ID()]++; !ok || seen[r.ID()] > 1 {
			t.Errorf("event %s: fired %v, came %d times", r.ID(), ok, seen[r.ID()])
		}
		if r.Attribute("region") != "north" {
			t.Errorf("event %s has no ceOverrides: %v", r.ID(), r.Header)
		}
		if f.Time.Sub(f.Tick) > late {
			after := "the start"
			if f.Time.After(stopped) {
				after = "the stop"
			} else if f.Time.After(killed) {
				after = "the kill"
			}
			lateSince[after]++
			t.Logf("tick %s came %s late after %s", f.Tick, f.Time.Sub(f.Tick), after)
		}
	}
	for after, n := range lateSince {
		if n > 1 {
			t.Errorf("%d ticks came late after %s, want at most one", n, after)
		}
	}
}
