package box

import "runtime"

// onThread runs f on an operating system thread of its own, which ends afterwards: what f
// changes in the thread (a namespace) cannot reach other goroutines.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}
