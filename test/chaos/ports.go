package chaos

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"kurier.dev/kurier/test/harness"
	"kurier.dev/kurier/test/kafkatest"
)

// handed are the ports that this test binary has given to processes. Tests that run at
// once would else choose the same one between its choice and its use.
var handed = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// ports chooses n free ports that no test of this binary was given.
func ports(n int) ([]int, error) {
	handed.Lock()
	defer handed.Unlock()
	var all []int
	for len(all) < n {
		more, err := kafkatest.FreePorts(n - len(all))
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			if !handed.ports[p] {
				handed.ports[p] = true
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// moor gives a process that was not started yet ports of its own.
func moor(t testing.TB, s *harness.System) {
	t.Helper()
	p, err := ports(2)
	if err != nil {
		t.Fatal(err)
	}
	s.Ingress, s.Admin = fmt.Sprintf("http://127.0.0.1:%d", p[0]), fmt.Sprintf("http://127.0.0.1:%d", p[1])
	s.SetEnv("INGRESS_PORT", strconv.Itoa(p[0]))
	s.SetEnv("ADMIN_PORT", strconv.Itoa(p[1]))
	s.SetEnv("ADMIN_URL", s.Admin)
}
