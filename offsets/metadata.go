package offsets

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/fnv"
	"slices"
	"strings"
)

// The metadata, version 1:
//
//	"ku1."                      major version: another one cannot be read
//	base64 (URL alphabet, no padding) of
//	  4 bytes                   CRC-32C of the frontier (8 bytes) and all that follows
//	  1 byte                    minor version
//	  4 bytes                   hash of the topic's id, 0 when not known
//	  sections                  each: id, length (uvarints), content
//	    1 map                   n, end-frontier (uvarints); when n > 0 a coding and bits
//	    2 attempts              a coding and bits; absent when all are 0
//	    3 beyond (minor 1)      the count of groups (uvarint); of each the hash of its
//	                            key (4 bytes) and from-frontier (uvarint); then as in
//	                            map, counted from the lowest from, where the map ends
//	    4 attempts beyond (1)   as in attempts
//
// Integers have the highest byte first. The checksum covers the frontier, so a
// map never counts for another offset than the one it was committed with. A
// reader skips sections that it does not know: what a later minor version adds
// must be something that an older one can do without.
const (
	brand = "ku"
	major = "1"
	minor = 1 // written where it is needed, 0 elsewhere

	sectionMap            = 1
	sectionAttempts       = 2
	sectionBeyond         = 3
	sectionBeyondAttempts = 4

	fixedBytes = 9 // checksum, minor version, topic
	// overhead bounds all bytes that are not bits of positions and attempts: the
	// fixed ones, two section heads, two uvarints, two codings, two part bytes.
	overhead = fixedBytes + 2*(1+4) + 3 + 10 + 2 + 2

	// groupsOverhead is what the sections beyond take beside their groups and bits:
	// two section heads, three uvarints, two codings, two part bytes.
	groupsOverhead = 2*(1+4) + 1 + 3 + 10 + 2 + 2
	groupBytes     = 4 + 10

	// maxEntries and maxText bound what is written, and what a reader believes.
	maxEntries = 1 << 16
	maxText    = 1 << 18
)

