// Command bench measures the real kurier binary against the limits of the machine it runs
// on, in one run: what an HTTP server costs that answers at once, what Kafka's client costs
// alone, what a bare HTTP client costs. Load and subscribers are cheap processes of their
// own (this program again), so that the operating system tells each one's processor time.
//
//	go run ./test/bench                       all parts, about ten minutes
//	go run ./test/bench receive ordered       some parts
//	go run ./test/bench -list                 their names
//	go run ./test/bench -report docs/performance.md -from bench.json
//
// It uses a real Kafka when Java is there, otherwise the embedded broker, and says which.
// Absolute figures are those of the machine and of what else runs on it. Ratios compare what
// was measured in turns within the same minute; they are what counts.
//
// It refuses to judge correctness: the tests do that. It only fails when something it
// measured answered errors.
package main
