//go:build race

package harness

// raceEnabled: the binary under test gets the race detector when its test has it.
const raceEnabled = true
