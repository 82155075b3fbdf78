package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// processes are the faults of Kurier's processes.
var processes = []card{
	{kind: KillDispatcher, play: func(ctx context.Context, p *player) { p.kill(ctx, KillDispatcher, of(p, p.Fleet.Dispatchers)) }},
	{kind: KillReceiver, play: func(ctx context.Context, p *player) { p.kill(ctx, KillReceiver, of(p, p.Fleet.Receivers)) }},
	{kind: TermDispatcher, play: func(ctx context.Context, p *player) { p.term(ctx, TermDispatcher, of(p, p.Fleet.Dispatchers)) }},
	{kind: TermReceiver, play: func(ctx context.Context, p *player) { p.term(ctx, TermReceiver, of(p, p.Fleet.Receivers)) }},
	{kind: PauseDispatcher, play: func(ctx context.Context, p *player) {
		p.pauseProcess(ctx, PauseDispatcher, of(p, p.Fleet.Dispatchers), p.between(time.Second, 6*time.Second))
	}},
	{kind: LongPauseDispatcher, play: func(ctx context.Context, p *player) {
		p.pauseProcess(ctx, LongPauseDispatcher, of(p, p.Fleet.Dispatchers), p.between(12*time.Second, 16*time.Second))
	}, long: true},
	{kind: PauseReceiver, play: func(ctx context.Context, p *player) {
		p.pauseProcess(ctx, PauseReceiver, of(p, p.Fleet.Receivers), p.between(time.Second, 6*time.Second))
	}},
	{kind: RollingRestart, play: rollingRestart, long: true},
	{kind: Scale, play: scale},
	{kind: CutAndKill, play: cutAndKill, long: true},
	{kind: EditManifests, play: editManifests},
}

// kill ends a process as kill -9 does and starts it again.
func (p *player) kill(ctx context.Context, kind Kind, victim *Process) {
	whole := p.History.Break(kind, victim.Name)
	victim.Command.Kill()
	Pass(ctx, p.upTo(4*time.Second))
	victim.Up()
	victim.AwaitReady(p.t)
	whole()
}

// term stops a process in good order and starts it again.
func (p *player) term(ctx context.Context, kind Kind, victim *Process) {
	whole := p.History.Break(kind, victim.Name)
	victim.Down()
	Pass(ctx, p.upTo(2*time.Second))
	victim.Up()
	victim.AwaitReady(p.t)
	whole()
}

// pauseProcess stops a process in the middle of what it does and lets it go on.
func (p *player) pauseProcess(ctx context.Context, kind Kind, victim *Process, d time.Duration) {
	whole := p.History.Break(kind, fmt.Sprintf("%s for %s", victim.Name, d.Round(time.Millisecond)))
	victim.Command.Signal(p.t, syscall.SIGSTOP)
	Pass(ctx, d)
	victim.Command.Signal(p.t, syscall.SIGCONT)
	victim.AwaitReady(p.t)
	whole()
}

// rollingRestart restarts one process after the other.
func rollingRestart(_ context.Context, p *player) {
	whole := p.History.Break(RollingRestart, "all")
	for _, victim := range p.Fleet.All() {
		victim.Down()
		victim.Up()
		victim.AwaitReady(p.t)
	}
	whole()
}

// scale goes from three dispatchers to one and back.
func scale(ctx context.Context, p *player) {
	whole := p.History.Break(Scale, "dispatchers")
	stays := p.rng.IntN(dispatchers)
	for i, d := range p.Fleet.Dispatchers {
		if i != stays {
			d.Down()
		}
	}
	Pass(ctx, p.upTo(4*time.Second))
	for i, d := range p.Fleet.Dispatchers {
		if i != stays {
			d.Up()
			d.AwaitReady(p.t)
		}
	}
	whole()
}

// coordinatorCut is how long a dispatcher cannot reach its coordinator before it is
// killed: its lease ends, so that little repeats.
const coordinatorCut = 20 * time.Second

// cutAndKill parts a dispatcher from the coordinator of one group and then kills it.
func cutAndKill(ctx context.Context, p *player) {
	i := p.rng.IntN(dispatchers)
	victim, trigger := p.Fleet.Dispatchers[i], p.rng.IntN(len(p.History.Triggers))
	node, err := p.Watcher.Coordinator(ctx, trigger)
	if err != nil {
		return // Kafka is down, and the card is dealt again
	}
	whole := p.History.Break(CutAndKill, fmt.Sprintf("%s, coordinator of %s", victim.Name, p.History.Triggers[trigger].Name))
	proxy := p.Kafka.Proxy(receivers+i, node)
	proxy.Set(Weather{Cut: true})
	Pass(ctx, coordinatorCut)
	victim.Command.Kill()
	proxy.Set(Weather{})
	victim.Up()
	victim.AwaitReady(p.t)
	whole()
}

// editManifests writes a file that cannot be read and then a new version.
func editManifests(ctx context.Context, p *player) {
	whole := p.History.Break(EditManifests, fmt.Sprint("version ", p.Fleet.version+1))
	p.Fleet.Write(Broken)
	Pass(ctx, p.between(time.Second, 2*time.Second))
	p.Fleet.version++
	p.Fleet.Write(p.version(p.Fleet.version))
	Pass(ctx, p.between(time.Second, 2*time.Second))
	whole()
}
