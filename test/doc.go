// Package test holds what crosses packages: the rules of imports here, the real binary in
// e2e, Docker Compose without Docker in compose, the clients that users have in interop, a
// real Kafka in kafkatest. Nothing outside this folder imports it.
package test