var (
	encoding   = base64.RawURLEncoding.Strict()
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// TopicHash is a short hash of a topic's id; 0 when the id is not known. It tells
// a topic from one with the same name that was deleted.
type TopicHash uint32

// HashTopic shortens a topic's id. The zero id, which Kafka uses for "none",
// gives 0.
func HashTopic(id [16]byte) TopicHash {
	if id == [16]byte{} {
		return 0
	}
	h := fnv.New32a()
	h.Write(id[:])
	return TopicHash(max(h.Sum32(), 1))
}

// Position is what one commit carries.
type Position struct {
	// Offset is the frontier.
	Offset int64
	// Metadata is printable ASCII, never longer than the limit. It is empty when
	// there is nothing to tell.
	Metadata string
	// Dropped counts the unsettled offsets that the metadata does not tell of,
	// because the limit shrank below what was unsettled already, or Fits was not
	// asked. After a restart everything from the first of them on is handled
	// again, with its attempts forgotten. Normally 0.
	Dropped int
}

// Snapshot gives frontier and metadata in one consistent view. It changes
// nothing; it takes time in proportion to the unsettled offsets.
func (t *Tracker) Snapshot() Position {
	p := Position{Offset: t.Frontier()}
	entries := t.scratch[:0]
	for _, e := range t.win[t.head:] {
		if !e.done {
			entries = append(entries, e)
		}
	}
	entries = append(entries, t.pending...)
	t.scratch = entries
	end := t.Known()
	if len(entries) <= maxEntries && t.encode(p.Offset, end, entries, t.groups) {
		p.Metadata = t.text()
		return p
	}
	if len(t.groups) > 0 {
		end = t.split()
		p.Dropped = t.parked
	}
	// It does not fit: tell of the first offsets only. The map then ends before
	// the first one left out, so all behind it counts as not done.
	inside, _ := slices.BinarySearchFunc(entries, end, byOffset)
	if p.Dropped += len(entries) - inside; inside <= maxEntries && t.encode(p.Offset, max(end, p.Offset), entries[:inside], nil) {
		p.Metadata = t.text()
		return p
	}
	low, high := 0, min(inside, maxEntries+1) // low fits, or is 0; high does not
	for low+1 < high {
		m := (low + high) / 2
		if t.encode(p.Offset, entries[m].offset, entries[:m], nil) {
			low = m
		} else {
			high = m
		}
	}
	p.Dropped += inside - low
	if low > 0 {
		end = entries[low].offset
	} else {
		end = p.Offset
	}
	if t.encode(p.Offset, end, entries[:low], nil) {
		p.Metadata = t.text()
	}
	return p
}

// split is where the first group begins.
func (t *Tracker) split() int64 {
	at := t.Known()
	for i := range t.groups {
		at = min(at, t.groups[i].from())
	}
	return at
}

// encode writes the body into buf. It reports whether it fits the limit.
func (t *Tracker) encode(frontier, end int64, entries []entry, groups []group) bool {
	b := append(t.buf[:0], 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(t.topic))
	switch {
	case end <= frontier && t.topic == 0:
		b = b[:0] // nothing to tell
	case end > frontier && len(groups) == 0:
		b = appendMap(b, frontier, end, entries)
	case end > frontier:
		b[4] = minor
		b = t.appendGroups(b, frontier, end, entries, groups)
	}
	t.buf = b
	if len(b) > 0 {
		binary.BigEndian.PutUint32(b, checksum(frontier, b[4:]))
	}
	return len(b) <= bodyBytes(t.room.limit)
}

// appendMap appends the map and its attempts.
func appendMap(b []byte, frontier, end int64, entries []entry) []byte {
	b = appendSection(b, sectionMap, func(b []byte) []byte { return appendPositions(b, frontier, end, entries) })
	return appendSection(b, sectionAttempts, func(b []byte) []byte { return writeAttempts(b, entries) })
}

// appendGroups appends a map that ends where the first group begins, the groups,
// and what is known beyond.
func (t *Tracker) appendGroups(b []byte, frontier, end int64, entries []entry, groups []group) []byte {
	split := max(t.split(), frontier)
	inside, _ := slices.BinarySearchFunc(entries, split, byOffset)
	if split > frontier {
		b = appendMap(b, frontier, split, entries[:inside])
	}
	beyond := entries[inside:]
	b = appendSection(b, sectionBeyond, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(len(groups)))
		for i := range groups {
			b = binary.BigEndian.AppendUint32(b, groups[i].hash)
			b = binary.AppendUvarint(b, uint64(max(groups[i].from(), split)-frontier))
		}
		return appendPositions(b, split, end, beyond)
	})
	return appendSection(b, sectionBeyondAttempts, func(b []byte) []byte { return writeAttempts(b, beyond) })
}

// appendPositions appends how many offsets of [frontier, end) are unsettled, and
// which.
func appendPositions(b []byte, frontier, end int64, entries []entry) []byte {
	b = binary.AppendUvarint(b, uint64(len(entries)))
	b = binary.AppendUvarint(b, uint64(end-frontier))
	if len(entries) > 0 {
		b = writePositions(b, frontier, entries)
	}
	return b
}

// text is the metadata of what encode wrote.
func (t *Tracker) text() string {
	if len(t.buf) == 0 {
		return ""
	}
	var s strings.Builder
	s.Grow(len(brand) + len(major) + 1 + encoding.EncodedLen(len(t.buf)))
	s.WriteString(brand + major + ".")
	s.WriteString(encoding.EncodeToString(t.buf))
	return s.String()
}

// appendSection appends a section, unless its content is empty.
func appendSection(b []byte, id byte, content func([]byte) []byte) []byte {
	// Content is written behind the longest head there can be and then moved
	// down, so that nothing is copied to another buffer.
	start := len(b)
	b = append(b, id, 0, 0, 0, 0)
	head := len(b)
	b = content(b)
	length := len(b) - head
	if length == 0 {
		return b[:start]
	}
	n := binary.PutUvarint(b[start+1:head], uint64(length))
	copy(b[start+1+n:], b[head:])
	return b[:start+1+n+length]
}

// bodyBytes is how many bytes a text of this length can carry.
func bodyBytes(limit int) int {
	return max(0, encoding.DecodedLen(min(limit, maxText)-len(brand)-len(major)-1))
}

func checksum(frontier int64, b []byte) uint32 {
	var f [8]byte
	binary.BigEndian.PutUint64(f[:], uint64(frontier))
	return crc32.Update(crc32.Checksum(f[:], castagnoli), castagnoli, b)
}
