package consumer

const (
	// defaultBacklogLimit: reading on after a pause takes a tenth of a second when
	// all partitions are paused, and up to a fetch wait when the others have
	// nothing new. The rest of the backlog must last that long at full speed; more
	// of it is only more memory for the collector to go through.
	defaultBacklogLimit = 16 << 10
	minBacklog          = 1 << 10
	// partitionFloor is what a partition may hold although its consumer's memory
	// is used up: others of the same consumer cannot starve it.
	partitionFloor = 64 << 10
)

// charge accounts for the memory of a partition's records.
func (e *engine) charge(p *partition, bytes int64) {
	p.bytes += bytes
	e.account.add(bytes)
}

// regulate pauses or resumes the reading of a partition. Records go on arriving
// for a while after a pause; they are taken all the same, because the end of
// the claim is only told behind them.
func (e *engine) regulate(p *partition) {
	if p.stopping || p.source == nil {
		return
	}
	high := max(minBacklog, e.backlogLimit/max(e.behind, 1)) // a partition alone with a backlog may use it all
	if !p.paused {
		if p.backlog.n >= high || (p.bytes >= partitionFloor && e.account.over()) {
			p.paused = true
			p.source.Pause()
		}
		return
	}
	if p.backlog.n <= high/2 && (p.bytes < partitionFloor/2 || !e.account.over()) {
		p.paused = false
		p.source.Resume()
	}
}

// regulateAll looks at all paused partitions; memory became free.
func (e *engine) regulateAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.parts {
		if p.paused {
			e.regulate(p)
		}
	}
}
