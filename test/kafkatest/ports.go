package kafkatest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken below Linux's ephemeral range (32768 and up): an outgoing connection
// of another process can then never take a port between our choice and its use.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 1000
)

// FreePorts returns n different TCP ports of 127.0.0.1 that nobody listens on. Another
// process may still take one before it is used: who starts a server retries with others.
func FreePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	listeners := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		listeners, ports = append(listeners, l), append(ports, port)
	}
	return nil, fmt.Errorf("found only %d of %d free ports between %d and %d", len(ports), n, firstPort, lastPort)
}
