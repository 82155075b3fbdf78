package main

import (
	"fmt"
	"time"
)

// delivery is a scenario of a Trigger that works off a backlog.
type delivery struct {
	scenario    string
	partitions  int
	backlog     int64 // events that wait in the topic
	keys        int   // different keys among them; 0: no keys
	order       string
	concurrency int // requests in flight; 0: the default of 100
	delay       time.Duration
	answer      string // see subscriberConfig
	filter      string
}

// deliveries is one Kurier with one Broker whose topic is filled, and a subscriber.
type deliveries struct {
	*bench
	delivery
	kurier     *kurier
	other      *kurier // of the other binary; nil: none
	subscriber *child
	round      int
}

// prepare starts what a delivery needs.
func (b *bench) prepare(d delivery) (*deliveries, error) {
	k, err := b.kurier(nil, map[string]string{"broker.yaml": brokerManifest("bench", d.partitions)})
	if err != nil {
		return nil, err
	}
	other, err := b.beside(map[string]string{"broker.yaml": brokerManifest("bench", d.partitions)})
	if err != nil {
		k.stop()
		return nil, err
	}
	s, err := startChild("subscriber", subscriberConfig{Delay: d.delay, Answer: d.answer})
	if err != nil {
		k.stop()
		other.stop()
		return nil, err
	}
	ds := &deliveries{bench: b, delivery: d, kurier: k, other: other, subscriber: s}
	if err := b.broker.fill(topicOf("bench"), kib, d.keys, d.backlog); err != nil {
		ds.end()
		return nil, err
	}
	return ds, nil
}

func (d *deliveries) end() {
	d.kurier.stop()
	d.other.stop()
	d.subscriber.stop()
	d.broker.forget(topicOf("bench"))
}

// share is the part of a backlog that warms up and that is left over, each.
const share = 10

// deliver measures Kurier with a new Trigger, from the first event of the topic.
func (d *deliveries) deliver() (figures, error) { return d.deliverBy(d.kurier, "kurier") }

func (d *deliveries) deliverBy(k *kurier, variant string) (figures, error) {
	d.round++
	start, err := d.subscriber.ask()
	if err != nil {
		return figures{}, err
	}
	text := trigger{Name: fmt.Sprintf("round-%d", d.round), Broker: "bench", Subscriber: d.subscriber.first.Address,
		Order: d.order, Concurrency: d.concurrency, Filter: d.filter}.manifest()
	if err := k.write("trigger.yaml", text); err != nil {
		return figures{}, err
	}
	wait := func() {}
	if k == d.kurier {
		wait = d.profile(k, d.scenario, "allocs")
	}
	f, err := measure(window{
		counter: d.subscriber, pids: d.pids(map[string]int{"kurier": k.pid(), "subscriber": d.subscriber.pid()}),
		memory: k.pid(), from: start.Count + d.warm(), events: d.backlog - 2*d.backlog/share, lasts: d.lasts,
	})
	wait()
	if err != nil {
		return f, err
	}
	d.keep(d.scenario, variant, f)
	if err := k.remove("trigger.yaml"); err != nil {
		return f, err
	}
	return f, d.settle()
}

// warm is the number of events before a window: a tenth, or what a slow scenario does in
// about a second.
func (d *deliveries) warm() int64 {
	if d.delay > 0 {
		return min(d.backlog/share, 200)
	}
	return d.backlog / share
}

// settle waits until no request comes any more.
func (d *deliveries) settle() error {
	for last := int64(-1); ; {
		r, err := d.subscriber.ask()
		if err != nil || r.Count == last {
			return err
		}
		last = r.Count
		pause(300 * time.Millisecond)
	}
}

// bareClient measures fasthttp's client posting to the same subscriber.
func (d *deliveries) bareClient(connections int) (figures, error) {
	client, err := startChild("http-client", clientConfig{Address: d.subscriber.first.Address, Size: kib, Connections: connections})
	if err != nil {
		return figures{}, err
	}
	d.warmUp()
	f, err := measure(window{counter: client, pids: d.pids(map[string]int{"client": client.pid(), "subscriber": d.subscriber.pid()}),
		memory: client.pid(), events: 1 << 40, lasts: d.lasts})
	client.stop()
	if err != nil {
		return f, err
	}
	d.keep(d.scenario, "http client", f)
	return f, d.settle()
}

// consume measures Kafka's client that only reads the topic, in as many groups.
func (b *bench) consume(scenario, topic string, backlog int64, groups int) (figures, error) {
	all := backlog * int64(groups)
	c, err := startChild("sarama-read", consumeConfig{Brokers: []string{b.broker.Address}, Topic: topic,
		Group: fmt.Sprintf("bench-%d", time.Now().UnixNano()), Groups: groups, Count: all})
	if err != nil {
		return figures{}, err
	}
	defer c.stop()
	f, err := measure(window{counter: c, pids: b.pids(map[string]int{"sarama": c.pid()}), memory: c.pid(),
		from: all / share, events: all - 2*all/share, lasts: longest})
	if err == nil {
		b.keep(scenario, "sarama", f)
	}
	return f, err
}

