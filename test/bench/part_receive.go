package main

import (
	"fmt"
	"time"
)

// kib is the size of an event's data where nothing else is said.
const kib = 1 << 10

// warmUp lets a load run before a window begins.
func (b *bench) warmUp() { pause(min(700*time.Millisecond, b.lasts)) }

// openLoad posts as fast as it is answered, for one window.
func (b *bench) openLoad(c loadConfig, pids map[string]int, memoryOf int) (figures, error) {
	load, err := startChild("http-load", c)
	if err != nil {
		return figures{}, err
	}
	defer load.stop()
	b.warmUp()
	pids["load"] = load.pid()
	return measure(window{counter: load, pids: b.pids(pids), memory: memoryOf, events: 1 << 40, lasts: b.lasts})
}

// plainServer measures fasthttp that answers at once.
func (b *bench) plainServer(scenario string, c loadConfig) (figures, error) {
	server, err := startChild("fasthttp", serverConfig{})
	if err != nil {
		return figures{}, err
	}
	defer server.stop()
	c.Address, c.Path = server.first.Address, "/default/bench"
	f, err := b.openLoad(c, map[string]int{"fasthttp": server.pid()}, server.pid())
	if err == nil {
		b.keep(scenario, "fasthttp", f)
	}
	return f, err
}

// plainProducer measures Kafka's client that only produces.
func (b *bench) plainProducer(scenario, topic string, size, inFlight int) (figures, error) {
	sender, err := startChild("sarama-send", produceConfig{Brokers: []string{b.broker.Address}, Topic: topic, Size: size, InFlight: inFlight})
	if err != nil {
		return figures{}, err
	}
	defer sender.stop()
	b.warmUp()
	f, err := measure(window{counter: sender, pids: b.pids(map[string]int{"sarama": sender.pid()}), memory: sender.pid(), events: 1 << 40, lasts: b.lasts})
	if err == nil {
		b.keep(scenario, "sarama", f)
	}
	return f, err
}

// post measures Kurier's ingress.
func (b *bench) post(k *kurier, scenario, variant string, c loadConfig) (figures, error) {
	c.Address, c.Path = k.ingress, "/default/bench"
	wait := func() {}
	if variant != "other" {
		wait = b.profile(k, scenario, "allocs")
	}
	f, err := b.openLoad(c, map[string]int{"kurier": k.pid()}, k.pid())
	wait()
	if err == nil {
		b.keep(scenario, variant, f)
	}
	return f, err
}

// receiving starts a Kurier with one Broker and no Trigger.
func (b *bench) receiving(env map[string]string) (*kurier, error) {
	return b.kurier(env, map[string]string{"broker.yaml": brokerManifest("bench", 10)})
}

func partReceive(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	other, err := b.beside(map[string]string{"broker.yaml": brokerManifest("bench", 10)})
	if err != nil {
		return err
	}
	defer other.stop()
	defer b.broker.forget(topicOf("bench"))
	for _, connections := range []int{64, 256} {
		scenario := fmt.Sprintf("%d-connections", connections)
		var cpu, others comparison
		for range b.rounds {
			load := loadConfig{Size: kib, Connections: connections}
			server, err := b.plainServer(scenario, load)
			if err != nil {
				return err
			}
			producer, err := b.plainProducer(scenario, topicOf("bench"), kib, connections)
			if err != nil {
				return err
			}
			f, err := b.post(k, scenario, "kurier", load)
			if err != nil {
				return err
			}
			cpu.add(f.cpuOf("kurier"), server.cpuOf("fasthttp")+producer.cpuOf("sarama"))
			if other != nil {
				g, err := b.post(other, scenario, "other", load)
				if err != nil {
					return err
				}
				others.add(f.cpuOf("kurier"), g.cpuOf("kurier"))
			}
		}
		b.compareOthers(others, scenario)
		b.judge(cpu.row(row{Scenario: scenario, Measure: "CPU µs per event", Goal: 1.1, Floor: 1.35, Note: "limit: fasthttp alone + sarama alone"}))
	}
	return nil
}

func partStructured(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	var cpu comparison
	for range b.rounds {
		binary, err := b.post(k, "64-connections", "binary", loadConfig{Size: kib, Connections: 64})
		if err != nil {
			return err
		}
		structured, err := b.post(k, "64-connections", "structured", loadConfig{Size: kib, Connections: 64, Mode: "structured"})
		if err != nil {
			return err
		}
		cpu.add(structured.cpuOf("kurier"), binary.cpuOf("kurier"))
	}
	b.judge(cpu.row(row{Scenario: "64-connections", Measure: "CPU µs per event", Goal: 1.5, Note: "limit: binary events"}))
	return nil
}

func partBatch(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	var cpu comparison
	for range b.rounds {
		single, err := b.post(k, "batch-of-100", "single", loadConfig{Size: kib, Connections: 16, Mode: "structured"})
		if err != nil {
			return err
		}
		batch, err := b.post(k, "batch-of-100", "batch", loadConfig{Size: kib, Connections: 16, Mode: "batch"})
		if err != nil {
			return err
		}
		cpu.add(batch.cpuOf("kurier")/batchSize, single.cpuOf("kurier"))
	}
	b.judge(cpu.row(row{Scenario: "batch-of-100", Measure: "CPU µs per event", Goal: 1.0 / 3, Note: "limit: the same events one by one, structured; the figures below are per batch"}))
	return nil
}

func partLatency(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	var values, limits []float64
	for range b.rounds {
		producer, err := b.plainProducer("1-connection", topicOf("bench"), kib, 1)
		if err != nil {
			return err
		}
		f, err := b.post(k, "1-connection", "kurier", loadConfig{Size: kib, Connections: 1})
		if err != nil {
			return err
		}
		values, limits = append(values, f.P50-producer.P50), append(limits, producer.P50)
	}
	b.judge(row{Scenario: "1-connection", Measure: "p50 above sarama's own, ms", Value: median(values), Goal: 0.15,
		Note: fmt.Sprintf("sarama's own p50: %.2f ms", median(limits))})
	return nil
}

func partConnections(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	idle := int(b.count(9900))
	f, err := b.post(k, "10000-connections", "kurier", loadConfig{Size: kib, Connections: max(idle/99, 1), Idle: idle})
	if err != nil {
		return err
	}
	b.judge(row{Scenario: "10000-connections, 1 % active", Measure: "resident at peak, MiB", Value: f.Peak, Goal: 400})
	return nil
}

func partLarge(b *bench) error {
	k, err := b.receiving(nil)
	if err != nil {
		return err
	}
	defer k.stop()
	defer b.broker.forget(topicOf("bench"))
	for _, size := range []int{64 << 10, 1<<20 - 8<<10} {
		scenario := fmt.Sprintf("%d-KiB-events", size>>10)
		var rate comparison
		for range b.rounds {
			producer, err := b.plainProducer(scenario, topicOf("bench"), size, 16)
			if err != nil {
				return err
			}
			f, err := b.post(k, scenario, "kurier", loadConfig{Size: size, Connections: 16})
			if err != nil {
				return err
			}
			rate.add(f.MiBPerSecond, producer.MiBPerSecond)
		}
		b.judge(rate.row(row{Scenario: scenario, Measure: "MiB/s", Goal: 0.8, Least: true, Note: "limit: sarama alone"}))
	}
	return nil
}
