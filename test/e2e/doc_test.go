// Package e2e tests the real binary from outside: manifests in a folder, HTTP in, HTTP out.
//
// One suite of scenarios runs against two targets: the embedded broker (kurier dev) and a
// real Apache Kafka (kurier run). The scenarios of a target share one process and run side
// by side, each in a namespace of its own; each adds its manifests while the process runs,
// so every scenario also tests that a new file is picked up and disturbs nobody. Tests
// that stop processes or need another environment start their own.
package e2e
