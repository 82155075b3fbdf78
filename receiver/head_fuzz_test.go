package receiver

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"testing"
	"time"

	"kurier.dev/kurier/test/mutate"
)

// memoryConn is a connection that has sent all it will send.
type memoryConn struct {
	net.Conn
	in bytes.Reader
}

func (c *memoryConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memoryConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzHead: where Kurier accepts a request's head, the standard library's server
// reads the same request with the same framing; a proxy of another make before
// it has nothing to disagree about.
func FuzzHead(f *testing.F) {
	const head = "POST /ns/name HTTP/1.1\r\nHost: h\r\n"
	seeds := []string{
		head + "\r\n", head + "Content-Length: 5\r\n\r\nhello", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
		head + "X: y\n\r\n", head + "X: a\r\n b\r\n\r\n", head + "Content-Length : 5\r\n\r\n", "\r\n\r\n" + head + "\r\n",
		"POST http://x/ns/name HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", head + "Expect: 100-continue\r\n\r\n",
	}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	mutate.More(f, seeds, func(s string) { f.Add([]byte(s)) })
	r, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		mc := &memoryConn{}
		mc.in.Reset(in)
		x := acquireExchange(&conn{Conn: mc})
		defer x.release()
		a, ok := x.readHead(r)
		if !ok {
			if a.status != 0 && (a.status < 400 || a.status > 499) {
				t.Fatalf("refused with %d", a.status)
			}
			return
		}
		for bytes.HasPrefix(in, []byte("\r\n")) { // the standard library does not skip these
			in = in[2:]
		}
		std, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(in), largeHead))
		if err != nil {
			if !differs(in) {
				t.Fatalf("accepted what net/http refuses: %v", err)
			}
			return
		}
		if std.Method != x.req.method || std.ContentLength != x.req.length || (len(std.TransferEncoding) > 0) != (x.req.length < 0) {
			t.Fatalf("read as %s, length %d; net/http reads %s, length %d, %v",
				x.req.method, x.req.length, std.Method, std.ContentLength, std.TransferEncoding)
		}
	})
}

// differs allows what net/http refuses for reasons that have nothing to do with
// framing: targets that are no URLs to it.
func differs(in []byte) bool {
	line, _, _ := bytes.Cut(in, []byte("\r\n"))
	_, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(append([]byte{}, line...), "\r\nHost: h\r\n\r\n"...))))
	return err != nil
}
