// Package kafkatest starts a real Apache Kafka (KRaft, one or several nodes) for tests,
// from its Maven artifacts: no Docker, no installation. It needs Java 17 or newer and
// Maven; where one is missing the test is skipped with the reason, or fails when
// KURIER_REQUIRE_KAFKA=1 says that it must not be left out.
//
// Most tests want [Shared]: one node per test binary, started by the first test that
// asks and stopped by [Main]. Tests that stop nodes, or need other settings, call
// [Start]. KURIER_TEST_KAFKA=host:port makes Shared use an existing Kafka instead.
//
// Nothing is left behind: nodes end with their test, with the test binary (even when it
// is killed: the kernel then kills them), and folders of killed runs are removed by
// the next run. The package knows nothing of Kurier and configures no client.
package kafkatest
