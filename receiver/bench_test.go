package receiver_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"kurier.dev/kurier/receiver"
)

// instant acknowledges at once.
type instant struct{}

func (instant) Produce(_ context.Context, _ *record, done func()) error {
	done()
	return nil
}

// BenchmarkReceive is one connection's 1 KiB binary events, one after the other,
// without Kafka. Half of its system calls are the client's.
func BenchmarkReceive(b *testing.B) {
	r, err := receiver.New(receiver.Config{})
	if err != nil {
		b.Fatal(err)
	}
	r.SetRoutes([]receiver.Route{{Kind: receiver.Broker, Namespace: "ns", Name: "name", Path: "/ns/name", Topic: "t", Producer: instant{}}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = r.Serve(ln) }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	request := []byte("POST /ns/name HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: bench\r\nContent-Type: application/json\r\n" +
		"Ce-Specversion: 1.0\r\nCe-Id: 0c7f2d2e-5c1a-4a5e\r\nCe-Type: com.example.order.created\r\nCe-Source: /shop/orders\r\n" +
		"Ce-Time: 2020-03-21T12:34:56.78Z\r\nCe-Partitionkey: customer-17\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	answer := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		n, err := io.ReadAtLeast(c, answer, len("HTTP/1.1 202 Accepted"))
		if err != nil || string(answer[9:12]) != "202" || n == 0 {
			b.Fatalf("%s, %v", answer[:n], err)
		}
	}
	b.StopTimer()
	_ = c.Close()
	if err := r.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
}
