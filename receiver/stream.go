package receiver

import (
	"bytes"
	"errors"
	"io"
	"net/http/httputil"
	"time"
)

// body reads a request's body from its connection. It says "100 Continue" where
// the client waits for it, and sets the deadline, both at the first Read only:
// a request that is refused by its headers costs neither.
type body struct {
	x       *exchange
	left    int64     // bytes of a body with a length
	chunks  io.Reader // of a chunked body
	expect  string    // not empty: the client waits for 100 Continue
	started bool
	done    bool // the body was read to its end
	failed  bool
}

// discardable bounds the rest of a refused body that is read and thrown away so
// that the connection can be used again.
const discardable = 64 << 10

var continueLine = []byte("HTTP/1.1 100 Continue\r\n\r\n")

func (b *body) start(x *exchange, length int64) {
	b.x, b.left = x, length
	if length < 0 {
		b.left = 0
		b.chunks = httputil.NewChunkedReader(x.br)
	}
	b.done = length == 0
}

// Read implements io.Reader. It never reads beyond the body.
func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	if err := b.begin(); err != nil {
		b.failed = true
		return 0, err
	}
	n, err := b.read(p)
	if errors.Is(err, io.EOF) {
		b.done = true
	} else if err != nil {
		b.failed = true
	}
	return n, err
}

func (b *body) begin() error {
	if b.started {
		return nil
	}
	b.started = true
	if b.chunks == nil && int64(b.x.br.Buffered()) >= b.left {
		return nil
	}
	if err := b.x.conn.SetReadDeadline(time.Now().Add(b.x.bodyTimeout)); err != nil {
		return err
	}
	if b.expect == "" {
		return nil
	}
	b.expect = ""
	_, err := b.x.conn.Write(continueLine)
	return err
}

func (b *body) read(p []byte) (int, error) {
	if b.chunks != nil {
		n, err := b.chunks.Read(p)
		if err == io.EOF {
			if err := b.trailer(); err != nil {
				return n, err
			}
		}
		return n, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.x.br.Read(p)
	b.left -= int64(n)
	switch {
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		return n, io.EOF
	}
	return n, err
}

// trailerLines bounds the trailer of a chunked body, which is ignored.
const trailerLines = 64

var errTrailer = errors.New("malformed trailer of a chunked body")

func (b *body) trailer() error {
	for range trailerLines {
		line, err := b.x.br.ReadSlice('\n')
		switch {
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case !bytes.HasSuffix(line, []byte("\r\n")):
			return errTrailer
		case len(line) == 2:
			return nil
		case !isTrailer(line[:len(line)-2]):
			return errTrailer
		}
	}
	return errTrailer
}

// isTrailer tells whether a line is a header of the strict form. Trailers are ignored,
// but a server that refuses one would not see the request behind it.
func isTrailer(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 {
		return false
	}
	for _, c := range name {
		if !isTokenByte(c) {
			return false
		}
	}
	return !bytes.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

func isTokenByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}

// mayDiscard tells whether the rest of the body is short, known and on its way.
func (b *body) mayDiscard() bool {
	return b.done || !b.failed && b.expect == "" && b.chunks == nil && b.left <= discardable
}

// discard reads the rest of the body away.
func (b *body) discard() error {
	for !b.done {
		if err := b.begin(); err != nil {
			return err
		}
		n, err := b.x.br.Discard(int(b.left))
		b.left -= int64(n)
		if err != nil {
			return err
		}
		b.done = true
	}
	return nil
}
