package chaos

import (
	"context"
	"fmt"
	"time"
)

// surroundings are the faults of what is around Kurier's processes. They are played
// beside the test's goroutine.
var surroundings = []card{
	{kind: KillBroker, play: killBroker},
	{kind: KillAllBrokers, play: killAllBrokers, long: true},
	{kind: CutKafka, play: func(ctx context.Context, p *player) {
		p.kafkaWeather(ctx, CutKafka, Weather{Cut: true}, p.between(time.Second, 8*time.Second))
	}},
	{kind: DelayKafka, play: func(ctx context.Context, p *player) {
		w := Weather{Delay: p.between(20*time.Millisecond, 300*time.Millisecond)}
		p.kafkaWeather(ctx, DelayKafka, w, p.between(3*time.Second, 10*time.Second))
	}},
	{kind: SilenceKafka, play: func(ctx context.Context, p *player) {
		p.kafkaWeather(ctx, SilenceKafka, Weather{Silent: true}, p.between(2*time.Second, 15*time.Second))
	}},
	{kind: CutSubscriber, play: func(ctx context.Context, p *player) {
		p.subscriberWeather(ctx, CutSubscriber, Weather{Cut: true}, p.between(time.Second, 6*time.Second))
	}},
	{kind: DelaySubscriber, play: func(ctx context.Context, p *player) {
		w := Weather{Delay: p.between(10*time.Millisecond, 100*time.Millisecond)}
		p.subscriberWeather(ctx, DelaySubscriber, w, p.between(3*time.Second, 8*time.Second))
	}},
	{kind: SilenceSubscribe, play: func(ctx context.Context, p *player) {
		p.subscriberWeather(ctx, SilenceSubscribe, Weather{Silent: true}, p.between(time.Second, 6*time.Second))
	}},
	{kind: SubscriberFails, play: func(ctx context.Context, p *player) { p.mood(ctx, SubscriberFails, Failing) }},
	{kind: SubscriberHangs, play: func(ctx context.Context, p *player) { p.mood(ctx, SubscriberHangs, Hanging) }},
	{kind: SubscriberSlow, play: func(ctx context.Context, p *player) { p.mood(ctx, SubscriberSlow, Slow) }},
	{kind: SinkDown, play: sinkDown},
}

// killBroker ends one node as kill -9 does and starts it again.
func killBroker(ctx context.Context, p *player) {
	i := p.rng.IntN(Nodes)
	whole := p.History.Break(KillBroker, fmt.Sprint("node ", i+1))
	p.Kafka.Kill(i)
	Pass(ctx, p.upTo(6*time.Second))
	p.revive(i)
	whole()
}

// killAllBrokers ends all nodes at once.
func killAllBrokers(ctx context.Context, p *player) {
	whole := p.History.Break(KillAllBrokers, "all nodes")
	for i := range Nodes {
		p.Kafka.Kill(i)
	}
	Pass(ctx, p.upTo(4*time.Second))
	p.revive(0, 1, 2)
	whole()
}

func (p *player) revive(nodes ...int) {
	for _, i := range nodes {
		if err := p.Kafka.launch(i); err != nil {
			p.fail("start node %d: %v", i+1, err)
		}
	}
	if err := p.Kafka.Await(Nodes); err != nil {
		p.fail("Kafka did not come back: %v", err)
	}
}

// kafkaWeather parts one process from all nodes, or all processes from one node.
func (p *player) kafkaWeather(ctx context.Context, kind Kind, w Weather, d time.Duration) {
	var proxies []*Proxy
	client, node := p.rng.IntN(receivers+dispatchers), p.rng.IntN(Nodes)
	target := fmt.Sprintf("client %d and all nodes", client)
	if p.rng.IntN(2) == 0 {
		target = fmt.Sprintf("node %d and all clients", node+1)
		for c := range receivers + dispatchers {
			proxies = append(proxies, p.Kafka.Proxy(c, node))
		}
	} else {
		for n := range Nodes {
			proxies = append(proxies, p.Kafka.Proxy(client, n))
		}
	}
	whole := p.History.Break(kind, fmt.Sprintf("%s for %s", target, d.Round(time.Millisecond)))
	for _, proxy := range proxies {
		proxy.Set(w)
	}
	Pass(ctx, d)
	for _, proxy := range proxies {
		proxy.Set(Weather{})
	}
	whole()
}

// subscriberWeather disturbs the connections of one trigger's subscriber.
func (p *player) subscriberWeather(ctx context.Context, kind Kind, w Weather, d time.Duration) {
	s := of(p, p.subs)
	whole := p.History.Break(kind, fmt.Sprintf("%s for %s", s.name(), d.Round(time.Millisecond)))
	s.proxy.Set(w)
	Pass(ctx, d)
	s.proxy.Set(Weather{})
	whole()
}

// mood changes how one subscriber answers for a while.
func (p *player) mood(ctx context.Context, kind Kind, m Mood) {
	s := of(p, p.subs)
	whole := p.History.Break(kind, s.name())
	s.Feel(m)
	Pass(ctx, p.between(2*time.Second, 7*time.Second))
	s.Feel(Well)
	whole()
}

// sinkDown lets dead letter sinks fail while events go there.
func sinkDown(ctx context.Context, p *player) {
	whole := p.History.Break(SinkDown, "all")
	for _, s := range p.subs {
		s.FeelSink(Failing)
	}
	Pass(ctx, p.between(3*time.Second, 8*time.Second))
	for _, s := range p.subs {
		s.FeelSink(Well)
	}
	whole()
}
