// Package interop runs what users really run against the real binary: the CloudEvents SDKs
// for Go, Python and JavaScript as senders and as subscribers that answer, curl, and a
// Kafka client that is not ours.
//
// A client's program is a small file in python/ or javascript/, which speaks JSON lines
// with the test. Its packages have exact versions and are installed once, into the user's
// cache folder. Without Python or Node.js its tests are skipped with the reason;
// KURIER_REQUIRE_INTEROP=1 makes that a failure.
//
// Everything is compared exactly: attributes, data, times. Where a client does something
// else than the CloudEvents specification says, that is a finding: findings_test.go names
// each, the comparison expects it, and docs/clients.md tells it.
package interop
