package dispatcher

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"kurier.dev/kurier/consumer"
)

// BenchmarkDeliver is one event from record to settled, over one warm connection
// to a subscriber that does as little as it can.
func BenchmarkDeliver(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for r := bufio.NewReader(c); readRequest(r) == nil; {
			_, _ = io.WriteString(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
		}
	}()
	t := &testing.T{}
	sender := NewHTTPSender()
	defer sender.Close()
	p := testPipeline(t, &router{http: sender}, Config{AddKafkaPosition: true}, trigger(func(s *Subscription) {
		s.Subscriber.URL = "http://" + ln.Addr().String()
	}))
	m := minEvent("subject", "a b", "knativebrokerttl", "255", "time", time.Now().UTC().Format(time.RFC3339))
	m.Data = make([]byte, 1024)
	rec := record(t, m)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.handle(context.Background(), &consumer.Delivery{Record: rec}); err != nil {
			b.Fatal(err)
		}
	}
}
