package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// loadConfig describes what is posted. Each connection has one request in flight.
type loadConfig struct {
	Address     string // host:port
	Path        string
	Mode        string // binary (default), structured or batch
	Size        int    // of an event's data, in bytes
	Connections int    // that send
	Idle        int    // more connections, each used once and then kept open
	Rate        int    // events a second, all connections together; 0: as fast as they are answered
	Times       bool   // tell when each event was answered
}

// load posts requests over connections of its own, written out beforehand: it has to cost
// less than the server that it measures.
type load struct {
	loadConfig
	tally
	request *request
	next    atomic.Int64
	began   time.Time
}

func beginLoad(c loadConfig) (func() report, error) {
	request, err := newRequest(c.Address, c.Path, c.Mode, c.Size)
	if err != nil {
		return nil, err
	}
	l := &load{loadConfig: c, request: request, began: time.Now()}
	if c.Times {
		l.times = map[int64]int64{}
	}
	for i := range c.Idle + c.Connections {
		conn, err := net.Dial("tcp", c.Address)
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
		w := &worker{load: l, conn: conn, in: bufio.NewReaderSize(conn, 1<<10), request: request.clone()}
		if i < c.Idle {
			if err := w.exchange(); err != nil {
				return nil, fmt.Errorf("connection %d: %w", i, err)
			}
			w.request = nil
			continue
		}
		go w.run()
	}
	return l.report, nil
}

// worker is one connection.
type worker struct {
	*load
	conn    net.Conn
	in      *bufio.Reader
	request *request
}

func (w *worker) run() {
	for {
		number := w.next.Add(1)
		begin := time.Now()
		if w.Rate > 0 {
			// The time that was due counts, not when this connection was free.
			begin = w.began.Add(time.Duration(number) * time.Second / time.Duration(w.Rate))
			pause(time.Until(begin))
		}
		w.request.number(number)
		if err := w.exchange(); err != nil {
			w.fail(err.Error())
			return
		}
		now := time.Now()
		w.done(now.Sub(begin))
		w.bytes.Add(int64(w.Size))
		if w.Times {
			w.at(number, now)
		}
	}
}

// exchange sends the request and reads the answer, which must be 2xx.
func (w *worker) exchange() error {
	if _, err := w.conn.Write(w.request.bytes); err != nil {
		return err
	}
	return readAnswer(w.in)
}

// readAnswer reads one answer and says whether it was 2xx.
func readAnswer(in *bufio.Reader) error {
	status, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	good := len(status) > 9 && status[9] == '2'
	refused := ""
	if !good {
		refused = string(bytes.TrimSpace(status))
	}
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := headerValue(line, "content-length:"); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if !good {
		body, _ := in.Peek(length)
		return fmt.Errorf("%s: %s", refused, body)
	}
	_, err = in.Discard(length)
	return err
}

// headerValue returns the value of a header line with a name, given in lower case.
func headerValue(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || line[0]|0x20 != name[0] || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}
