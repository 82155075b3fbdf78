package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kurier.dev/kurier/internal/resources"
)

// partStart measures from the start of the process to readiness, with ten Triggers whose
// topics and groups are there from an earlier start.
func partStart(b *bench) error {
	s, err := startChild("subscriber", subscriberConfig{})
	if err != nil {
		return err
	}
	defer s.stop()
	text := ""
	for i := range 10 {
		text += trigger{Name: fmt.Sprintf("t-%d", i), Broker: "bench", Subscriber: s.first.Address, Latest: true}.manifest()
	}
	manifests := map[string]string{"broker.yaml": brokerManifest("bench", 10), "triggers.yaml": text}
	defer b.broker.forget(topicOf("bench"))
	var ready, resident []float64
	for round := range b.rounds + 1 {
		k, err := b.kurier(nil, manifests)
		if err != nil {
			return err
		}
		took := time.Since(k.started)
		err = k.assigned()
		pause(time.Second)
		m, memoryErr := memoryOf(k.pid())
		k.stop()
		if err := errors.Join(err, memoryErr); err != nil {
			return err
		}
		if round > 0 { // the first one made the topics
			ready, resident = append(ready, took.Seconds()), append(resident, m.Now)
		}
	}
	b.judge(row{Scenario: "10-triggers", Measure: "start to ready, s", Value: median(ready), Goal: 1})
	b.judge(row{Scenario: "10-triggers", Measure: "resident at rest, MiB", Value: median(resident), Goal: 40})
	return nil
}

// partManifests measures a folder of ten thousand objects: read as a start does, and read
// again after a change of one line, with the differences found. It runs in this process.
func partManifests(b *bench) error {
	dir, err := os.MkdirTemp(b.dir, "manifests-")
	if err != nil {
		return err
	}
	files := int(b.count(100))
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(hundredObjects(i, 1)), 0o600); err != nil {
			return err
		}
	}
	o := resources.Options{IngressURL: "http://localhost:8080", Bootstrap: b.broker.Address,
		ServiceURLTemplate: "http://{name}", DefaultBrokerClass: "Kafka", Concurrency: 100, DeliveryTimeout: time.Minute}
	var load, reload, used []float64
	for round := range b.rounds {
		begin := time.Now()
		plan, err := resources.Load(dir, o)
		if err != nil {
			return err
		}
		load = append(load, time.Since(begin).Seconds())
		edited := strings.Replace(hundredObjects(0, 1), "retry: 1", fmt.Sprintf("retry: %d", 2+round), 1)
		if err := os.WriteFile(filepath.Join(dir, "0.yaml"), []byte(edited), 0o600); err != nil {
			return err
		}
		cpu, err := processorTime(os.Getpid())
		if err != nil {
			return err
		}
		begin = time.Now()
		if plan = resources.Reload(plan, dir, o); len(plan.Errors) > 0 {
			return errors.New(plan.Errors[0].String())
		}
		reload = append(reload, milliseconds(time.Since(begin)))
		after, err := processorTime(os.Getpid())
		if err != nil {
			return err
		}
		used = append(used, milliseconds(after-cpu))
	}
	b.judge(row{Scenario: fmt.Sprintf("%d-objects", files*100), Measure: "read and resolved, s", Value: median(load), Goal: 1})
	b.judge(row{Scenario: fmt.Sprintf("%d-objects", files*100), Measure: "read again after an edit, ms", Value: median(reload), Goal: 100,
		Note: fmt.Sprintf("without the watcher's quiet time; %.0f ms of processor time", median(used))})
	return nil
}

// hundredObjects are 50 channels with a Subscription each.
func hundredObjects(file, retry int) string {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, `apiVersion: messaging.knative.dev/v1
kind: Channel
metadata: {name: c-%[1]d-%[2]d}
---
apiVersion: messaging.knative.dev/v1
kind: Subscription
metadata: {name: s-%[1]d-%[2]d}
spec:
  channel: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: c-%[1]d-%[2]d}
  subscriber: {uri: "http://localhost:3000/"}
  delivery: {retry: %[3]d}
---
`, file, i, retry)
	}
	return b.String()
}

// partSoak runs at 70 % of what the machine can do, for ten minutes or what -soak says, and
// looks whether memory, lag and latency stay.
func partSoak(b *bench) error {
	s, err := startChild("subscriber", subscriberConfig{})
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
	c := loadConfig{Size: kib, Connections: 64}
	full, err := b.post(k, "maximum", "kurier", c)
	if err != nil {
		return err
	}
	if err := k.awaitNoLag(); err != nil {
		return err
	}
	c.Rate = int(0.7 * full.PerSecond)
	c.Address, c.Path = k.ingress, "/default/bench"
	load, err := startChild("http-load", c)
	if err != nil {
		return err
	}
	defer load.stop()
	total := time.Duration(b.scale * float64(b.soak))
	var resident, lag, p99 []float64
	for begin := time.Now(); time.Since(begin) < total; {
		f, err := measure(window{counter: load, pids: b.pids(map[string]int{"kurier": k.pid()}), events: 1 << 40, lasts: total / 10})
		if err != nil {
			return err
		}
		b.keep("70-percent", "kurier", f)
		m, err := memoryOf(k.pid())
		if err != nil {
			return err
		}
		behind, err := k.metric("kurier_dispatch_lag", "")
		if err != nil {
			return err
		}
		resident, lag, p99 = append(resident, m.Now), append(lag, behind), append(p99, f.P99)
	}
	half := len(resident) / 2
	note := fmt.Sprintf("limit: the first half; %d events/s; resident %.0f MiB at the end, lag %.0f", c.Rate, resident[len(resident)-1], lag[len(lag)-1])
	b.judge(row{Scenario: "70-percent", Measure: "resident, MiB", Value: median(resident[half:]), Limit: median(resident[:half]), Goal: 1.1, Note: note})
	b.judge(row{Scenario: "70-percent", Measure: "p99 of the 202, ms", Value: median(p99[half:]), Limit: median(p99[:half]), Goal: 1.5, Note: note})
	b.judge(row{Scenario: "70-percent", Measure: "lag, seconds of events", Value: median(lag[half:]) / float64(max(c.Rate, 1)), Goal: 1,
		Note: fmt.Sprintf("in the second half; in the first %s", number(median(lag[:half])/float64(max(c.Rate, 1))))})
	return nil
}

// awaitNoLag waits until everything is delivered.
func (k *kurier) awaitNoLag() error {
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); pause(200 * time.Millisecond) {
		if lag, err := k.metric("kurier_dispatch_lag", ""); err != nil || lag == 0 {
			return err
		}
	}
	return errors.New("the lag does not go away")
}
