// Package chaos breaks a running Kurier at random and proves that it keeps its promises.
//
// It has four parts:
//
//   - History records what happened: every event that a producer was told is stored,
//     every request that a subscriber or a dead letter sink got and its answer, every
//     position that Kafka holds for a group, who owned which partition, every fault.
//   - Check reads a History and states for each event what became of it, and lists what
//     must not be: losses, broken order, repeats without a cause, attempts beyond the
//     budget.
//   - Proxy stands between two programs and cuts, delays or silences their connections.
//     A Kafka node advertises one proxy for each Kurier process, so each pair can be
//     parted.
//   - The runner deals faults from a seed, prints the seed, and plays the same faults
//     again when KURIER_CHAOS_SEED names it.
//
// # What may repeat, and what may overlap
//
// The checker excuses two things, counts them apart and prints them:
//
//   - A request that was on its way when its process or its connection was stopped may
//     be answered, or arrive, after the next owner has begun: at most one per partition
//     (ordered) or key (ordered-by-key) and fault.
//   - An event that was settled after the last commit that Kafka acknowledged may be
//     delivered again after a fault. The lease bounds that time; see [RepeatLag].
package chaos
