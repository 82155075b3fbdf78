package dispatcher

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"kurier.dev/kurier/consumer"
)

// Whatever subscriber, reply address and dead letter places answer: an event has
// exactly one end, the subscriber sees at most retry + 1 attempts and none after
// it accepted, each stage keeps its budget until it is held, and nothing is
// settled without having been delivered, dead-lettered or, by policy, dropped.
func TestEveryEventHasOneEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		retry := rapid.IntRange(0, 4).Draw(rt, "retry")
		policy := DeadLetterPolicy{
			Topic: deadTopic, Drop: rapid.Bool().Draw(rt, "drop"), OnFailureDrop: rapid.Bool().Draw(rt, "on-failure-drop"),
		}
		sub := trigger(func(s *Subscription) {
			setKind(s, rapid.SampledFrom([]string{"subscription", "subscription with reply"}).Draw(rt, "kind"))
			s.Delivery.Retry, s.DeadLetter = retry, policy
			if rapid.Bool().Draw(rt, "sink") {
				s.Delivery.DeadLetterSink = &Destination{URL: sinkURL}
			}
		})
		answers := rapid.SampledFrom([]string{"200", "202", "400", "404", "503", "event", "text", "bad", "refused", "413", "large"})
		seen := map[string]int{}
		accepted, stored := false, false
		p := testPipeline(t, senderFunc(func(ctx context.Context, m Message) (Result, error) {
			place := placeOf(m)
			if place == "subscriber" && accepted {
				rt.Fatal("the subscriber is called after it accepted")
			}
			seen[place]++
			res, err := answer(ctx, m, answers.Draw(rt, place))
			bad := res.ClaimsEvent && len(res.Body) == 0
			accepted = accepted || place == "subscriber" && err == nil && !bad
			stored = stored || err == nil && (place == "sink" || place == "topic")
			return res, err
		}), Config{}, sub)
		d := &consumer.Delivery{Record: record(t, minEvent())}
		held, done := false, false
		for range 60 {
			err := p.handle(context.Background(), d)
			if done = err == nil; done {
				break
			}
			var later *consumer.Later
			if !errors.As(err, &later) {
				rt.Fatalf("neither settled nor later: %v", err)
			}
			held = held || later.Held
		}
		c := p.metrics.counters()
		ends := c.Delivered + c.DeadLettered + c.Dropped + c.Filtered
		switch {
		case done && ends != 1, !done && (ends != 0 || !held):
			rt.Fatalf("settled %v, held %v, ends %d: %+v", done, held, ends, c)
		case seen["subscriber"] > retry+1 || seen["reply"] > retry+1 || d.Attempts != seen["subscriber"]:
			rt.Fatalf("retry %d, but %v, attempts %d", retry, seen, d.Attempts)
		case stored != (c.DeadLettered == 1):
			rt.Fatalf("a dead letter was stored: %v, counted: %d", stored, c.DeadLettered)
		case c.Delivered == 1 && !accepted:
			rt.Fatal("delivered, but nobody accepted it")
		case c.Dropped == 1 && !policy.Drop && !policy.OnFailureDrop:
			rt.Fatal("dropped without a policy that says so")
		case held && policy.OnFailureDrop:
			rt.Fatal("held although the policy says drop")
		}
	})
}
