// Package harness runs the real kurier binary for tests: it builds it once per test
// binary, starts its commands as processes that cannot outlive the test, gives them folders
// and ports of their own, and provides the other side: subscribers that record and answer
// as told, and senders of events. It looks at Kurier only from outside: HTTP, files,
// environment, output, exit status.
//
// Nothing here sleeps: what must happen is waited for with [Eventually], and a deadline is
// generous, because it is only ever reached by a failure.
package harness
