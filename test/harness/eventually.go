package harness

import (
	"errors"
	"testing"
	"time"
)

// Wait is the deadline of what should happen soon: many times what a slow, busy machine
// needs, so that only a failure reaches it.
const Wait = 2 * time.Minute

// pollEvery is the pause between two looks.
const pollEvery = 20 * time.Millisecond

// Eventually calls f until it returns nil, and fails the test with f's last error when
// that takes longer than within.
func Eventually(t testing.TB, within time.Duration, what string, f func() error) {
	t.Helper()
	if err := Until(within, f); err != nil {
		t.Fatalf("waited %s for %s: %v", within, what, err)
	}
}

// Holds waits until something holds, and fails the test when that takes longer than
// within.
func Holds(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	Eventually(t, within, what, func() error {
		if !holds() {
			return errors.New("it is not so")
		}
		return nil
	})
}

// Until calls f until it returns nil or the time is over, and returns f's last error.
func Until(within time.Duration, f func() error) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-deadline.C:
			return err
		case <-tick.C:
		}
	}
}

// Never fails the test when f returns an error within the time: what must not happen is
// looked for again and again, not once at the end.
func Never(t testing.TB, within time.Duration, what string, f func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := f(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-deadline.C:
			return
		case <-tick.C:
		}
	}
}
