// Package dispatcher takes events out of Kafka and brings each one to its end:
// delivered to its subscriber, refused by a filter, written to a dead letter
// sink or topic, or dropped by a policy that a user wrote.
//
//	           ┌──────── no match: settled
//	record ─ filter ── subscriber ── reply? ─────────── settled
//	                      │ retry      │ retry
//	                      └─ failed ───┴─ dead letter ─ settled
//	                                          └ hold, for ever, or drop
//
// One consumer group runs per [Subscription]; [Dispatcher.Apply] converges to a
// wanted set of them and leaves alone what did not change. A handler call makes
// one attempt and returns: an event that waits costs no goroutine.
//
// It refuses to know manifests, to receive HTTP, to manage topics or offsets,
// and to settle an event of which it cannot say where it ended.
package dispatcher
