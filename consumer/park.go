package consumer

import "kurier.dev/kurier/offsets"

// parkBehind is how many records of a key may be in the window before those that
// follow are parked. A key that is being handled at the speed of its traffic
// never gets there.
const parkBehind = leastKeyLimit

// Parking: a record that waits behind others of its key cannot start, so it need
// not take room in the map that a commit carries. It is admitted into its lane all
// the same, and memory is what bounds how many: half of the Buffer for one
// consumer. So a key that fails for long leaves the window to the other keys.
//
//	lane of the failing key:   head  . . . . . . | . . . . . . . . . . . . . . .
//	                           in the map        | parked: the map says "all of
//	                                             | this key from here on"
//
// Only a lane's head is ever in the Handler's hands, and a head is never parked:
// see comeUp.

// parks says whether the next record of the backlog is to be parked.
func (e *engine) parks(p *partition, rec *Record) bool {
	if e.order != OrderedByKey || rec.Key == nil {
		return false
	}
	l := p.keys[string(rec.Key)]
	if l == nil || (l.parked == 0 && l.n < parkBehind && p.tracker.Fits(rec.Offset)) || !p.tracker.MayPark(rec.Key) {
		return false
	}
	if e.parkedBytes+rec.size > e.account.most()/2 {
		e.parkedFull = true
		return false
	}
	return true
}

// track tells the Tracker of a record that becomes part of the window. One that
// is not wanted is settled at once, and need not wait behind others of its key.
// What was done before a restart is not asked about.
func (e *engine) track(p *partition, rec *Record) (standing offsets.Standing, wanted bool) {
	parks := e.parks(p, rec)
	if parks && (rec.Offset < p.tracker.Known() || e.wanted(rec)) {
		return p.tracker.Park(rec.Offset, rec.Key), true
	}
	standing = p.tracker.Track(rec.Offset, rec.Key)
	if standing == offsets.Unsettled && (parks || !e.wanted(rec)) {
		p.tracker.Done(rec.Offset)
		return standing, false
	}
	return standing, true
}

// wanted says whether a record needs the Handler.
func (e *engine) wanted(rec *Record) bool { return e.wants == nil || e.wants(rec) }

// park counts a record whose offset the Tracker has parked.
func (e *engine) park(l *lane, en *entry) {
	en.parked = true
	l.parked++
	e.countParked(l.part, en.size)
}

// comeUp makes the head of a lane one that can be handled.
func (e *engine) comeUp(l *lane) {
	en := l.head
	if en == nil || !en.parked {
		return
	}
	l.part.tracker.Unpark(en.offset(), en.d.Record.Key)
	en.parked = false
	l.parked--
	e.countParked(l.part, -en.size)
}

// comeUpAll ends all parking of a partition, whose lanes are made anew.
func (e *engine) comeUpAll(p *partition) {
	if p.parkedBytes == 0 {
		return
	}
	p.tracker.UnparkAll()
	for en := p.oldest; en != nil; en = en.newer {
		en.parked = false
	}
	e.countParked(p, -p.parkedBytes)
}

// countParked counts bytes. When there is room again it offers the partitions
// that may have waited for it.
func (e *engine) countParked(p *partition, bytes int64) {
	p.parkedBytes += bytes
	e.parkedBytes += bytes
	if bytes > 0 || !e.parkedFull || e.parkedBytes > e.account.most()/2 {
		return
	}
	e.parkedFull = false
	for _, other := range e.parts {
		e.offer(other)
	}
}
