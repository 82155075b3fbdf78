package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// card is one kind of fault and how it is played.
type card struct {
	kind Kind
	play func(ctx context.Context, p *player)
	long bool // takes half a minute and more: not in a run of a minute
}

// longCards is how long a run is, at least, that plays cards which take long.
const longCards = 3 * time.Minute

// Pauses between two cards, at most. A long run has the time to recover between faults.
const (
	shortPause = 3 * time.Second
	longPause  = 10 * time.Second
)

// kills are what even the shortest run plays: a kill -9 of every role.
var kills = []Kind{KillBroker, KillDispatcher, KillReceiver}

// player deals one deck, card after card, each kind once before any comes again. Two play
// at once: one breaks processes, from the test's goroutine, and one what is around them.
type player struct {
	*Run
	rng   *rand.Rand
	first []Kind // played before the rest, in this order, whatever the time
	deck  []card
	pause time.Duration // between two cards, at most
	least int           // rounds played even when the time is over
}

// deal plays both decks until the time is over.
func (r *Run) deal(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, r.Time)
	defer cancel()
	least, pause := 0, shortPause
	if r.Time >= longRun {
		least, pause = faultsEach, longPause
	}
	var around sync.WaitGroup
	defer around.Wait()
	around.Go(func() {
		p := &player{Run: r, rng: r.stream(1), first: kills[:1], deck: surroundings, pause: pause, least: least}
		p.run(ctx, timed)
	})
	p := &player{Run: r, rng: r.stream(2), first: kills[1:], deck: processes, pause: pause, least: least}
	p.run(ctx, timed)
}

// stream is one of the run's random numbers' streams.
func (r *Run) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, n)) }

// run plays rounds until timed ends.
func (p *player) run(ctx, timed context.Context) {
	for round := 0; ; round++ {
		deck := slices.DeleteFunc(slices.Clone(p.deck), func(c card) bool { return c.long && p.Time < longCards })
		p.rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		if round == 0 {
			slices.SortStableFunc(deck, func(a, b card) int { return p.rank(a) - p.rank(b) })
		}
		for i, c := range deck {
			over := timed.Err() != nil && round >= p.least && p.enough() && (round > 0 || i >= len(p.first))
			if over || ctx.Err() != nil || p.t.Failed() {
				return
			}
			c.play(ctx, p)
			Pass(ctx, p.upTo(p.pause))
		}
	}
}

// enough tells whether a long run has seen its events. A slow machine gets half the time
// more for them.
func (p *player) enough() bool {
	if p.Time < longRun || p.History.Now() > p.Time*3/2 {
		return true
	}
	acked, _ := p.History.Counts()
	return acked >= eventsLong
}

// rank puts the first cards first.
func (p *player) rank(c card) int {
	if i := slices.Index(p.first, c.kind); i >= 0 {
		return i
	}
	return len(p.first)
}

// upTo is a random time.
func (p *player) upTo(most time.Duration) time.Duration {
	return time.Duration(p.rng.Int64N(int64(most)))
}

// between is a random time.
func (p *player) between(least, most time.Duration) time.Duration {
	return least + p.upTo(most-least)
}

// of is a random one.
func of[T any](p *player, all []T) T { return all[p.rng.IntN(len(all))] }
