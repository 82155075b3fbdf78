package main

import (
	"fmt"
	"strings"
	"time"
)

// part100Triggers: all Triggers but one refuse every event of one topic.
func part100Triggers(b *bench) error {
	count := int(b.count(100))
	for _, kind := range []struct{ name, filter string }{
		{"type", "exact: {type: com.example.other}"},
		{"cesql", `cesql: "type = 'com.example.other' OR subject LIKE 'x%'"`},
	} {
		f, err := b.fanOut(fmt.Sprintf("%d-triggers-%s", count, kind.name), kind.filter, count)
		if err != nil {
			return err
		}
		b.judge(row{Scenario: f.Scenario, Measure: "CPU µs per event and trigger", Value: f.cpuOf("kurier"), Goal: 0.5, Floor: 4,
			Note: fmt.Sprintf("Kafka: %s µs; through in %.1f s; resident %.0f MiB", number(f.cpuOf("kafka")), f.Seconds, f.Peak)})
	}
	return nil
}

// fanOut fills a topic that many Triggers read, and waits until all of them are through.
// An "event" of these figures is one event at one Trigger.
func (b *bench) fanOut(scenario, filter string, count int) (figures, error) {
	var f figures
	s, err := startChild("subscriber", subscriberConfig{})
	if err != nil {
		return f, err
	}
	defer s.stop()
	var all strings.Builder
	for i := range count {
		t := trigger{Name: fmt.Sprintf("t-%d", i), Broker: "bench", Subscriber: s.first.Address, Latest: true, Sink: true, Filter: filter}
		if i == 0 {
			t.Filter = ""
		}
		all.WriteString(t.manifest())
	}
	k, err := b.kurier(nil, map[string]string{"broker.yaml": brokerManifest("bench", 10), "triggers.yaml": all.String()})
	if err != nil {
		return f, err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	if err := k.assigned(); err != nil {
		return f, err
	}
	events := b.count(40_000)
	defer b.profile(k, scenario, "allocs", "heap")()
	forgetPeak(k.pid())
	f, err = b.untilThrough(k, s, events, float64(events)*float64(count))
	if err != nil {
		return f, err
	}
	f.Scenario = scenario
	b.keep(scenario, "kurier", f)
	if _, err := b.consume(scenario, topicOf("bench"), events, count); err != nil {
		// So many groups at once may be refused on a busy machine; Kurier's figures stand.
		fmt.Fprintf(b.out, "  separate groups for comparison: %v\n", err)
	}
	return f, nil
}

// untilThrough stores events and measures until the Triggers have settled as many.
func (b *bench) untilThrough(k *kurier, s *child, events int64, settled float64) (figures, error) {
	var f figures
	w := window{counter: s, pids: b.pids(map[string]int{"kurier": k.pid(), "subscriber": s.pid()})}
	begin, err := look(w)
	if err != nil {
		return f, err
	}
	if err := b.broker.fill(topicOf("bench"), kib, 0, events); err != nil {
		return f, err
	}
	if err := k.awaitSettled(settled); err != nil {
		return f, err
	}
	end, err := look(w)
	if err != nil {
		return f, err
	}
	end.count.Count = begin.count.Count + int64(settled)
	m, err := memoryOf(k.pid())
	if err != nil {
		return f, err
	}
	f.Peak = m.Peak
	return f, f.compare(begin, end)
}

// awaitSettled waits until the Triggers have delivered or refused so many events.
func (k *kurier) awaitSettled(count float64) error {
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); pause(200 * time.Millisecond) {
		delivered, err := k.metric("kurier_dispatch_delivered_total", "")
		if err != nil {
			return err
		}
		filtered, err := k.metric("kurier_dispatch_filtered_total", "")
		if err != nil {
			return err
		}
		if delivered+filtered >= count {
			return nil
		}
	}
	return fmt.Errorf("%.0f events were not settled within %s", count, longest)
}

// part1000Triggers: a hundred Brokers with ten Triggers each, and nothing to do.
func part1000Triggers(b *bench) error {
	s, err := startChild("subscriber", subscriberConfig{})
	if err != nil {
		return err
	}
	defer s.stop()
	brokers := int(b.count(100))
	manifests := map[string]string{}
	for i := range brokers {
		name := fmt.Sprintf("bench-%d", i)
		text := brokerManifest(name, 10)
		for j := range 10 {
			text += "---\n" + trigger{Name: fmt.Sprintf("%s-%d", name, j), Broker: name, Subscriber: s.first.Address, Latest: true, Sink: true}.manifest()
		}
		manifests[name+".yaml"] = text
		defer b.broker.forget(topicOf(name))
	}
	first, err := b.kurier(nil, manifests) // makes topics and groups, which Kafka takes its time for
	if err != nil {
		return err
	}
	err = first.assigned()
	first.stop()
	if err != nil {
		return err
	}
	k, err := b.kurier(nil, manifests)
	if err != nil {
		return err
	}
	defer k.stop()
	if err := k.assigned(); err != nil {
		return err
	}
	start := time.Since(k.started)
	scenario := fmt.Sprintf("%d-triggers", 10*brokers)
	b.judge(row{Scenario: scenario, Measure: "start to all assigned, s", Value: start.Seconds(), Goal: 15, Floor: 60})
	return b.idle(k, scenario)
}

// idle measures what a Kurier costs that has nothing to do.
func (b *bench) idle(k *kurier, scenario string) error {
	pause(3 * time.Second) // for what a start leaves to do
	w := window{pids: b.pids(map[string]int{"kurier": k.pid()})}
	begin, err := processorTimes(w.pids)
	if err != nil {
		return err
	}
	defer b.profile(k, scenario, "heap")()
	from := time.Now()
	pause(b.lasts)
	end, err := processorTimes(w.pids)
	if err != nil {
		return err
	}
	took := time.Since(from)
	m, err := memoryOf(k.pid())
	if err != nil {
		return err
	}
	percent := func(name string) float64 { return 100 * float64(end[name]-begin[name]) / float64(took) }
	b.judge(row{Scenario: scenario, Measure: "idle, % of a processor", Value: percent("kurier"), Goal: 5, Floor: 60,
		Note: fmt.Sprintf("Kafka's own: %.0f %%", percent("kafka"))})
	b.judge(row{Scenario: scenario, Measure: "resident, MiB", Value: m.Now, Goal: 300, Floor: 600, Note: fmt.Sprintf("at peak %.0f MiB", m.Peak)})
	return nil
}

func processorTimes(pids map[string]int) (map[string]time.Duration, error) {
	times := map[string]time.Duration{}
	for name, pid := range pids {
		var err error
		if times[name], err = processorTime(pid); err != nil {
			return nil, err
		}
	}
	return times, nil
}
