// Package conformance proves, case by case, that Kurier does what Knative's Broker, Channel,
// Subscription, Sink and delivery do, and shows where it differs on purpose.
//
// Three things stand here:
//
//   - rows/*.txt is the one list of all statements: an ID, what holds, where it comes from,
//     how it compares, and which tests prove it. A row without a test fails the build, unless
//     it says that the thing itself is missing. docs/conformance.md is made from it
//     (go test ./test/conformance -run TestPage -update).
//   - The black-box cases run against the real binary over HTTP and a folder of manifests,
//     each a sub-test named by its ID. A part of the suite sets a scene, sends events, waits
//     until everything is settled, and only then reports what it saw, as facts. It does not
//     know what is expected.
//   - The expectation of a case is data. After the real comparison every single expected fact
//     is altered, left out and added to, and each of these comparisons must fail: no case is
//     empty.
//
// All parts share one `kurier dev`; a second one runs with the settings under which cases
// pass that differ by default. The same parts run on a real Apache Kafka: some always, all
// with KURIER_CONFORMANCE_KAFKA=all.
package conformance
