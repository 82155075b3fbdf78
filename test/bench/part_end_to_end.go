package main

import (
	"slices"
	"time"
)

// perSecond is the rate of the end-to-end part.
const perSecond = 1000

// partEndToEnd sends at a steady rate and compares, event by event, when the 202 came with
// when the subscriber had it. An event that is faster than its 202 counts as 0.
func partEndToEnd(b *bench) error {
	s, err := startChild("subscriber", subscriberConfig{Times: true})
	if err != nil {
		return err
	}
	defer s.stop()
	k, err := b.kurier(nil, map[string]string{
		"broker.yaml":  brokerManifest("bench", 10),
		"trigger.yaml": trigger{Name: "all", Broker: "bench", Subscriber: s.first.Address, Latest: true}.manifest(),
	})
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	if err := k.assigned(); err != nil {
		return err
	}
	load, err := startChild("http-load", loadConfig{Address: k.ingress, Path: "/default/bench", Size: kib, Connections: 64, Rate: perSecond, Times: true})
	if err != nil {
		return err
	}
	defer load.stop()
	wait := b.profile(k, "1000-per-second")
	f, err := measure(window{counter: load, pids: b.pids(map[string]int{"kurier": k.pid(), "load": load.pid(), "subscriber": s.pid()}),
		memory: k.pid(), from: b.count(2 * perSecond), events: b.count(10 * perSecond), lasts: longest})
	wait()
	if err != nil {
		return err
	}
	added, err := b.added(load, s)
	if err != nil {
		return err
	}
	f.P50, f.P99, f.Worst = milliseconds(at(added, 0.5)), milliseconds(at(added, 0.99)), milliseconds(at(added, 1))
	b.keep("1000-per-second", "kurier", f)
	b.judge(row{Scenario: "1000-per-second", Measure: "p50 from the 202 to the subscriber, ms", Value: f.P50, Goal: 3})
	b.judge(row{Scenario: "1000-per-second", Measure: "p99 from the 202 to the subscriber, ms", Value: f.P99, Goal: 15})
	return nil
}

// added lists the times between answer and delivery, the first seconds left out.
func (b *bench) added(load, subscriber *child) ([]time.Duration, error) {
	sent, err := load.ask()
	if err != nil {
		return nil, err
	}
	pause(time.Second) // for what is still under way
	came, err := subscriber.ask()
	if err != nil {
		return nil, err
	}
	var all []time.Duration
	for number, when := range sent.Times {
		if arrived, ok := came.Times[number]; ok && number > b.count(2*perSecond) {
			all = append(all, time.Duration(max(arrived-when, 0)))
		}
	}
	slices.Sort(all)
	return all, nil
}

// at is a quantile of sorted durations.
func at(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
