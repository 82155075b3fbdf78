package main

import (
	"fmt"
	"slices"
)

// part is one scenario of the table, or a few that share their preparation.
type part struct {
	name, what string
	run        func(*bench) error
	onDemand   bool // runs only when it is named
}

func parts() []part {
	return []part{
		{name: "receive", what: "1 KiB binary events, 64 and 256 connections", run: partReceive},
		{name: "structured", what: "structured events beside binary ones", run: partStructured},
		{name: "batch", what: "batches of 100 beside single events", run: partBatch},
		{name: "latency", what: "one connection", run: partLatency},
		{name: "connections", what: "10,000 connections, 1 % active", run: partConnections},
		{name: "large", what: "events of 64 KiB and 1 MiB", run: partLarge},
		{name: "deliver-unordered", what: "a deep backlog to a subscriber that answers at once", run: partDeliverUnordered},
		{name: "deliver-10ms", what: "a subscriber that takes 10 ms, 100 and 1,000 requests at once", run: partDeliverDelayed},
		{name: "ordered", what: "ordered delivery, 1 and 10 partitions, 0 and 1 ms", run: partOrdered},
		{name: "by-key", what: "ordered by key, 1 to 10,000 keys, 10 ms", run: partByKey},
		{name: "end-to-end", what: "1,000 events/s from the 202 to the subscriber", run: partEndToEnd},
		{name: "replies", what: "replies that go into the Broker", run: partReplies},
		{name: "dead-letters", what: "a subscriber that refuses everything", run: partDeadLetters},
		{name: "100-triggers", what: "100 Triggers on one topic, 99 refuse all", run: part100Triggers},
		{name: "1000-triggers", what: "1,000 Triggers on 100 Brokers, idle", run: part1000Triggers},
		{name: "manifests", what: "10,000 objects in manifests", run: partManifests},
		{name: "start", what: "start to ready with 10 Triggers, memory at rest", run: partStart},
		{name: "soak", what: "10 minutes at 70 % of the maximum", run: partSoak, onDemand: true},
	}
}

// choose returns the parts of the given names, or all that need not be asked for.
func choose(names []string) ([]part, error) {
	var chosen []part
	for _, p := range parts() {
		if slices.Contains(names, p.name) || len(names) == 0 && !p.onDemand {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return nil, fmt.Errorf("there is no part %q; -list prints them", name)
		}
	}
	return chosen, nil
}
