package embedded

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// frameHead is the part of a request that is checked: length, API key,
	// version.
	frameHead = 8
	// maxFrame is above what any Kafka client sends.
	maxFrame = 100 << 20
	// maxVersion is above every version of every API.
	maxVersion = 40
	produceKey = 0
)

// guard lets through only what begins like a Kafka request. The broker behind it
// allocates whatever length it is told, and an unknown API key ends its process.
// Like other connections, it has one reader at a time.
type guard struct {
	net.Conn
	onProduce func(bytes int) // may wait

	head    [frameHead]byte
	pending []byte // of head, checked but not read yet
	left    int    // bytes of the frame behind head
}

// Read implements net.Conn. It returns an error at the first frame that is not
// Kafka's; the broker closes the connection then.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.pending) == 0 && g.left == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	if len(g.pending) > 0 {
		n := copy(p, g.pending)
		g.pending = g.pending[n:]
		return n, nil
	}
	n, err := g.Conn.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}

func (g *guard) next() error {
	if _, err := io.ReadFull(g.Conn, g.head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(g.head[:4])
	key := int16(binary.BigEndian.Uint16(g.head[4:6]))
	version := int16(binary.BigEndian.Uint16(g.head[6:8]))
	switch {
	case size < frameHead || size > maxFrame:
		return fmt.Errorf("a frame of %d bytes is not Kafka's", size)
	case key < 0 || kmsg.RequestForKey(key) == nil:
		return fmt.Errorf("unknown API key %d", key)
	case version < 0 || version > maxVersion:
		return fmt.Errorf("unknown version %d of API key %d", version, key)
	}
	if key == produceKey {
		g.onProduce(int(size))
	}
	g.pending, g.left = g.head[:], int(size)-4
	return nil
}
