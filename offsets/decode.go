package offsets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// The errors of Decode, to be told apart with errors.Is. Whichever it is, the
// Tracker beside it knows the frontier alone: events may repeat, none is lost.
var (
	// ErrForeign is returned when the metadata was not written by Kurier.
	ErrForeign = errors.New("the metadata was not written by Kurier")
	// ErrVersion is returned when a later Kurier wrote a format that this one
	// cannot read.
	ErrVersion = errors.New("the metadata has a format of a later version")
	// ErrSize is returned when the metadata is too short or too long to be whole.
	ErrSize = errors.New("the metadata is too short or too long")
	// ErrChecksum is returned when the metadata was damaged, or was written for
	// another offset than the committed one.
	ErrChecksum = errors.New("the checksum of the metadata is wrong")
	// ErrFormat is returned when the metadata contradicts itself or is no base64.
	ErrFormat = errors.New("the metadata cannot be read")
	// ErrTopic is returned when the metadata is of a topic with another id: the
	// topic was deleted and created again. The committed offset means nothing
	// there either, the new topic starts at its beginning.
	ErrTopic = errors.New("the metadata is of a deleted topic with the same name")
)

// Decode rebuilds a Tracker from a commit: its offset, its metadata, and the hash
// of the topic as it is now (0: not known, then it is not compared). Empty
// metadata tells nothing and is no error. The Tracker is never nil; beside an
// error, which is one of the Err values, perhaps wrapped, it is New(frontier).
func Decode(frontier int64, metadata string, topic TopicHash) (*Tracker, error) {
	t := New(frontier)
	t.topic = topic
	if metadata == "" {
		return t, nil
	}
	m, err := readMetadata(frontier, metadata, topic)
	if err != nil {
		return t, err
	}
	t.known, t.pending, t.groups = m.end, append(m.inside.entries, m.beyond.entries...), m.groups
	if topic == 0 {
		t.topic = m.topic
	}
	return t, nil
}

// view is what metadata tells.
type view struct {
	topic          TopicHash
	end            int64 // of what is known
	inside, beyond part
	groups         []group
}

// part is the map before, or behind, the beginning of the first group.
type part struct {
	entries  []entry
	attempts []byte // nil: none
}

func readMetadata(frontier int64, metadata string, topic TopicHash) (view, error) {
	b, err := readEnvelope(metadata)
	if err != nil {
		return view{}, err
	}
	if len(b) < fixedBytes {
		return view{}, fmt.Errorf("%w: it has %d bytes", ErrSize, len(b))
	}
	if got, want := checksum(frontier, b[4:]), binary.BigEndian.Uint32(b); got != want {
		return view{}, fmt.Errorf("%w: %08x instead of %08x", ErrChecksum, got, want)
	}
	v := view{topic: TopicHash(binary.BigEndian.Uint32(b[5:])), end: frontier}
	if topic != 0 && v.topic != 0 && topic != v.topic {
		return view{}, fmt.Errorf("%w: hash %08x instead of %08x", ErrTopic, v.topic, topic)
	}
	if err := v.readSections(frontier, b[fixedBytes:], b[4]); err != nil {
		return view{}, err
	}
	return v, nil
}

// readEnvelope takes off the prefix and the base64.
func readEnvelope(metadata string) ([]byte, error) {
	rest, ok := strings.CutPrefix(metadata, brand)
	version, text, dot := strings.Cut(rest, ".")
	switch {
	case !ok || !dot || version == "" || strings.Trim(version, "0123456789") != "":
		return nil, ErrForeign
	case version != major:
		return nil, fmt.Errorf("%w: %.20s", ErrVersion, version)
	case len(text) > maxText:
		return nil, fmt.Errorf("%w: it has %d characters", ErrSize, len(text))
	}
	b, err := encoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return b, nil
}

// readSections reads what follows the fixed bytes.
func (v *view) readSections(frontier int64, b []byte, version byte) error {
	for len(b) > 0 {
		id, n := binary.Uvarint(b)
		if n <= 0 {
			return fmt.Errorf("%w: a section has no id", ErrFormat)
		}
		length, m := binary.Uvarint(b[n:])
		b = b[n:]
		if m <= 0 || length > uint64(len(b)-m) {
			return fmt.Errorf("%w: section %d is longer than the rest", ErrFormat, id)
		}
		content := b[m : m+int(length)]
		b = b[m+int(length):]
		var err error
		switch id {
		case sectionMap:
			v.inside.entries, v.end, err = readMap(frontier, content, version)
		case sectionAttempts:
			v.inside.attempts = content
		case sectionBeyond:
			err = v.readBeyond(frontier, content, version)
		case sectionBeyondAttempts:
			v.beyond.attempts = content
		}
		if err != nil {
			return err
		}
	}
	if err := v.inside.readAttempts(version); err != nil {
		return err
	}
	return v.beyond.readAttempts(version)
}

// readAttempts sets the counts of a part. Counts in a coding that only a later
// version knows are not known; the positions are good all the same.
func (p *part) readAttempts(version byte) error {
	if p.attempts == nil {
		return nil
	}
	if ok, known := readAttempts(p.attempts, p.entries); !ok && (known || version <= minor) {
		return fmt.Errorf("%w: counts of attempts", ErrFormat)
	}
	return nil
}

// readMap reads positions.
func readMap(frontier int64, b []byte, version byte) (entries []entry, end int64, err error) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, 0, fmt.Errorf("%w: the map has no count", ErrFormat)
	}
	length, m := binary.Uvarint(b[n:])
	if m <= 0 || length > math.MaxInt64 || frontier > math.MaxInt64-int64(length) || count > min(length, maxEntries) {
		return nil, 0, fmt.Errorf("%w: the map has no valid end", ErrFormat)
	}
	end = frontier + int64(length)
	if count == 0 {
		return nil, end, nil
	}
	entries, known := readPositions(b[n+m:], frontier, end, int(count))
	if !known && version > minor {
		return nil, 0, fmt.Errorf("%w: minor version %d, positions in coding %d", ErrVersion, version, b[n+m])
	}
	if len(entries) != int(count) {
		return nil, 0, fmt.Errorf("%w: positions", ErrFormat)
	}
	return entries, end, nil
}

// readBeyond reads the groups and what is known from the first one's beginning on,
// which is where the map ends: it must have been read before.
func (v *view) readBeyond(frontier int64, b []byte, version byte) error {
	count, n := binary.Uvarint(b)
	if n <= 0 || count == 0 || count > maxGroups {
		return fmt.Errorf("%w: %d groups", ErrFormat, count)
	}
	b = b[n:]
	var groups []group
	split := int64(math.MaxInt64)
	for range count {
		if len(b) < 4 {
			return fmt.Errorf("%w: groups", ErrFormat)
		}
		from, n := binary.Uvarint(b[4:])
		if n <= 0 || from > math.MaxInt64 || frontier > math.MaxInt64-int64(from) {
			return fmt.Errorf("%w: a group has no valid beginning", ErrFormat)
		}
		g := group{hash: binary.BigEndian.Uint32(b), former: frontier + int64(from)}
		groups, split, b = append(groups, g), min(split, g.former), b[4+n:]
	}
	if split != v.end || v.groups != nil {
		return fmt.Errorf("%w: the map ends at %d and its groups begin at %d", ErrFormat, v.end, split)
	}
	entries, end, err := readMap(split, b, version)
	if err != nil {
		return err
	}
	if end == split {
		return fmt.Errorf("%w: groups with nothing behind them", ErrFormat)
	}
	v.beyond.entries, v.end, v.groups = entries, end, groups
	return nil
}