func partDeliverUnordered(b *bench) error {
	d, err := b.prepare(delivery{scenario: "10-partitions", partitions: 10, backlog: b.count(200_000)})
	if err != nil {
		return err
	}
	defer d.end()
	var cpu, others comparison
	for range b.rounds {
		client, err := d.bareClient(100)
		if err != nil {
			return err
		}
		consumer, err := b.consume(d.scenario, topicOf("bench"), d.backlog, 1)
		if err != nil {
			return err
		}
		f, err := d.deliver()
		if err != nil {
			return err
		}
		cpu.add(f.cpuOf("kurier"), client.cpuOf("client")+consumer.cpuOf("sarama"))
		if d.other != nil {
			g, err := d.deliverBy(d.other, "other")
			if err != nil {
				return err
			}
			others.add(f.cpuOf("kurier"), g.cpuOf("kurier"))
		}
	}
	b.compareOthers(others, d.scenario)
	b.judge(cpu.row(row{Scenario: d.scenario, Measure: "CPU µs per event", Goal: 1.2, Floor: 1.5, Note: "limit: bare client + sarama consuming"}))
	return nil
}

// rates compares events per second with a bare client on as many connections, and, where a
// subscriber's delay says what is possible, with that.
func (b *bench) rates(d delivery, connections int, possible float64, r row) error {
	ds, err := b.prepare(d)
	if err != nil {
		return err
	}
	defer ds.end()
	var rate comparison
	for range b.rounds {
		client, err := ds.bareClient(connections)
		if err != nil {
			return err
		}
		f, err := ds.deliver()
		if err != nil {
			return err
		}
		rate.add(f.PerSecond, client.PerSecond)
	}
	r.Scenario, r.Measure, r.Least = d.scenario, "events/s", true
	r.Note = fmt.Sprintf("limit: a bare client with %d connections", connections)
	if possible > 0 {
		r.Note += fmt.Sprintf("; the delay allows %.0f/s", possible)
	}
	b.judge(rate.row(r))
	return nil
}

func partDeliverDelayed(b *bench) error {
	for _, concurrency := range []int{100, 1000} {
		d := delivery{scenario: fmt.Sprintf("10-ms-concurrency-%d", concurrency), partitions: 10,
			backlog: b.count(int64(concurrency) * 600), concurrency: concurrency, delay: 10 * time.Millisecond}
		if err := b.rates(d, concurrency, float64(concurrency)*100, row{Goal: 0.95}); err != nil {
			return err
		}
	}
	return nil
}

func partOrdered(b *bench) error {
	for _, partitions := range []int{1, 10} {
		for _, delay := range []time.Duration{0, time.Millisecond} {
			d := delivery{scenario: fmt.Sprintf("%d-partitions-%d-ms", partitions, delay.Milliseconds()), partitions: partitions,
				backlog: b.count(100_000), order: "ordered", delay: delay}
			if err := b.rates(d, partitions, 0, row{Goal: 0.9, Floor: 0.8}); err != nil {
				return err
			}
		}
	}
	return nil
}

func partByKey(b *bench) error {
	for _, keys := range []int{1, 100, 10_000} {
		parallel := min(keys, 1000)
		d := delivery{scenario: fmt.Sprintf("%d-keys-10-ms", keys), partitions: 10, backlog: b.count(int64(parallel) * 500), keys: keys,
			order: "ordered-by-key", concurrency: 1000, delay: 10 * time.Millisecond}
		if err := b.rates(d, parallel, float64(parallel)*100, row{Goal: 0.9}); err != nil {
			return err
		}
	}
	return nil
}

// partReplies states what replies into the Broker cost.
func partReplies(b *bench) error {
	return b.stated(delivery{scenario: "replies", partitions: 10, backlog: b.count(100_000), answer: "reply",
		filter: "exact: {type: " + eventType + "}"})
}

// partDeadLetters states what dead-lettering at full rate costs.
func partDeadLetters(b *bench) error {
	return b.stated(delivery{scenario: "dead-letters", partitions: 10, backlog: b.count(100_000), answer: "refuse",
		filter: "exact: {type: " + eventType + "}"})
}

func (b *bench) stated(d delivery) error {
	ds, err := b.prepare(d)
	if err != nil {
		return err
	}
	defer ds.end()
	var rates, cpu []float64
	for range b.rounds {
		f, err := ds.deliver()
		if err != nil {
			return err
		}
		rates, cpu = append(rates, f.PerSecond), append(cpu, f.cpuOf("kurier"))
	}
	b.judge(row{Scenario: d.scenario, Measure: "events/s", Value: median(rates), Note: "stated"})
	b.judge(row{Scenario: d.scenario, Measure: "CPU µs per event", Value: median(cpu), Note: "stated"})
	return nil
}
